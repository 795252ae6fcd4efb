import { duckdbType, quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { DatasetSnapshot, SegmentRef } from './snapshot.ts';

/** Ordinal of a row's segment in commit order, and the row's position in it: together the order of rows. */
export const SEGMENT_COLUMN = '__caudal_segment';
export const ROW_COLUMN = '__caudal_row';

export interface RelationOptions {
  /** Add `_source`, `_line`, `_loaded_at`. */
  system?: boolean;
  /** Add the position columns. */
  position?: boolean;
  /** Only what comes after this position. */
  after?: Position;
}

export interface Position {
  segment: number;
  row: number;
}

export interface Relation {
  sql: string;
  /** True when rows come out in commit order, then line, without an ORDER BY. */
  ordered: boolean;
}

/**
 * Segments of one physical shape are one `read_parquet`, since each costs a bind of its own:
 * 10⁴ segments plan in 50–100 ms. Up to this many runs of equal shape stay in commit order; beyond,
 * equal shapes are gathered wherever they stand and order needs a sort.
 */
const MOST_RUNS = 64;

/** `SELECT …` over the dataset as it was at the snapshot's version. `pathOf` gives a segment's local file. */
export function relationSql(
  snapshot: DatasetSnapshot,
  pathOf: (segment: SegmentRef) => string,
  options: RelationOptions = {},
): string {
  return relation(snapshot, pathOf, options).sql;
}

/**
 * As `relationSql`, saying whether the order holds. Physical columns are matched to the dataset's by
 * field id and widened to their present type; what a segment lacks is NULL; columns nobody asks for
 * are not read. A dataset without columns shows its system columns.
 */
export function relation(
  snapshot: DatasetSnapshot,
  pathOf: (segment: SegmentRef) => string,
  options: RelationOptions = {},
): Relation {
  const shown = snapshot.columns.length === 0 ? { ...options, system: true } : options;
  const live = snapshot.segments
    .map((segment, ordinal) => ({ segment, ordinal }))
    .filter(({ segment, ordinal }) => segment.rows > segment.deleted.length && ordinal >= (options.after?.segment ?? 0))
    .map((placed): Placed => ({ ...placed, path: pathOf(placed.segment) }));
  if (live.length === 0) return { sql: emptySelect(snapshot, shown), ordered: true };
  const runs = consecutive(live, options.after);
  const ordered = runs.length <= MOST_RUNS;
  const groups = ordered ? runs : gathered(live, options.after);
  return { sql: groups.map((group) => groupSelect(snapshot, group, shown)).join('\nUNION ALL\n'), ordered };
}

interface Placed {
  segment: SegmentRef;
  ordinal: number;
  path: string;
}

interface Group {
  shape: string;
  members: Placed[];
  /** Rows of the group's only segment are read after this position. */
  afterRow?: number;
}

/** Names that DuckDB gives to virtual columns; a physical column of that name hides them. */
const VIRTUAL = ['file_row_number', 'file_index', 'filename'];

function shapeOf(segment: SegmentRef): string {
  const columns = segment.columns.map((column) => [column.field_id, column.name, column.type]);
  const hidden = segment.columns.some((column) => VIRTUAL.includes(column.name.toLowerCase()));
  const alone = hidden || segment.deleted.length > 0;
  return JSON.stringify([columns, segment.first_line === null, alone ? segment.id : null]);
}

/** A segment that is only read in part stands alone. */
function shapeAt(placed: Placed, after: Position | undefined): string {
  const shape = shapeOf(placed.segment);
  return after && placed.ordinal === after.segment ? `${shape} after` : shape;
}

function newGroup(shape: string, placed: Placed, after: Position | undefined): Group {
  const partial = after && placed.ordinal === after.segment;
  return { shape, members: [placed], ...(partial ? { afterRow: after.row } : {}) };
}

function consecutive(live: Placed[], after: Position | undefined): Group[] {
  const groups: Group[] = [];
  for (const placed of live) {
    const shape = shapeAt(placed, after);
    const last = groups.at(-1);
    if (last?.shape === shape) last.members.push(placed);
    else groups.push(newGroup(shape, placed, after));
  }
  return groups;
}

function gathered(live: Placed[], after: Position | undefined): Group[] {
  const groups = new Map<string, Group>();
  for (const placed of live) {
    const shape = shapeAt(placed, after);
    const group = groups.get(shape);
    if (group) group.members.push(placed);
    else groups.set(shape, newGroup(shape, placed, after));
  }
  return [...groups.values()];
}

function groupSelect(snapshot: DatasetSnapshot, group: Group, options: RelationOptions): string {
  const first = group.members[0]?.segment as SegmentRef;
  const physical = new Map(first.columns.map((column) => [column.field_id, column.name]));
  const hidden = first.columns.some((column) => VIRTUAL.includes(column.name.toLowerCase()));
  const rowNumber = hidden ? '"__caudal_position"' : 'file_row_number';
  const fileIndex = hidden ? '0' : 'CAST(file_index AS BIGINT)';
  const select = snapshot.columns.map(({ name, field_id, type }) => {
    const source = physical.get(field_id);
    const value = source === undefined ? 'NULL' : quoteIdentifier(source);
    return `CAST(${value} AS ${duckdbType(type)}) AS ${quoteIdentifier(name)}`;
  });
  if (options.system) select.push(...systemColumns(group, fileIndex, rowNumber));
  if (options.position) {
    const ordinals = group.members.map(({ ordinal }) => ordinal);
    select.push(
      `CAST(${perFile(ordinals, fileIndex)} AS BIGINT) AS ${SEGMENT_COLUMN}`,
      `CAST(${rowNumber} AS BIGINT) AS ${ROW_COLUMN}`,
    );
  }
  const conditions = [...afterRow(group, rowNumber), ...notDeleted(group, rowNumber)];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `SELECT ${select.join(', ')} FROM ${scan(group, hidden)}${where}`;
}

function afterRow({ afterRow: row }: Group, rowNumber: string): string[] {
  return row === undefined ? [] : [`${rowNumber} > ${Math.trunc(row)}`];
}

const FEW = 32;
const BUCKET_BITS = 10;

/**
 * A condition that lets through all rows of a file but those at the positions, and keeps them in order. A short
 * list is compared as the file is read (2.7 ns for each row and item); a longer one is cut into buckets of 1,024
 * rows, each a list of its own: 0.3 µs a row whatever the length. Joins are no faster and lose the order.
 */
export function exceptRows(rowNumber: string, positions: readonly number[]): string {
  if (positions.length <= FEW) return `${rowNumber} NOT IN (${positions.join(', ')})`;
  const last = positions.reduce((most, position) => Math.max(most, position), 0);
  const buckets = Array.from({ length: (last >> BUCKET_BITS) + 1 }, (): number[] => []);
  for (const position of positions) buckets[position >> BUCKET_BITS]?.push(position);
  const lists = `CAST('[${buckets.map((bucket) => `[${bucket.join(',')}]`).join(',')}]' AS BIGINT[][])`;
  return `(${rowNumber} > ${last} OR NOT list_contains((${lists})[(${rowNumber} >> ${BUCKET_BITS}) + 1], ${rowNumber}))`;
}

/** Such a segment is the only one of its group. */
function notDeleted({ members }: Group, rowNumber: string): string[] {
  const positions = members.flatMap(({ segment }) => segment.deleted);
  return positions.length === 0 ? [] : [exceptRows(`CAST(${rowNumber} AS BIGINT)`, positions)];
}

function scan(group: Group, hidden: boolean): string {
  const paths = group.members.map(({ path }) => quoteLiteral(path)).join(', ');
  const read = `read_parquet([${paths}], hive_partitioning = false)`;
  // row_number() follows the file's order; it is the slow way (no late column reads), for such names only.
  return hidden ? `(SELECT *, row_number() OVER () - 1 AS "__caudal_position" FROM ${read})` : read;
}

function systemColumns(group: Group, fileIndex: string, rowNumber: string): string[] {
  const firstLines = group.members.map(({ segment }) => segment.first_line);
  const line = firstLines.includes(null)
    ? '"_line"'
    : `${perFile(firstLines as number[], fileIndex)} + CAST(${rowNumber} AS BIGINT)`;
  return [
    'CAST("_source" AS UUID) AS "_source"',
    `CAST(${line} AS BIGINT) AS "_line"`,
    'CAST("_loaded_at" AS TIMESTAMP) AS "_loaded_at"',
  ];
}

/**
 * A number that depends on the file. Written as one string constant: 10⁴ list items parsed as
 * expressions cost twice the planning time, and a join would be executed even where nobody asks for it.
 */
function perFile(values: number[], fileIndex: string): string {
  const first = values[0] ?? 0;
  if (values.every((value) => value === first)) return String(first);
  if (values.every((value, index) => value === first + index)) return `(${first} + ${fileIndex})`;
  return `(CAST('[${values.join(',')}]' AS BIGINT[]))[${fileIndex} + 1]`;
}

function emptySelect(snapshot: DatasetSnapshot, options: RelationOptions): string {
  const typed = (name: string, type: string) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`;
  const select = snapshot.columns.map(({ name, type }) => typed(name, duckdbType(type)));
  if (options.system) {
    select.push(typed('_source', 'UUID'), typed('_line', 'BIGINT'), typed('_loaded_at', 'TIMESTAMP'));
  }
  if (options.position) select.push(typed(SEGMENT_COLUMN, 'BIGINT'), typed(ROW_COLUMN, 'BIGINT'));
  return `SELECT ${select.join(', ')} WHERE false`;
}
