import { Badge, Box, Group, Progress, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { File as CaudalFile } from '../../../../src/contract/files.ts';
import { formatBytes, formatNumber } from '../format.ts';
import { PageLink } from '../frame/link.tsx';
import { Words } from '../frame/problem.tsx';
import { Time } from '../time.tsx';
import { FileMenu } from './file-menu.tsx';

const COLOURS: Record<CaudalFile['state'], string> = {
  pending: 'gray',
  stored: 'gray',
  loading: 'river',
  loaded: 'teal',
  failed: 'red',
};

export function FileRow({ file }: { file: CaudalFile }) {
  return (
    <Table.Tr data-file={file.filename} data-state={file.state}>
      <Table.Td>
        <What file={file} />
      </Table.Td>
      <Table.Td>
        <State file={file} />
      </Table.Td>
      <Table.Td className="number" visibleFrom="md">
        {file.rows === undefined ? '–' : formatNumber(file.rows)}
      </Table.Td>
      <Table.Td className="number" visibleFrom="md">
        {formatBytes(file.size)}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Time at={file.created_at} />
      </Table.Td>
      <Table.Td>
        <Group gap={4} justify="flex-end" wrap="nowrap">
          <FileMenu file={file} />
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

export function datasetsOf(file: CaudalFile): string[] {
  return [...new Set(file.loads?.map(({ dataset }) => dataset) ?? (file.dataset ? [file.dataset] : []))];
}

const MOST_DATASETS = 6;

/** Name, where its rows went, and what a person should know about it. */
function What({ file }: { file: CaudalFile }) {
  const { t } = useTranslation();
  const datasets = file.state === 'loaded' ? datasetsOf(file) : [];
  const notes = new Set(file.loads?.flatMap(({ note }) => (note ? [note] : [])));
  return (
    <>
      <Text size="sm" fw={500} className="wrap">
        {file.filename}
      </Text>
      <Group gap="sm" className="tight">
        {datasets.slice(0, MOST_DATASETS).map((name) => (
          <PageLink key={name} to="/data/$name" params={{ name }} size="sm" className="wrap">
            {name}
          </PageLink>
        ))}
        {datasets.length > MOST_DATASETS && (
          <Text size="sm" c="dimmed">
            {t('files.others', { count: datasets.length - MOST_DATASETS })}
          </Text>
        )}
      </Group>
      <Text size="xs" c="dimmed" hiddenFrom="md" mt={2}>
        {file.rows === undefined
          ? ''
          : `${t('data.rowCount', { count: file.rows, formatted: formatNumber(file.rows) })} · `}
        {formatBytes(file.size)} · <Time at={file.created_at} />
      </Text>
      {file.error && (
        <Box c="red" mt={2} className="failure">
          <Words {...file.error} />
        </Box>
      )}
      {[...notes].map((note) => (
        <Text key={note} size="xs" c="dimmed" lang="en" className="wrap">
          {note}
        </Text>
      ))}
    </>
  );
}

function State({ file }: { file: CaudalFile }) {
  const { t } = useTranslation();
  const quarantined = file.quarantined ?? 0;
  const [dataset] = file.loads?.filter((load) => load.quarantined > 0).map((load) => load.dataset) ?? [file.dataset];
  return (
    <>
      <Badge color={COLOURS[file.state]} variant="light" tt="none" className="state">
        {t(`files.states.${file.state}`)}
      </Badge>
      {file.state === 'loading' && (
        <Progress value={file.progress ?? 0} mt={6} maw={110} aria-label={t('files.loadOf', { name: file.filename })} />
      )}
      {quarantined > 0 && dataset && (
        <PageLink
          to="/data/$name"
          params={{ name: dataset }}
          search={{ tab: 'quarantine' }}
          size="xs"
          display="block"
          mt={4}
        >
          {t('files.quarantined', { count: quarantined, formatted: formatNumber(quarantined) })}
        </PageLink>
      )}
    </>
  );
}
