import type { DuckDBInstance, DuckDBValue } from '@duckdb/node-api';

/** Runs one statement; the rows as objects, BIGINT as bigint. */
export type Read = <R = Record<string, unknown>>(statement: string, values?: DuckDBValue[]) => Promise<R[]>;

/** The same, with values as DuckDB's client has them: a list of numbers is a third of the time of its numbers as rows. */
export type ReadValues = (statement: string) => Promise<DuckDBValue[][]>;

/** A connection for a piece of work; what still runs after `timeoutMs` is interrupted. */
export async function withConnection<T>(
  instance: DuckDBInstance,
  work: (read: Read, readValues: ReadValues) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  const connection = await instance.connect();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => connection.interrupt(), timeoutMs);
  try {
    const read: Read = async <R>(statement: string, values?: DuckDBValue[]) =>
      (await connection.runAndReadAll(statement, values)).getRowObjectsJS() as R[];
    return await work(read, async (statement) => (await connection.runAndReadAll(statement)).getRows());
  } finally {
    clearTimeout(timer);
    connection.closeSync();
  }
}

/** A text inside a statement where DuckDB takes no parameter (COPY, lists of files). */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
