import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api';
import { columnType, quoteIdentifier, quoteLiteral } from '#contract/duckdb.ts';
import { type Cell, type CellKind, excelSerial } from '#platform/xlsx/cells.ts';

/** The type a person sees of a result's column. */
export function shownType(type: DuckDBType): string {
  return type.alias === 'JSON' ? 'json' : columnType(String(type));
}

const KINDS: Record<string, CellKind> = {
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  time: 'time',
};

export function cellKind(type: DuckDBType): CellKind {
  const shown = shownType(type);
  return shown.startsWith('decimal') ? 'number' : (KINDS[shown] ?? 'text');
}

/** Excel keeps 15 digits; longer numbers stay exact as text. */
const EXCEL_DIGITS = 15;
const MS_PER_DAY = 86_400_000;

/** How a value of NDJSON (see `jsonExpression`) becomes a cell; what Excel's calendar does not know stays text. */
export function cellOf(value: unknown, kind: CellKind): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'number') return value;
  const written = typeof value === 'string' ? value : JSON.stringify(value);
  if (kind === 'number') return written.replace(/\D/g, '').length <= EXCEL_DIGITS ? Number(written) : written;
  if (kind === 'date' || kind === 'timestamp') return excelSerial(Date.parse(written)) ?? written;
  if (kind === 'time') return Date.parse(`1970-01-01T${written}Z`) / MS_PER_DAY;
  return written;
}

const LARGEST = Number.MAX_SAFE_INTEGER;
const LARGE: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
]);
const TIMESTAMPS: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TIMESTAMP,
  DuckDBTypeId.TIMESTAMP_S,
  DuckDBTypeId.TIMESTAMP_MS,
  DuckDBTypeId.TIMESTAMP_NS,
  DuckDBTypeId.TIMESTAMP_TZ,
]);

/** A column as DuckDB's own JSON writer is to show it: the rules of `jsonEncoder`, except inside nested values. */
export function jsonExpression(reference: string, type: DuckDBType): string {
  const { typeId } = type;
  if (LARGE.has(typeId)) {
    const safe = `${reference} BETWEEN -${LARGEST} AND ${LARGEST}`;
    return `CASE WHEN ${safe} THEN to_json(${reference}) ELSE to_json(CAST(${reference} AS VARCHAR)) END`;
  }
  if (typeId === DuckDBTypeId.DOUBLE || typeId === DuckDBTypeId.FLOAT) return finite(reference);
  if (typeId === DuckDBTypeId.BLOB) return `to_base64(${reference})`;
  if (TIMESTAMPS.has(typeId)) return timestampExpression(reference, typeId);
  return typeId === DuckDBTypeId.DECIMAL ? `CAST(${reference} AS VARCHAR)` : reference;
}

function finite(reference: string): string {
  return `CASE WHEN isfinite(${reference}) THEN ${reference} END`;
}

function timestampExpression(reference: string, typeId: DuckDBTypeId): string {
  const utc = typeId === DuckDBTypeId.TIMESTAMP_TZ ? `(${reference} AT TIME ZONE 'UTC')` : reference;
  const written = `CAST(${utc} AS VARCHAR)`;
  return `CASE WHEN length(${written}) >= 19 AND ${written}[5] = '-' AND ${written}[-1] <> ')' THEN replace(${written}, ' ', 'T') || 'Z' ELSE ${written} END`;
}

/** A column as a cell takes it: as in NDJSON, but JSON stays text. */
export function cellExpression(reference: string, type: DuckDBType): string {
  return type.alias === 'JSON' ? `CAST(${reference} AS VARCHAR)` : jsonExpression(reference, type);
}

/** As spreadsheets evaluate a cell that begins so. Source: OWASP, "CSV Injection". */
const FORMULA = '^[=+\\-@\\t\\r]';

/**
 * A column as CSV shows it: NaN and ∞ are empty, nested values JSON, blobs base64. By default text goes
 * out as it is, for machines; `safe` puts an apostrophe before what a spreadsheet would evaluate.
 */
export function csvExpression(reference: string, type: DuckDBType, safe: boolean): string {
  const { typeId } = type;
  if (typeId === DuckDBTypeId.DOUBLE || typeId === DuckDBTypeId.FLOAT) return finite(reference);
  if (typeId === DuckDBTypeId.BLOB) return `to_base64(${reference})`;
  const json = shownType(type) === 'json';
  const nested = json && type.alias !== 'JSON';
  const text = nested ? `CAST(to_json(${reference}) AS VARCHAR)` : reference;
  if (!safe || !(json || typeId === DuckDBTypeId.VARCHAR || typeId === DuckDBTypeId.ENUM)) return text;
  const written = `CAST(${text} AS VARCHAR)`;
  return `CASE WHEN regexp_matches(${written}, ${quoteLiteral(FORMULA)}) THEN '''' || ${written} ELSE ${written} END`;
}

/** `SELECT … AS "name", …` over `c0, c1, …`. */
export function selectList(names: readonly string[], expressions: readonly string[]): string {
  return names.map((name, index) => `${expressions[index]} AS ${quoteIdentifier(name)}`).join(', ');
}
