import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reviewsCsv, salesCsv, sizeOf } from '../harness/inputs.ts';
import { loadFile } from '../harness/installation.ts';
import type { Cost } from '../harness/process-tree.ts';
import type { Bench, Row } from '../harness/row.ts';
import { costs, megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import { freshDuckDb } from '../references/duckdb.ts';

const MORE_MEMORY = 64 * 2 ** 20;

/** DuckDB's own COPY of the same file, its result thrown away. */
async function duckDbCopy(path: string, options = ''): Promise<Cost> {
  const target = join(tmpdir(), `caudal-bench-${process.pid}.parquet`);
  try {
    return await freshDuckDb(
      `COPY (FROM read_csv('${path}'${options})) TO '${target}' (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    rmSync(target, { force: true });
  }
}

async function compare(bench: Bench, path: string, stem: string, options?: string) {
  const { ours, theirs } = await alternate(
    bench,
    () => loadFile(bench.caudal, path, `${bench.fresh(stem)}.csv`),
    () => duckDbCopy(path, options),
  );
  const middle = (list: Cost[], of: (cost: Cost) => number) => median(list.map(of));
  return {
    ours: middle(ours, ({ ms }) => ms),
    theirs: middle(theirs, ({ ms }) => ms),
    more: middle(ours, ({ growth_bytes }) => growth_bytes) - middle(theirs, ({ growth_bytes }) => growth_bytes),
    cost: costs(ours, theirs),
  };
}

/** 400 MB, five million rows, one line each. */
export const largeCsv: Row = async (bench) => {
  const path = await salesCsv(bench.quick ? 1_000_000 : 5_000_000);
  const { ours, theirs, more, cost } = await compare(bench, path, 'sales');
  const ratio = ours / theirs;
  const work = `load ${megabytes(sizeOf(path))} CSV, upload complete → queryable`;
  const held = ratio <= 1.1 && more <= MORE_MEMORY;
  const figures = { caudal: milliseconds(ours), reference: `DuckDB COPY ${milliseconds(theirs)}`, ratio: times(ratio) };
  return [{ row: 1, work, ...figures, mark: '≤ 1.10 ×, +64 MB', held, cost }];
};

/** Long quoted texts with line breaks, and seven broken records, which DuckDB is told to leave out. */
export const longTexts: Row = async (bench) => {
  const path = await reviewsCsv(31_000_000);
  const { ours, theirs, cost } = await compare(bench, path, 'reviews', ', ignore_errors = true');
  const work = `load ${megabytes(sizeOf(path))} CSV of multi-line texts, 7 broken records`;
  const figures = { caudal: milliseconds(ours), reference: `DuckDB COPY ${milliseconds(theirs)}` };
  const ratio = ours / theirs;
  return [{ row: 3, work, ...figures, ratio: times(ratio), mark: '≤ 1.15 ×', held: ratio <= 1.15, cost }];
};
