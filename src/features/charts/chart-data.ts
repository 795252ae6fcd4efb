import { duckdbType, quoteIdentifier } from '#contract/columns.ts';
import { invalid } from '#kernel/errors.ts';
import { conditionSql, whereSql } from '#platform/lake/conditions.ts';
import type { Engine } from '#platform/lake/engine.ts';
import { groupsSql, keyedSql } from '#platform/lake/groups.ts';
import { openSegments } from '#platform/lake/local.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { ROW_COLUMN, relationSql, SEGMENT_COLUMN } from '#platform/lake/view.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { type Aggregate, type ChartRequest, isTime } from './chart-request.ts';

export interface Point {
  /** Null: nothing is written there. Dates as ISO 8601; of a histogram the lower bound. */
  x: string | number | boolean | null;
  y: number | null;
  rows: number;
}

export interface ChartData {
  points: Point[];
  /** The groups that are not shown, as one. */
  rest: { groups: number; y: number | null; rows: number } | null;
  groups: number;
  rows: number;
  /** Of dates: day, month, year; of a histogram: the width of a bin. */
  step?: string | number;
}

export interface ChartDataDeps {
  engine: Pick<Engine, 'query'>;
  objects: Pick<ObjectStore, 'local'>;
}

export const MOST_POINTS = 1000;

interface Source {
  sql: string;
  parameters: string[];
  ask(sql: string): Promise<Record<string, unknown>[]>;
}

/** What the chart shows. @throws invalid_input, sql_timeout, sql_too_greedy */
export async function readChartData(
  { engine, objects }: ChartDataDeps,
  snapshot: DatasetSnapshot,
  request: ChartRequest,
  signal: AbortSignal,
): Promise<ChartData> {
  const filters = request.conditions.map(conditionSql);
  const parameters = filters.flatMap((filter) => filter.parameters);
  const files = await openSegments(
    objects,
    snapshot.segments.filter(({ rows }) => rows > 0),
  );
  try {
    const names = [...new Set([request.x.name, ...(request.y ? [request.y.name] : [])])].map(quoteIdentifier);
    const relation = relationSql(snapshot, files.pathOf, { position: true, system: request.x.name.startsWith('_') });
    const sql = `SELECT ${[...names, SEGMENT_COLUMN, ROW_COLUMN].join(', ')} FROM (${relation})${whereSql(filters)}`;
    const ask = async (query: string) => (await engine.query(query, parameters, { signal })).getRowObjectsJS();
    return await (request.kind === 'histogram' ? histogram : grouped)({ sql, parameters, ask }, request);
  } catch (error) {
    // What looks right in a filter and is not (2024-02-30) is found out by its cast.
    const [first = ''] = (error as Error).message.split('\n');
    throw /^Conversion Error/.test(first) ? invalid('where', first.replace('Conversion Error: ', '')) : error;
  } finally {
    await files.release();
  }
}

const VALUE: Record<Aggregate, string> = {
  count: 'CAST(n AS DOUBLE)',
  sum: 'CAST(s0 AS DOUBLE)',
  avg: 'CAST(s0 AS DOUBLE) / nullif(c0, 0)',
  min: 'CAST(lo0 AS DOUBLE)',
  max: 'CAST(hi0 AS DOUBLE)',
};

/** The greatest groups by what is shown, and what is left of the others; all in one query. */
async function grouped(source: Source, request: ChartRequest): Promise<ChartData> {
  const { x, y, aggregate, normalize } = request;
  const step = isTime(x) ? await stepOf(source, request) : undefined;
  const name = quoteIdentifier(x.name);
  const from = step
    ? `SELECT * REPLACE (CAST(date_trunc('${step}', ${name}) AS ${duckdbType(x.type)}) AS ${name}) FROM (${source.sql})`
    : source.sql;
  const grouping = { by: [x], measures: y ? [y] : [], normalize };
  const top = Math.min(request.top ?? MOST_POINTS, MOST_POINTS);
  const rows = await source.ask(`
    WITH keyed AS (${keyedSql(from, grouping)}),
    ranked AS (
      SELECT *, row_number() OVER (ORDER BY ${VALUE[aggregate]} DESC NULLS LAST, first) AS rank
      FROM (${groupsSql('keyed', grouping)})),
    folded AS (
      SELECT CASE WHEN rank <= ${top} THEN rank END AS rank, any_value(g0) AS g0, any_value(k0) AS k0, sum(n) AS n, count(*) AS groups
        ${y ? ', sum(s0) AS s0, sum(c0) AS c0, min(lo0) AS lo0, max(hi0) AS hi0' : ''}
      FROM ranked GROUP BY ALL)
    SELECT rank IS NULL AS rest, CAST(${shownSql(x.type)} AS ${isOrderedNumber(x.type) ? 'DOUBLE' : 'VARCHAR'}) AS x,
      ${VALUE[aggregate]} AS y, CAST(n AS DOUBLE) AS rows, CAST(groups AS DOUBLE) AS groups
    FROM folded ORDER BY ${inOrder(request) ? 'rest, k0 NULLS LAST' : 'rank NULLS LAST'}`);
  const rest = rows.find((row) => row['rest'] === true);
  const points = rows.filter((row) => row['rest'] !== true).map((row) => pointOf(row, x.type));
  return {
    points,
    rest: rest ? { groups: Number(rest['groups']), y: rounded(rest['y']), rows: Number(rest['rows']) } : null,
    groups: rows.reduce((sum, row) => sum + Number(row['groups']), 0),
    rows: rows.reduce((sum, row) => sum + Number(row['rows']), 0),
    ...(step ? { step } : {}),
  };
}

