import { Anchor, Box, Drawer, Group, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Source } from '../../../../src/contract/datasets.ts';
import { datasetPath, get, type Page } from '../../api.ts';
import { formatNumber, formatValue } from '../format.ts';
import { PageLink } from '../frame/link.tsx';
import { Time } from '../time.tsx';
import type { GridColumn } from './columns.ts';

interface RowDrawerProps {
  name: string;
  columns: readonly GridColumn[];
  row: Record<string, unknown> | undefined;
  number: number;
  onClose(): void;
}

/** One row in full, and the way back: row → source → trace → line of the file. */
export function RowDrawer({ name, columns, row, number, onClose }: RowDrawerProps) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={row !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title={t('rows.row', { number: formatNumber(number) })}
      closeButtonProps={{ 'aria-label': t('frame.close') }}
    >
      {row && <Origin name={name} row={row} />}
      <dl className="values">
        {columns.map((column) => (
          <div key={column.name}>
            <dt>
              {column.name} <span className="type">{column.type}</span>
            </dt>
            <dd>
              <Value type={column.type} value={row?.[column.name]} />
            </dd>
          </div>
        ))}
      </dl>
    </Drawer>
  );
}

function Value({ type, value }: { type: string; value: unknown }) {
  if (value === null) return <span className="null">null</span>;
  if (type !== 'file') return formatValue(value);
  return (
    <Anchor href={`/files/${encodeURIComponent(String(value))}/content`} target="_blank" rel="noopener">
      {formatValue(value)}
    </Anchor>
  );
}

function Origin({ name, row }: { name: string; row: Record<string, unknown> }) {
  const { t } = useTranslation();
  const id = String(row['_source']);
  const found = useQuery({
    queryKey: ['sources', name, id],
    queryFn: ({ signal }) => get<Page<Source>>(`${datasetPath(name)}/sources?id=${encodeURIComponent(id)}`, signal),
  });
  const source = found.data?.items[0];
  return (
    <Box className="origin" mb="md">
      <Title order={3} size="h6">
        {t('rows.origin')}
      </Title>
      <Text size="sm" className="wrap">
        {source?.filename ?? source?.kind ?? id}
        {source?.table ? ` · ${source.table}` : ''} · {t('rows.line', { line: formatNumber(Number(row['_line'])) })}
      </Text>
      <Group gap="md">
        {source && (
          <Text size="sm" c="dimmed">
            <Time at={source.loaded_at} />
          </Text>
        )}
        {source?.trace_id && (
          <PageLink
            to="/trace/$id"
            params={{ id: source.trace_id }}
            search={source.span_id ? { span: source.span_id } : {}}
            size="sm"
          >
            {t('trace.show')}
          </PageLink>
        )}
      </Group>
    </Box>
  );
}
