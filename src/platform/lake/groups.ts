import { quoteIdentifier } from '#contract/columns.ts';
import { keysSql } from './grouping.ts';
import { ROW_COLUMN, SEGMENT_COLUMN } from './view.ts';

export interface TypedName {
  name: string;
  type: string;
}

export interface Grouping {
  by: readonly TypedName[];
  /** Numeric columns whose sum, count, least and greatest value are wanted per group. */
  measures: readonly TypedName[];
  /** Texts that differ by accents, case and blanks only are one group. */
  normalize: boolean;
}

const NUMERIC = /^(integer|number|decimal)/;

export function isNumeric({ type }: TypedName): boolean {
  return NUMERIC.test(type);
}

const LARGEST = Number.MAX_SAFE_INTEGER;
const EXACT_DIGITS = 15;

/**
 * One row for each combination of the grouping columns' values as they are written in `from` (a relation with
 * position columns): the values `g0…`, the keys `k0…` that make the group, the texts `l0…` that are shown for it
 * (the most frequent spelling; of equally frequent ones the first that came), `n` rows, `first` as the position of the
 * first, and for each measure `s0` (sum), `c0` (count), `lo0`, `hi0` and `x0` (values that no double holds).
 *
 * Values are counted first and normalised then: there are few spellings and many rows.
 */
export function keyedSql(from: string, { by, measures, normalize }: Grouping): string {
  const texts = by.map(({ type }) => normalize && type === 'text');
  const values = by.map(({ name }, index) => `${quoteIdentifier(name)} AS g${index}`);
  // A row's number is below 2^40; adding it would be watched for overflow, 2 ns a row.
  const place = `min((${SEGMENT_COLUMN} << 40) | ${ROW_COLUMN}) AS first`;
  const ctes = [
    `spelled AS (SELECT ${[...values, 'count(*) AS n', place, ...measures.flatMap(measureSql)].join(', ')} FROM (${from}) GROUP BY ALL)`,
    ...texts.flatMap((text, index) => (text ? spellingCtes(index) : [])),
  ];
  const keys = texts.map((text, index) => (text ? `keys${index}.key AS k${index}` : `g${index} AS k${index}`));
  const labels = texts.map((text, index) => (text ? `labels${index}.label AS l${index}` : `g${index} AS l${index}`));
  const joins = texts.map((text, index) =>
    text
      ? ` LEFT JOIN keys${index} ON keys${index}.text = g${index} LEFT JOIN labels${index} ON labels${index}.key = keys${index}.key`
      : '',
  );
  return `WITH ${ctes.join(',\n')} SELECT ${[...keys, ...labels, 'spelled.*'].join(', ')} FROM spelled${joins.join('')}`;
}

function measureSql(column: TypedName, index: number): string[] {
  const name = quoteIdentifier(column.name);
  const value = column.type === 'number' ? `CASE WHEN isfinite(${name}) THEN ${name} END` : name;
  // Kahan's sum: what threads add up in another order ends alike.
  const sum = column.type === 'number' ? 'fsum' : 'sum';
  return [
    `${sum}(${value}) AS s${index}`,
    `count(${value}) AS c${index}`,
    `min(${value}) AS lo${index}`,
    `max(${value}) AS hi${index}`,
    `count(*) FILTER (${inexactSql(column)}) AS x${index}`,
  ];
}

/** True of the values that a double, and so a cell of a workbook, would round. */
export function inexactSql({ name, type }: TypedName): string {
  const value = quoteIdentifier(name);
  if (type === 'integer') return `${value} NOT BETWEEN -${LARGEST} AND ${LARGEST}`;
  const [precision = 0, scale = 0] = type.match(/\d+/g)?.map(Number) ?? [];
  return precision > EXACT_DIGITS ? `abs(CAST(${value} AS DOUBLE)) >= 1e${EXACT_DIGITS - scale}` : 'false';
}

function spellingCtes(index: number): string[] {
  return [
    `keys${index} AS (${keysSql('spelled', `g${index}`)})`,
    `labels${index} AS (
      SELECT key, first(shown ORDER BY n DESC, first) AS label
      FROM (SELECT key, shown, sum(n) AS n, min(first) AS first FROM spelled JOIN keys${index} ON text = g${index} GROUP BY key, shown)
      GROUP BY key)`,
  ];
}

/** The groups of a relation that `keyedSql` made: `g0…` as shown, their keys, `n`, `first` and the measures. */
export function groupsSql(keyed: string, { by, measures }: Grouping): string {
  const keys = by.map((_, index) => `k${index}`);
  const shown = by.map((_, index) => `any_value(l${index}) AS g${index}`);
  const sums = measures.flatMap(({ type }, index) => [
    `${type === 'number' ? 'fsum' : 'sum'}(s${index}) AS s${index}`,
    `sum(c${index})::BIGINT AS c${index}`,
    `min(lo${index}) AS lo${index}`,
    `max(hi${index}) AS hi${index}`,
    `sum(x${index})::BIGINT AS x${index}`,
  ]);
  const select = [...keys, ...shown, 'sum(n)::BIGINT AS n', 'min(first) AS first', ...sums].join(', ');
  return `SELECT ${select} FROM ${keyed}${keys.length > 0 ? ` GROUP BY ${keys.join(', ')}` : ''}`;
}
