import { createHash } from 'node:crypto';
import { duckdbType } from '#contract/duckdb.ts';
import { type StoredValue, storedText } from '#contract/stored-value.ts';

/**
 * What stands for a row's key in the catalogue: the first 128 bits of SHA-256 over the key columns' texts, each
 * with its length in bytes before it. Null where a column is empty: such a row has no key, as in SQL. Cut from a
 * cryptographic hash because keys are chosen by strangers. `keyHashSql` gives the same in DuckDB (tested).
 */
export function keyHash(values: readonly (StoredValue | null | undefined)[], types: readonly string[]): string | null {
  let text = '';
  for (const [index, value] of values.entries()) {
    if (value === null || value === undefined) return null;
    const part = storedText(value, types[index] ?? 'text');
    text += `${Buffer.byteLength(part)}:${part}`;
  }
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** SQL of type UUID over the key columns, each given as SQL with its declared type; NULL where one is NULL. */
export function keyHashSql(columns: readonly { sql: string; type: string }[]): string {
  const parts = columns.map(({ sql, type }) => {
    const text = `CAST(CAST(${sql} AS ${duckdbType(type)}) AS VARCHAR)`;
    return `CAST(strlen(${text}) AS VARCHAR) || ':' || ${text}`;
  });
  return `CAST(substr(sha256(${parts.join(' || ')}), 1, 32) AS UUID)`;
}
