import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import { COLUMNS, type Rows, type Signal } from '../schema.ts';
import { CHUNK_ROWS, chunkOf } from './chunk.ts';

/** Rows on their way into tables, one for each signal. */
export interface Appending {
  append<S extends Signal>(signal: S, rows: Rows[S]): Promise<void>;
  /**
   * What was appended becomes rows of the tables; before, no query sees it. Not done with each append: 1,000 rows at a
   * time cost 6 µs each, 100,000 at a time 1 µs.
   *
   * @returns why DuckDB could not take all of it, now or earlier; what it could not take is lost here
   */
  settle(): Error | undefined;
  close(): void;
}

/** @param connection of its own, because what settles must never meet another statement. */
export function appendTo(connection: DuckDBConnection, tableOf: (signal: Signal) => string): Appending {
  const appenders = new Map<Signal, DuckDBAppender>();
  const unsettled = new Set<Signal>();
  let failure: Error | undefined;

  const appenderOf = async (signal: Signal): Promise<DuckDBAppender> => {
    const appender = appenders.get(signal) ?? (await connection.createAppender(tableOf(signal)));
    appenders.set(signal, appender);
    return appender;
  };

  return {
    async append(signal, rows) {
      const columns = COLUMNS[signal];
      const appender = await appenderOf(signal);
      const types = Object.keys(columns).map((_, index) => appender.columnType(index));
      unsettled.add(signal);
      for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
        appender.appendDataChunk(chunkOf(types, columns, rows.slice(start, start + CHUNK_ROWS)));
      }
    },
    settle() {
      for (const signal of unsettled) {
        try {
          appenders.get(signal)?.flushSync();
        } catch (error) {
          failure ??= error as Error;
        }
      }
      unsettled.clear();
      return failure;
    },
    close() {
      for (const appender of appenders.values()) {
        try {
          appender.closeSync();
        } catch {
          // What it could not settle, it says again.
        }
      }
      connection.closeSync();
    },
  };
}
