import type { DuckDBConnection } from '@duckdb/node-api';
import { columnType, duckdbType } from '#contract/columns.ts';

/** A column of ours: its type, and the SQL that makes it of the file's column. */
export interface Expression {
  type: string;
  sql: string;
}

/**
 * How a column of a Parquet file becomes one of ours. Nested values are JSON; instants are kept in UTC;
 * intervals, bit strings and enums are their texts. Bytes that are UTF-8 throughout are text (older writers
 * do not say so), others are base64.
 * @param name the file's column, quoted
 * @param duckdb the type DuckDB gives it
 */
export async function castExpression(
  connection: DuckDBConnection,
  source: string,
  name: string,
  duckdb: string,
): Promise<Expression> {
  if (duckdb === 'BLOB') return await bytesExpression(connection, source, name);
  if (/^(TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ)$/.test(duckdb)) {
    return { type: 'timestamp', sql: `make_timestamp(epoch_us(${name}))` };
  }
  if (/^TIMESTAMP_(NS|MS|S)$/.test(duckdb)) return { type: 'timestamp', sql: `${name}::TIMESTAMP` };
  if (/^(TIME WITH TIME ZONE|TIME_NS)$/.test(duckdb)) return { type: 'time', sql: `${name}::TIME` };
  const type = columnType(duckdb);
  if (type === 'json') return { type, sql: duckdb === 'JSON' ? name : `to_json(${name})::JSON` };
  if (type === 'text') return { type, sql: `${name}::VARCHAR` };
  if (duckdb === 'UHUGEINT') return { type: 'text', sql: `${name}::VARCHAR` };
  return { type, sql: `${name}::${duckdbType(type)}` };
}

async function bytesExpression(connection: DuckDBConnection, source: string, name: string): Promise<Expression> {
  const sql = `SELECT count(*) FROM ${source} WHERE ${name} IS NOT NULL AND TRY(decode(${name})) IS NULL`;
  const [[undecodable] = []] = (await connection.runAndReadAll(sql)).getRowsJson();
  return { type: 'text', sql: Number(undecodable) === 0 ? `decode(${name})` : `base64(${name})` };
}
