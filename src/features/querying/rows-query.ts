import { duckdbType, quoteIdentifier } from '#contract/columns.ts';
import { conditionSql, type Fragment, whereSql } from '#platform/lake/conditions.ts';
import type { OrderBy, RowsQuestion } from '#platform/lake/question.ts';
import type { DatasetSnapshot, SegmentRef } from '#platform/lake/snapshot.ts';
import { type Position, ROW_COLUMN, relation, SEGMENT_COLUMN } from '#platform/lake/view.ts';
import type { Cursor } from './cursor.ts';

export interface RowsSql {
  sql: string;
  parameters: string[];
}

type PathOf = (segment: SegmentRef) => string;

/** One page and one row more, which says whether there is another page. Position and order keys follow the columns. */
export function pageSql(
  snapshot: DatasetSnapshot,
  pathOf: PathOf,
  question: RowsQuestion,
  page: { limit: number; after: Cursor | undefined },
): RowsSql {
  const byPosition = question.order.length === 0;
  const { sql: from, ordered } = relation(snapshot, pathOf, {
    system: question.system,
    position: true,
    ...(byPosition && page.after ? { after: page.after.position } : {}),
  });
  const filters = question.conditions.map(conditionSql);
  if (!byPosition && page.after) filters.push(afterSql(question.order, page.after));
  const keys = question.order.map(({ column }) => `CAST(${quoteIdentifier(column)} AS VARCHAR)`);
  const columns = question.columns.map(({ name }) => quoteIdentifier(name));
  const sort = byPosition && ordered ? '' : ` ORDER BY ${orderSql(question.order)}`;
  return {
    sql: `SELECT ${[...columns, SEGMENT_COLUMN, ROW_COLUMN, ...keys].join(', ')} FROM (${from})${whereSql(filters)}${sort} LIMIT ${page.limit + 1}`,
    parameters: filters.flatMap(({ parameters }) => parameters),
  };
}

/** All rows that match, in order, without position columns. */
export function exportSql(snapshot: DatasetSnapshot, pathOf: PathOf, question: RowsQuestion): RowsSql {
  const { ordered } = relation(snapshot, pathOf, { position: true });
  const sorted = question.order.length > 0 || !ordered;
  const { sql: from } = relation(snapshot, pathOf, { system: question.system, position: sorted });
  const filters = question.conditions.map(conditionSql);
  const columns = question.columns.map(({ name }) => quoteIdentifier(name));
  const shown = columns.length === 0 ? 'NULL AS "empty"' : columns.join(', ');
  const sort = sorted ? ` ORDER BY ${orderSql(question.order)}` : '';
  return {
    sql: `SELECT ${shown} FROM (${from})${whereSql(filters)}${sort}`,
    parameters: filters.flatMap(({ parameters }) => parameters),
  };
}

export function countSql(snapshot: DatasetSnapshot, pathOf: PathOf, question: RowsQuestion): RowsSql {
  const { sql: from } = relation(snapshot, pathOf, { system: question.system });
  const filters = question.conditions.map(conditionSql);
  return {
    sql: `SELECT count(*) FROM (${from})${whereSql(filters)}`,
    parameters: filters.flatMap(({ parameters }) => parameters),
  };
}

/** NULL comes last in either direction; position decides between equals. */
function orderSql(order: readonly OrderBy[]): string {
  const columns = order.map(
    ({ column, descending }) => `${quoteIdentifier(column)} ${descending ? 'DESC' : 'ASC'} NULLS LAST`,
  );
  return [...columns, SEGMENT_COLUMN, ROW_COLUMN].join(', ');
}

/**
 * What comes after the cursor's row in the order: column by column, equal so far and then beyond.
 * A row is beyond NULL never, and NULL is beyond every value.
 */
function afterSql(order: readonly OrderBy[], { keys, position }: Cursor): Fragment {
  const alternatives: Fragment[] = [];
  const equal: Fragment[] = [];
  order.forEach(({ column, type, descending }, index) => {
    const name = quoteIdentifier(column);
    const key = keys[index];
    if (key === null || key === undefined) {
      equal.push({ sql: `${name} IS NULL`, parameters: [] });
      return;
    }
    const value = `CAST(? AS ${duckdbType(type)})`;
    const beyond = { sql: `(${name} ${descending ? '<' : '>'} ${value} OR ${name} IS NULL)`, parameters: [key] };
    alternatives.push(allOf([...equal, beyond]));
    equal.push({ sql: `${name} = ${value}`, parameters: [key] });
  });
  alternatives.push(allOf([...equal, beyondPosition(position)]));
  return {
    sql: `(${alternatives.map(({ sql }) => sql).join(' OR ')})`,
    parameters: alternatives.flatMap(({ parameters }) => parameters),
  };
}

function beyondPosition({ segment, row }: Position): Fragment {
  return {
    sql: `(${SEGMENT_COLUMN} > ${segment} OR (${SEGMENT_COLUMN} = ${segment} AND ${ROW_COLUMN} > ${row}))`,
    parameters: [],
  };
}

function allOf(fragments: readonly Fragment[]): Fragment {
  return {
    sql: `(${fragments.map(({ sql }) => sql).join(' AND ')})`,
    parameters: fragments.flatMap(({ parameters }) => parameters),
  };
}

/**
 * The segments a page can touch: in plain order and without filters only as many as hold its rows, so the
 * first page of 10⁴ segments opens one file.
 */
export function segmentsOfPage(
  snapshot: DatasetSnapshot,
  question: RowsQuestion,
  page: { limit: number; after: Cursor | undefined },
): DatasetSnapshot {
  if (question.order.length > 0 || question.conditions.length > 0) return snapshot;
  const { segment: first = 0, row = -1 } = page.after?.position ?? {};
  let missing = page.limit + 1 + row + 1;
  let end = first;
  while (missing > 0 && end < snapshot.segments.length) {
    const segment = snapshot.segments[end];
    if (segment) missing -= segment.rows - segment.deleted.length;
    end += 1;
  }
  return { ...snapshot, segments: snapshot.segments.slice(0, end) };
}

/** Segments that the relation reads: those before the cursor are only counted. */
export function segmentsToOpen(
  snapshot: DatasetSnapshot,
  question: RowsQuestion,
  after: Cursor | undefined,
): SegmentRef[] {
  const first = question.order.length === 0 ? (after?.position.segment ?? 0) : 0;
  return snapshot.segments.slice(first).filter(({ rows, deleted }) => rows > deleted.length);
}
