import { Badge, Box, Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Source } from '../../../../src/contract/datasets.ts';
import { datasetPath } from '../../api.ts';
import { formatNumber, formatValue } from '../format.ts';
import { PageLink } from '../frame/link.tsx';
import { PagedList, usePages } from '../frame/pages.tsx';
import { Time } from '../time.tsx';
import { Accounting } from './accounting.tsx';

/** What brought rows in, newest first, each with its account, its trace and what was read from the file itself. */
export function Sources({ name }: { name: string }) {
  const { t } = useTranslation();
  const { query, items } = usePages<Source>(['sources', name], `${datasetPath(name)}/sources?limit=50`);
  return (
    <PagedList query={query} count={items.length} empty={t('sources.empty')}>
      <Stack>
        {items.map((source) => (
          <SourceCard key={source.id} source={source} />
        ))}
      </Stack>
    </PagedList>
  );
}

function SourceCard({ source }: { source: Source }) {
  const { t } = useTranslation();
  const { filename, kind, table, trace_id, span_id, accounting, loaded_at, version, ended_version, sniffed } = source;
  return (
    <Box component="article" className="surface" p="md" data-source={source.id}>
      <Group justify="space-between" mb="xs" align="flex-start">
        <Box miw={0}>
          <Text fw={600} className="wrap">
            {filename ?? t(`sources.kinds.${kind}`)}
            {table ? ` · ${table}` : ''}
          </Text>
          <Text size="sm" c="dimmed">
            <Time at={loaded_at} /> · {t('data.version')} {formatNumber(version)}
          </Text>
        </Box>
        <Group gap="md">
          {kind === 'replay' && <Badge variant="default">{t('sources.kinds.replay')}</Badge>}
          {ended_version !== null && <Badge variant="default">{t('sources.replaced')}</Badge>}
          {trace_id && (
            <PageLink to="/trace/$id" params={{ id: trace_id }} search={span_id ? { span: span_id } : {}} size="sm">
              {t('trace.show')}
            </PageLink>
          )}
        </Group>
      </Group>
      <Accounting accounting={accounting} />
      <Details summary={t('sources.read')} entries={Object.entries(sniffed)} />
      <Details
        summary={t('sources.skipped', { count: accounting.skipped.length })}
        entries={accounting.skipped.map(({ line, why }) => [t('rows.line', { line: formatNumber(line) }), why])}
      />
    </Box>
  );
}

function Details({ summary, entries }: { summary: string; entries: readonly (readonly [string, unknown])[] }) {
  const shown = entries.filter(([, value]) => value !== undefined && value !== null);
  if (shown.length === 0) return null;
  return (
    <details className="details">
      <summary>{summary}</summary>
      <dl className="facts">
        {shown.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value === '\t' ? '\\t' : value === '\n' ? '\\n' : value === '\r\n' ? '\\r\\n' : formatValue(value)}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
