import { Alert, Box, Button, Group, Kbd, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type KeyboardEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call, download, Refusal, type SqlAnswer } from '../api.ts';
import { formatDuration, formatNumber } from '../parts/format.ts';
import { Icon } from '../parts/frame/icons.tsx';
import { Page } from '../parts/frame/page.tsx';
import { Problem, Words } from '../parts/frame/problem.tsx';
import { Grid } from '../parts/grid/grid.tsx';
import { Relations } from '../parts/sql/relations.tsx';
import { quoted, type SqlPlace, sqlPlace } from '../parts/sql/text.ts';

const route = getRouteApi('/sql');
const KEPT = 'caudal.sql';
/** More is for exports. */
const MOST_ROWS = 10_000;

interface Answered extends SqlAnswer {
  ns: number;
}

/** Read-only SQL over one's datasets: write, run, look, export. */
export function SqlPage() {
  const { t } = useTranslation();
  const { dataset } = route.useSearch();
  const [query, setQuery] = useState(() => (dataset ? example(dataset) : (localStorage.getItem(KEPT) ?? '')));
  const editor = useRef<HTMLTextAreaElement>(null);
  const run = useMutation({
    mutationFn: async (text: string): Promise<Answered> => {
      localStorage.setItem(KEPT, text);
      const begun = performance.now();
      const answer = await call<SqlAnswer>('POST', '/sql', { query: text, limit: MOST_ROWS });
      return { ...answer, ns: (performance.now() - begun) * 1e6 };
    },
    onError: (error) => place(error, query, editor.current),
  });
  const start = (): void => {
    if (query.trim() !== '' && !run.isPending) run.mutate(query);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    start();
  };
  const insert = (text: string): void => {
    const field = editor.current;
    if (!field) return;
    field.focus();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, 'end');
    setQuery(field.value);
  };
  return (
    <Page title="SQL" wide>
      <div className="sql">
        <Relations onInsert={insert} />
        <Box miw={0}>
          <Textarea
            ref={editor}
            label={t('sql.query')}
            description={t('sql.hint')}
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
            onKeyDown={onKeyDown}
            autosize
            minRows={6}
            maxRows={18}
            spellCheck={false}
            autoCapitalize="off"
            classNames={{ input: 'mono' }}
          />
          <Group mt="xs" justify="space-between">
            <Group gap="sm">
              <Button leftSection={<Icon name="run" />} loading={run.isPending} onClick={start}>
                {t('sql.run')}
              </Button>
              <Text size="xs" c="dimmed" visibleFrom="sm">
                <Kbd>Ctrl</Kbd> + <Kbd>Enter</Kbd>
              </Text>
            </Group>
            {run.data && <Export query={run.variables} />}
          </Group>
          <div aria-live="polite">
            {run.isError && <Failure error={run.error} query={run.variables} />}
            {run.data && <Result answer={run.data} />}
          </div>
        </Box>
      </div>
    </Page>
  );
}

function example(dataset: string): string {
  return `SELECT *\nFROM ${quoted(dataset)}\nLIMIT 100`;
}

/** The cursor goes to where the query is wrong. */
function place(error: unknown, query: string, field: HTMLTextAreaElement | null): void {
  if (!(error instanceof Refusal) || error.position === undefined || !field) return;
  const { start, end } = sqlPlace(query, error.position);
  field.focus();
  field.setSelectionRange(start, end);
}

function Failure({ error, query }: { error: unknown; query: string }) {
  const { t } = useTranslation();
  if (!(error instanceof Refusal) || error.position === undefined) return <Problem error={error} />;
  const at: SqlPlace = sqlPlace(query, error.position);
  return (
    <Alert color="red" variant="outline" my="sm" role="alert">
      <Words code={error.code} message={error.message} hint={error.hint} />
      <Text size="sm" mt={4}>
        {t('sql.at', { line: formatNumber(at.line), column: formatNumber(at.column) })}
      </Text>
      <pre className="sql-excerpt">
        {at.text}
        {'\n'}
        {' '.repeat(at.column - 1)}^
      </pre>
    </Alert>
  );
}

function Result({ answer }: { answer: Answered }) {
  const { t } = useTranslation();
  const { rows, columns, truncated, ns } = answer;
  return (
    <Box mt="md">
      <Text size="sm" c="dimmed" mb={6} className="tabular" role="status">
        {t('data.rowCount', { count: rows.length, formatted: formatNumber(rows.length) })} · {formatDuration(ns)}
        {truncated ? ` · ${t('sql.truncated')}` : ''}
      </Text>
      {rows.length > 0 && (
        <Grid label={t('sql.result')} columns={columns} count={rows.length} rowAt={(index) => rows[index]} />
      )}
    </Box>
  );
}

const EXPORTS = [
  ['csv', 'text/csv'],
  ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
] as const;

/** The whole answer, also where the page shows its first rows only. */
function Export({ query }: { query: string }) {
  const { t } = useTranslation();
  const save = useMutation({
    mutationFn: async ([format, type]: (typeof EXPORTS)[number]) => {
      const url = URL.createObjectURL(await download(`/sql.${format}`, { query }, type));
      const link = document.createElement('a');
      link.href = url;
      link.download = `result.${format}`;
      link.click();
      URL.revokeObjectURL(url);
    },
  });
  return (
    <Group gap={6}>
      {save.isError && <Problem error={save.error} />}
      {EXPORTS.map((each) => (
        <Button
          key={each[0]}
          variant="default"
          size="xs"
          loading={save.isPending && save.variables[0] === each[0]}
          onClick={() => save.mutate(each)}
          aria-label={`${t('data.export')} ${each[0].toUpperCase()}`}
        >
          {each[0].toUpperCase()}
        </Button>
      ))}
    </Group>
  );
}
