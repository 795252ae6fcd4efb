import type { DuckDBInstance, DuckDBValue } from '@duckdb/node-api';

/** Runs one statement; the rows as objects, BIGINT as bigint. */
export type Read = <R = Record<string, unknown>>(statement: string, values?: DuckDBValue[]) => Promise<R[]>;

/** A connection for a piece of work; what still runs after `timeoutMs` is interrupted. */
export async function withConnection<T>(
  instance: DuckDBInstance,
  work: (read: Read) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  const connection = await instance.connect();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => connection.interrupt(), timeoutMs);
  try {
    return await work(async <R>(statement: string, values?: DuckDBValue[]) => {
      const reader = await connection.runAndReadAll(statement, values);
      return reader.getRowObjectsJS() as R[];
    });
  } finally {
    clearTimeout(timer);
    connection.closeSync();
  }
}

/** A text inside a statement where DuckDB takes no parameter (COPY, lists of files). */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
