import { Box, Button, Table, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { File as CaudalFile } from '../../../../src/contract/files.ts';
import { get, type Page, pagePath } from '../../api.ts';
import { useUploads } from '../../uploads/store.ts';
import { Problem } from '../frame/problem.tsx';
import { Waiting } from '../frame/waiting.tsx';
import { FileRow } from './file-row.tsx';
import { type Line, linesOf } from './lines.ts';
import { UploadRow } from './upload-row.tsx';

const LIVE_MS = 1_000;
const QUIET_MS = 5_000;

/** Every file, newest first, as it stands now; one that this page is sending is a line of the same table. */
export function FileTable() {
  const { t } = useTranslation();
  const files = useFiles();
  const uploads = useUploads();
  const known = useMemo(() => files.data?.pages.flatMap((page) => page.items) ?? [], [files.data]);
  const lines = useMemo(() => linesOf(uploads, known), [uploads, known]);
  if (files.isPending) return <Waiting />;
  if (files.isError && known.length === 0) return <Problem error={files.error} />;
  if (lines.length === 0) {
    return (
      <Text c="dimmed" ta="center" py="xl">
        {t('files.empty')}
      </Text>
    );
  }
  return (
    <Box className="surface">
      {files.isError && <Problem error={files.error} />}
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
      {files.hasNextPage && (
        <Button variant="subtle" m="sm" loading={files.isFetchingNextPage} onClick={() => void files.fetchNextPage()}>
          {t('frame.more')}
        </Button>
      )}
    </Box>
  );
}

function OneLine({ line }: { line: Line }) {
  return line.upload ? <UploadRow upload={line.upload} /> : <FileRow file={line.file} />;
}

function useFiles() {
  return useInfiniteQuery({
    queryKey: ['files'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => get<Page<CaudalFile>>(pagePath('/files?limit=50', pageParam), signal),
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: ({ state }) => (state.data?.pages.some((page) => page.items.some(isMoving)) ? LIVE_MS : QUIET_MS),
  });
}

const SOON_MS = 60_000;

/** A stored file that waits longer than that for its load was cancelled, or the workers are busy: once in a while will do. */
function isMoving({ state, task_id, updated_at }: CaudalFile): boolean {
  if (state === 'loading') return true;
  return state === 'stored' && task_id !== undefined && Date.now() - Date.parse(updated_at) < SOON_MS;
}
