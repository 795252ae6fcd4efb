import { Box, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Task } from '../../../../src/contract/tasks.ts';
import type { VideoOutput } from '../../../../src/contract/video.ts';
import { useUploads } from '../../uploads/store.ts';
import { UploadRow } from '../files/upload-row.tsx';
import { PageLink } from '../frame/link.tsx';
import { PagedList, usePages } from '../frame/pages.tsx';
import { Words } from '../frame/problem.tsx';
import { Time } from '../time.tsx';
import { isOpen } from './follow-task.ts';
import { nameOf } from './name.ts';
import { StatusBadge, TaskProgress } from './status.tsx';

const LIVE_MS = 1_000;
const QUIET_MS = 5_000;

/** Every video task, newest first; a video that this page is sending is a line of the same table. */
export function VideoTable() {
  const { t } = useTranslation();
  const uploads = useUploads().filter(({ video }) => video !== undefined);
  const { query, items } = usePages<Task>(['videos'], '/tasks?kind=video&limit=50', (known) =>
    known.some(isOpen) ? LIVE_MS : QUIET_MS,
  );
  return (
    <PagedList query={query} count={items.length + uploads.length} empty={t('video.empty')}>
      <Box className="surface">
        <Table verticalSpacing="sm" layout="fixed" className="files">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('video.name')}</Table.Th>
              <Table.Th className="files-state video-state">{t('files.state')}</Table.Th>
              <Table.Th className="number files-rows" visibleFrom="md">
                {t('video.clips')}
              </Table.Th>
              <Table.Th className="files-time" visibleFrom="md">
                {t('video.created')}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {uploads.map((upload) => (
              <UploadRow key={upload.key} upload={upload} columns={UPLOAD_COLUMNS} />
            ))}
            {items.map((task) => (
              <VideoRow key={task.id} task={task} />
            ))}
          </Table.Tbody>
        </Table>
      </Box>
    </PagedList>
  );
}

/** Of this table; an upload's line fills them all. */
const UPLOAD_COLUMNS = 4;

function VideoRow({ task }: { task: Task }) {
  const { id, status, error, created_at } = task;
  const output = task.output as unknown as VideoOutput | null;
  const name = nameOf(task);
  return (
    <Table.Tr data-video={name} data-status={status}>
      <Table.Td>
        <Box className="video-line">
          {output && <img src={output.poster_url} alt="" loading="lazy" className="video-thumb" />}
          <Box miw={0} flex={1}>
            <PageLink to="/videos/$id" params={{ id }} size="sm" fw={500} className="wrap">
              {name}
            </PageLink>
            <Text size="xs" c="dimmed" hiddenFrom="md">
              <Time at={created_at} />
            </Text>
            <TaskProgress task={task} name={name} />
            {error && (
              <Box c="red" mt={2} className="failure">
                <Words {...error} />
              </Box>
            )}
          </Box>
        </Box>
      </Table.Td>
      <Table.Td>
        <StatusBadge status={status} />
      </Table.Td>
      <Table.Td className="number" visibleFrom="md">
        {output ? output.clips.length : '–'}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Time at={created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
