/**
 * Column types and names in DuckDB's SQL. Apart from `columns.ts` because children that read files or run
 * queries start without the schema library, which costs 110 ms.
 */

const DECIMAL = /^decimal\((\d{1,2}),(\d{1,2})\)$/;

const DUCKDB: Record<string, string> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  uuid: 'UUID',
  json: 'JSON',
  file: 'VARCHAR',
};

/** `integer` → `BIGINT`. Throws on what is no column type. */
export function duckdbType(type: string): string {
  const decimal = DECIMAL.exec(type);
  if (decimal) return `DECIMAL(${decimal[1]},${decimal[2]})`;
  const native = DUCKDB[type];
  if (!native) throw new TypeError(`not a column type: ${type}`);
  return native;
}

/**
 * SQL (of a VARCHAR) as a value of `type`, NULL where it is none. DuckDB 1.5 forgets a decimal's width where zeros
 * lead and a power follows: it casts "0.3e21" to a DECIMAL(20,0) of 21 digits.
 */
export function tryCast(text: string, type: string): string {
  const cast = `TRY_CAST(${text} AS ${duckdbType(type)})`;
  const [, precision = 0, scale = 0] = (DECIMAL.exec(type) ?? []).map(Number);
  if (precision === 0) return cast;
  const widest = `${'9'.repeat(precision - scale)}.${'9'.repeat(scale)}`;
  return `CASE WHEN ${cast} BETWEEN -${widest} AND ${widest} THEN ${cast} END`;
}

const INTEGERS = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER'];

/** `BIGINT` → `integer`. Nested and unknown types are `json`; what JSON cannot hold is `text`. */
export function columnType(duckdb: string): string {
  const upper = duckdb.toUpperCase();
  if (INTEGERS.includes(upper)) return 'integer';
  if (upper === 'DOUBLE' || upper === 'FLOAT') return 'number';
  if (upper === 'BOOLEAN') return 'boolean';
  if (upper === 'DATE') return 'date';
  if (upper === 'TIME') return 'time';
  if (upper.startsWith('TIMESTAMP')) return 'timestamp';
  if (upper === 'UUID') return 'uuid';
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(upper);
  if (decimal) return `decimal(${decimal[1]},${decimal[2]})`;
  if (upper === 'UBIGINT') return 'decimal(20,0)';
  if (upper === 'HUGEINT' || upper === 'UHUGEINT') return 'decimal(38,0)';
  if (upper === 'JSON' || /^(STRUCT|MAP|UNION)\(|\[\d*\]$/.test(upper)) return 'json';
  return 'text';
}

/** A double-quoted SQL identifier: the only way a name of a user's reaches SQL text. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A single-quoted SQL string, for the few places where DuckDB takes no parameter (paths, options). */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
