import { invalid } from '#kernel/errors.ts';
import { isNumeric, type TypedName } from '#platform/lake/groups.ts';
import { columnNames, type RowsQuestion, readQuestion } from '#platform/lake/question.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';

export const KINDS = ['bar', 'line', 'pie', 'histogram'] as const;
export type ChartKind = (typeof KINDS)[number];
export const THEMES = ['light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
export const AGGREGATES = ['count', 'sum', 'avg', 'min', 'max'] as const;
export type Aggregate = (typeof AGGREGATES)[number];

export type ChartQuery = Readonly<Record<string, unknown>>;

export interface ChartRequest {
  conditions: RowsQuestion['conditions'];
  x: TypedName;
  aggregate: Aggregate;
  /** What is added up; absent for a count of rows. */
  y: TypedName | undefined;
  kind: ChartKind;
  /** Groups shown; what is left is one more. */
  top: number | undefined;
  bins: number;
  normalize: boolean;
  locale: string;
  theme: Theme;
  title: string | undefined;
}

const KNOWN = ['x', 'y', 'kind', 'top', 'bins', 'locale', 'theme', 'title', 'normalize', 'version'];
const HINT = `A chart takes ${KNOWN.join(', ')} and where[column]=value.`;

/** @throws column_not_found, invalid_input */
export function readChart(query: ChartQuery, snapshot: DatasetSnapshot): ChartRequest {
  const unknown = Object.keys(query).find((name) => !KNOWN.includes(name) && !name.startsWith('where'));
  if (unknown !== undefined) {
    throw invalid(unknown.slice(0, 200), `There is no parameter "${unknown.slice(0, 100)}".`, 'unknown', HINT);
  }
  const [x] = query['x'] === undefined ? [] : columnNames([query['x']], 'x', snapshot);
  if (!x) throw invalid('x', 'Which column is the chart about? Such as x=city.', 'required');
  const { aggregate, y } = readY(query['y'], snapshot);
  const kind = (query['kind'] ?? (isTime(x) ? 'line' : 'bar')) as ChartKind;
  if (kind === 'histogram' && !isNumeric(x)) {
    throw invalid('kind', `A histogram is of numbers; column "${x.name}" holds ${x.type}.`);
  }
  return {
    ...{ x, aggregate, y, kind },
    conditions: readQuestion(withoutOthers(query), snapshot).conditions,
    top: query['top'] as number | undefined,
    bins: (query['bins'] ?? 20) as number,
    normalize: query['normalize'] !== false,
    locale: readLocale(query['locale']),
    theme: (query['theme'] ?? 'light') as Theme,
    title: query['title'] as string | undefined,
  };
}

export function isTime({ type }: TypedName): boolean {
  return type === 'date' || type === 'timestamp';
}

function withoutOthers(query: ChartQuery): ChartQuery {
  return Object.fromEntries(Object.entries(query).filter(([name]) => name.startsWith('where')));
}

const Y = /^(count|sum|avg|min|max)(?:\((.*)\))?$/s;

function readY(value: unknown, snapshot: DatasetSnapshot): Pick<ChartRequest, 'aggregate' | 'y'> {
  const written = String(value ?? 'count').trim();
  const [, aggregate, name] = Y.exec(written) ?? [];
  if (aggregate === undefined || (aggregate === 'count') !== (name === undefined)) {
    const hint = 'Such as count, sum(amount), avg(amount), min(amount) or max(amount).';
    throw invalid('y', `"${written.slice(0, 100)}" is nothing that a chart can show.`, 'invalid', hint);
  }
  if (name === undefined) return { aggregate: 'count', y: undefined };
  const [y] = columnNames([name], 'y', snapshot);
  if (!y || !isNumeric(y)) {
    throw invalid(
      'y',
      `Column "${name.slice(0, 100)}" holds ${y?.type ?? 'nothing'}: only numbers have a ${aggregate}.`,
    );
  }
  return { aggregate: aggregate as Aggregate, y };
}

function readLocale(value: unknown): string {
  if (value === undefined) return 'en';
  try {
    return Intl.getCanonicalLocales(String(value))[0] ?? 'en';
  } catch {
    throw invalid(
      'locale',
      `"${String(value).slice(0, 50)}" is no language tag.`,
      'invalid',
      'Such as en, es or es-CO.',
    );
  }
}
