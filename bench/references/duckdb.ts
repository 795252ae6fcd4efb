import { type Child, startChild } from '../harness/child.ts';
import { type Cost, costOf } from '../harness/process-tree.ts';
import type { Statement } from './duckdb.child.ts';

export interface DuckDb {
  /** The statement's own time, without starting the process. */
  run(sql: string): Promise<Cost>;
  stop(): Promise<void>;
}

const SCRIPT = new URL('./duckdb.child.ts', import.meta.url);

/** A process that stays and answers from one open instance, like a server would. */
export function warmDuckDb(setup: string[] = []): DuckDb {
  const child: Child<Statement, { ms: number }> = startChild(SCRIPT);
  return {
    async run(sql) {
      const { value, cost } = await costOf(child.pid, () => child.ask({ sql, fresh: false, setup }));
      return { ...cost, ms: value.ms };
    },
    stop: child.stop,
  };
}

/** A process of its own for one statement; its memory is counted from an empty DuckDB on. */
export async function freshDuckDb(sql: string): Promise<Cost> {
  const child: Child<Statement, { ms: number }> = startChild(SCRIPT);
  try {
    await child.ask({ sql: 'SELECT 1', fresh: true });
    const { value, cost } = await costOf(child.pid, () => child.ask({ sql, fresh: true }));
    return { ...cost, ms: value.ms };
  } finally {
    await child.stop();
  }
}
