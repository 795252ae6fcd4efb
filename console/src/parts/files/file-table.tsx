import { Box, Table } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { File as CaudalFile } from '../../../../src/contract/files.ts';
import { useUploads } from '../../uploads/store.ts';
import { PagedList, usePages } from '../frame/pages.tsx';
import { FileRow } from './file-row.tsx';
import { type Line, linesOf } from './lines.ts';
import { UploadRow } from './upload-row.tsx';

const LIVE_MS = 1_000;
const QUIET_MS = 5_000;

/** Every file, newest first, as it stands now; one that this page is sending is a line of the same table. */
export function FileTable() {
  const { t } = useTranslation();
  const { query, items } = usePages<CaudalFile>(['files'], '/files?limit=50', (known) =>
    known.some(isMoving) ? LIVE_MS : QUIET_MS,
  );
  const uploads = useUploads();
  const lines = useMemo(() => linesOf(uploads, items), [uploads, items]);
  return (
    <PagedList query={query} count={lines.length} empty={t('files.empty')}>
      <Box className="surface">
        <Table verticalSpacing="sm" layout="fixed" className="files">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('files.name')}</Table.Th>
              <Table.Th className="files-state">{t('files.state')}</Table.Th>
              <Table.Th className="number files-rows" visibleFrom="md">
                {t('files.rows')}
              </Table.Th>
              <Table.Th className="number files-size" visibleFrom="md">
                {t('files.size')}
              </Table.Th>
              <Table.Th className="files-time" visibleFrom="md">
                {t('files.arrived')}
              </Table.Th>
              <Table.Td className="files-actions" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {lines.map((line) => (
              <OneLine key={line.key} line={line} />
            ))}
          </Table.Tbody>
        </Table>
      </Box>
    </PagedList>
  );
}

function OneLine({ line }: { line: Line }) {
  return line.upload ? <UploadRow upload={line.upload} /> : <FileRow file={line.file} />;
}

const SOON_MS = 60_000;

/** A stored file that waits longer than that for its load was cancelled, or the workers are busy: once in a while will do. */
function isMoving({ state, task_id, updated_at }: CaudalFile): boolean {
  if (state === 'loading') return true;
  return state === 'stored' && task_id !== undefined && Date.now() - Date.parse(updated_at) < SOON_MS;
}
