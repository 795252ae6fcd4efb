import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

/** A value as JSON text; `null` for NULL. */
export type JsonEncoder = (value: DuckDBValue) => string;

/**
 * How values of a type are written in JSON. What JSON numbers cannot carry does not get lost in
 * silence: integers beyond ±(2⁵³−1) and decimals are strings; NaN and ∞ are null. Timestamps are
 * RFC 3339 in UTC, blobs base64, JSON columns JSON, nested types arrays and objects.
 */
export function jsonEncoder(type: DuckDBType): JsonEncoder {
  if (type.alias === 'JSON') return nullable(jsonColumn);
  return nullable(ENCODERS[type.typeId] ?? nestedOrText);
}

function nullable(encode: JsonEncoder): JsonEncoder {
  return (value) => (value === null || value === undefined ? 'null' : encode(value));
}

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function bigInteger(value: DuckDBValue): string {
  const integer = value as bigint;
  return integer > SAFE || integer < -SAFE ? `"${integer}"` : String(integer);
}

function float(value: DuckDBValue): string {
  return Number.isFinite(value) ? JSON.stringify(value) : 'null';
}

const literal: JsonEncoder = (value) => String(value);
const text: JsonEncoder = (value) => JSON.stringify(String(value));
const quoted: JsonEncoder = (value) => `"${String(value)}"`;

const TIMESTAMP = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?$/;

/** Years outside of 0000–9999 and infinities, which RFC 3339 has no writing for, stay as DuckDB writes them. */
function timestamp(value: DuckDBValue): string {
  const written = String(value);
  const match = TIMESTAMP.exec(written);
  return match ? `"${match[1]}T${match[2]}Z"` : JSON.stringify(written);
}

/**
 * Kept as written (numbers keep their digits), on one line: outside of strings JSON's line breaks are
 * blanks, inside they are escaped. DuckDB accepts NaN and trailing commas as JSON; those become a string.
 */
function jsonColumn(value: DuckDBValue): string {
  const written = String(value);
  try {
    JSON.parse(written);
  } catch {
    return JSON.stringify(written);
  }
  return written.replace(/[\r\n]+/g, ' ');
}

const ENCODERS: Partial<Record<DuckDBTypeId, JsonEncoder>> = {
  [DuckDBTypeId.BOOLEAN]: literal,
  [DuckDBTypeId.TINYINT]: literal,
  [DuckDBTypeId.SMALLINT]: literal,
  [DuckDBTypeId.INTEGER]: literal,
  [DuckDBTypeId.UTINYINT]: literal,
  [DuckDBTypeId.USMALLINT]: literal,
  [DuckDBTypeId.UINTEGER]: literal,
  [DuckDBTypeId.BIGINT]: bigInteger,
  [DuckDBTypeId.UBIGINT]: bigInteger,
  [DuckDBTypeId.HUGEINT]: bigInteger,
  [DuckDBTypeId.UHUGEINT]: bigInteger,
  [DuckDBTypeId.FLOAT]: float,
  [DuckDBTypeId.DOUBLE]: float,
  [DuckDBTypeId.DECIMAL]: quoted,
  [DuckDBTypeId.VARCHAR]: text,
  [DuckDBTypeId.UUID]: quoted,
  [DuckDBTypeId.DATE]: quoted,
  [DuckDBTypeId.TIME]: quoted,
  [DuckDBTypeId.TIMESTAMP]: timestamp,
  [DuckDBTypeId.TIMESTAMP_S]: timestamp,
  [DuckDBTypeId.TIMESTAMP_MS]: timestamp,
  [DuckDBTypeId.TIMESTAMP_NS]: timestamp,
  [DuckDBTypeId.TIMESTAMP_TZ]: timestamp,
};

/** Inside nested values the type is read off the value. */
function nestedOrText(value: DuckDBValue): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return float(value);
  if (typeof value === 'bigint') return bigInteger(value);
  if (typeof value === 'boolean') return literal(value);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return `[${value.items.map(nestedOrText).join(',')}]`;
  }
  if (value instanceof DuckDBStructValue) {
    const members = Object.entries(value.entries).map(([key, each]) => `${JSON.stringify(key)}:${nestedOrText(each)}`);
    return `{${members.join(',')}}`;
  }
  if (value instanceof DuckDBMapValue) {
    const members = value.entries.map(({ key, value: each }) => `${JSON.stringify(String(key))}:${nestedOrText(each)}`);
    return `{${members.join(',')}}`;
  }
  if (value instanceof DuckDBUnionValue) return nestedOrText(value.value);
  if (value instanceof DuckDBDecimalValue) return quoted(value);
  if (value instanceof DuckDBBlobValue) return `"${Buffer.from(value.bytes).toString('base64')}"`;
  return timestamp(value);
}

/** `a, a, b` → `a, a_1, b`: names that repeat get the first free `_n`. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    let n = 1;
    while (taken.has(`${name}_${n}`) || seen.has(`${name}_${n}`)) n += 1;
    seen.add(`${name}_${n}`);
    return `${name}_${n}`;
  });
}

/** One column of many rows as JSON texts. */
export interface EncodedColumns {
  /** `encoded[column][row]` */
  encoded: string[][];
  rows: number;
}

/** `{"a":1,"b":"x"}` per row. */
export function rowTexts(names: readonly string[], { encoded, rows }: EncodedColumns): string[] {
  const keys = names.map((name, index) => `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`);
  const texts: string[] = new Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let line = keys.length === 0 ? '{' : '';
    for (let column = 0; column < keys.length; column += 1) line += `${keys[column]}${encoded[column]?.[row]}`;
    texts[row] = `${line}}`;
  }
  return texts;
}

/** `{"a":{"0":1,"1":2},"b":{…}}`; `encoded[column]` holds every row. */
export function columnsText(names: readonly string[], { encoded }: EncodedColumns): string {
  const columns = names.map((name, index) => {
    const cells = (encoded[index] ?? []).map((cell, row) => `"${row}":${cell}`);
    return `${JSON.stringify(name)}:{${cells.join(',')}}`;
  });
  return `{${columns.join(',')}}`;
}