/** Dates and numbers go from left to right; what has only names goes from large to small. */
function inOrder({ x, kind }: ChartRequest): boolean {
  return kind !== 'pie' && (isTime(x) || isOrderedNumber(x.type));
}

const isOrderedNumber = (type: string): boolean => /^(integer|number|decimal)/.test(type);

function shownSql(type: string): string {
  return type === 'timestamp' ? `replace(CAST(g0 AS VARCHAR), ' ', 'T') || 'Z'` : 'g0';
}

function pointOf(row: Record<string, unknown>, type: string): Point {
  const x = row['x'] as string | number | null;
  return { x: type === 'boolean' && x !== null ? x === 'true' : x, y: rounded(row['y']), rows: Number(row['rows']) };
}

/** Threads add up in any order: the last bits of a double differ from replica to replica, its fifteen digits do not. */
function rounded(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(Number(value).toPrecision(15));
}

const DAY_MS = 86_400_000;
/** The finest step that makes no more than some hundred points. */
const STEPS: [step: string, most_days: number][] = [
  ['hour', 3],
  ['day', 120],
  ['week', 730],
  ['month', 3650],
];

async function stepOf({ ask, sql }: Source, { x }: ChartRequest): Promise<string> {
  const value = `epoch_ms(CAST(${quoteIdentifier(x.name)} AS TIMESTAMP))`;
  const finite = `isfinite(${quoteIdentifier(x.name)})`;
  const [row] = await ask(`SELECT CAST(max(${value}) - min(${value}) AS DOUBLE) AS span FROM (${sql}) WHERE ${finite}`);
  const days = Number(row?.['span'] ?? 0) / DAY_MS;
  const steps = x.type === 'date' ? STEPS.slice(1) : STEPS;
  return steps.find(([, most]) => days <= most)?.[0] ?? 'year';
}

async function histogram({ ask, sql }: Source, { x, y, aggregate, bins }: ChartRequest): Promise<ChartData> {
  const value = `CAST(${quoteIdentifier(x.name)} AS DOUBLE)`;
  const from = `(SELECT *, ${value} AS v FROM (${sql}) WHERE isfinite(${value}))`;
  const [range] = await ask(`SELECT min(v) AS lo, max(v) AS hi FROM ${from}`);
  if (range?.['lo'] === null || range?.['lo'] === undefined) return { points: [], rest: null, groups: 0, rows: 0 };
  const { low, step, count } = nice(Number(range['lo']), Number(range['hi']), bins);
  const measure = y
    ? `, fsum(CAST(${quoteIdentifier(y.name)} AS DOUBLE)) AS s0, count(${quoteIdentifier(y.name)}) AS c0, min(${quoteIdentifier(y.name)}) AS lo0, max(${quoteIdentifier(y.name)}) AS hi0`
    : '';
  const rows = await ask(`
    SELECT bin, ${VALUE[aggregate]} AS y, CAST(n AS DOUBLE) AS rows FROM (
      SELECT CAST(least(greatest(floor((v - ${low}) / ${step}), 0), ${count - 1}) AS INTEGER) AS bin, count(*) AS n${measure}
      FROM ${from} GROUP BY bin)`);
  const found = new Map(rows.map((row) => [Number(row['bin']), row]));
  const points = Array.from({ length: count }, (_, bin): Point => {
    const row = found.get(bin);
    const empty = aggregate === 'count' || aggregate === 'sum' ? 0 : null;
    const lower = Number((low + bin * step).toPrecision(12));
    return { x: lower, y: row ? rounded(row['y']) : empty, rows: Number(row?.['rows'] ?? 0) };
  });
  return { points, rest: null, groups: count, rows: points.reduce((sum, point) => sum + point.rows, 0), step };
}

/** Bins whose bounds a person would choose: 1, 2, 2.5 or 5 times a power of ten. */
export function nice(lo: number, hi: number, bins: number): { low: number; step: number; count: number } {
  if (hi === lo) return { low: lo, step: 1, count: 1 };
  const rough = (hi - lo) / bins;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const low = Math.floor(lo / step) * step;
  return { low, step, count: Math.max(1, Math.floor((hi - low) / step + 1e-9) + 1) };
}
