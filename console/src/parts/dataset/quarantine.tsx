import { Box, Button, Checkbox, Code, Group, SegmentedControl, Stack, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { QuarantineItem } from '../../../../src/contract/datasets.ts';
import { datasetPath } from '../../api.ts';
import { formatNumber } from '../format.ts';
import { PageLink } from '../frame/link.tsx';
import { PagedList, usePages } from '../frame/pages.tsx';
import { ReplayDialog } from './replay-dialog.tsx';
import type { ProfiledDataset } from './schema.tsx';

type State = 'open' | 'replayed';

/** What did not fit, as it was in the file; chosen records, or all, are tried again with a fix. */
export function Quarantine({ dataset }: { dataset: ProfiledDataset }) {
  const { t } = useTranslation();
  const { name, quarantined } = dataset;
  const [state, setState] = useState<State>('open');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [replaying, setReplaying] = useState(false);
  const path = `${datasetPath(name)}/quarantine?limit=100&state=${state}`;
  const { query, items } = usePages<QuarantineItem>(['quarantine', name, state, quarantined], path);
  const ids = items.flatMap(({ id }) => (chosen.has(id) ? [id] : []));
  return (
    <Stack>
      <Group justify="space-between">
        <SegmentedControl
          value={state}
          aria-label={t('quarantine.show')}
          onChange={(next) => setState(next as State)}
          data={[
            { value: 'open', label: t('quarantine.open') },
            { value: 'replayed', label: t('quarantine.replayed') },
          ]}
        />
        {state === 'open' && items.length > 0 && (
          <Button onClick={() => setReplaying(true)}>
            {ids.length > 0
              ? t('quarantine.replayChosen', { count: ids.length })
              : t('quarantine.replayAll', { count: quarantined, formatted: formatNumber(quarantined) })}
          </Button>
        )}
      </Group>
      <PagedList
        query={query}
        count={items.length}
        empty={t(state === 'open' ? 'quarantine.empty' : 'quarantine.noneReplayed')}
      >
        <Records items={items} state={state} chosen={chosen} onChoose={setChosen} />
      </PagedList>
      <ReplayDialog
        dataset={dataset}
        ids={ids.length > 0 ? ids : null}
        example={items.find(({ id }) => ids.length === 0 || chosen.has(id))}
        opened={replaying}
        onClose={() => setReplaying(false)}
        onDone={() => setChosen(new Set())}
      />
    </Stack>
  );
}

interface RecordsProps {
  items: QuarantineItem[];
  state: State;
  chosen: ReadonlySet<string>;
  onChoose(chosen: ReadonlySet<string>): void;
}

function Records({ items, state, chosen, onChoose }: RecordsProps) {
  const { t } = useTranslation();
  const all = items.every(({ id }) => chosen.has(id));
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  return (
    <Box className="surface">
      <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              {state === 'open' && (
                <Table.Td w={40}>
                  <Checkbox
                    aria-label={t('quarantine.chooseAll')}
                    checked={all}
                    indeterminate={!all && items.some(({ id }) => chosen.has(id))}
                    onChange={() => onChoose(all ? new Set() : new Set(items.map(({ id }) => id)))}
                  />
                </Table.Td>
              )}
              <Table.Th className="number">{t('quarantine.line')}</Table.Th>
              <Table.Th>{t('schema.column')}</Table.Th>
              <Table.Th>{t('quarantine.reason')}</Table.Th>
              <Table.Th>{t('quarantine.raw')}</Table.Th>
              <Table.Th>{t('trace.title')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => (
              <Table.Tr key={item.id} data-line={item.line}>
                {state === 'open' && (
                  <Table.Td>
                    <Checkbox
                      aria-label={t('quarantine.choose', { line: formatNumber(item.line) })}
                      checked={chosen.has(item.id)}
                      onChange={() => toggle(item.id)}
                    />
                  </Table.Td>
                )}
                <Table.Td className="number">{formatNumber(item.line)}</Table.Td>
                <Table.Td className="wrap">{item.column ?? '–'}</Table.Td>
                <Table.Td className="wrap" lang="en">
                  {item.reason}
                  {item.value !== null && (
                    <Text size="xs" c="dimmed" className="wrap">
                      {item.value.slice(0, 200)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <Raw text={item.raw} />
                </Table.Td>
                <Table.Td>
                  {item.trace_id && (
                    <PageLink to="/trace/$id" params={{ id: item.trace_id }} size="sm">
                      {t('trace.show')}
                    </PageLink>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Box>
  );
}

const GLANCE = 120;

function Raw({ text }: { text: string }) {
  if (text.length <= GLANCE) return <Code className="raw">{text}</Code>;
  return (
    <details>
      <summary>
        <Code className="raw">{text.slice(0, GLANCE)}…</Code>
      </summary>
      <Code block className="raw">
        {text}
      </Code>
    </details>
  );
}
