import { DuckDBInstance } from '@duckdb/node-api';
import { answer } from '../harness/child.ts';

/**
 * DuckDB alone, through the same binding and with its own defaults: a fresh instance for each
 * statement when `fresh`, as a load gets one, otherwise one that stays open.
 */
export interface Statement {
  sql: string;
  fresh: boolean;
  setup?: string[];
}

let kept: ReturnType<typeof open> | undefined;

async function open(setup: readonly string[]) {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const sql of setup) await connection.run(sql);
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

answer<Statement, { ms: number; rows: number }>(async ({ sql, fresh, setup = [] }) => {
  const began = performance.now();
  if (!fresh) kept ??= open(setup);
  const database = fresh ? await open(setup) : await (kept as ReturnType<typeof open>);
  try {
    const reader = await database.connection.runAndReadAll(sql);
    const rows = reader.getRowsJson().length;
    return { ms: performance.now() - began, rows };
  } finally {
    if (fresh) database.close();
  }
});
