import { join } from 'node:path';
import { datasetOf, drain } from '../harness/dataset.ts';
import { type Cost, costOf } from '../harness/process-tree.ts';
import type { Line } from '../harness/report.ts';
import type { Bench, Row } from '../harness/row.ts';
import { costs, megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import { type DuckDb, warmDuckDb } from '../references/duckdb.ts';

interface Compared {
  ours: Cost[];
  theirs: Cost[];
  mine: number;
  other: number;
}

async function versus(
  bench: Bench,
  duckdb: DuckDb,
  asked: { work: (round: number) => Promise<unknown>; sql: (round: number) => string },
): Promise<Compared> {
  const { ours, theirs } = await alternate(
    { rounds: bench.quick ? bench.rounds : 2 * bench.rounds },
    async (round) => (await costOf(bench.caudal.pid, () => asked.work(round))).cost,
    (round) => duckdb.run(asked.sql(round)),
  );
  return { ours, theirs, mine: median(ours.map(({ ms }) => ms)), other: median(theirs.map(({ ms }) => ms)) };
}

/** A group-by over all rows; each round asks something new, so that no answer is remembered. */
export const queries: Row = async (bench) => {
  const rows = bench.quick ? 1_000_000 : 5_000_000;
  const { name, parquet } = await datasetOf(bench, rows);
  const duckdb = warmDuckDb();
  const { client } = bench.caudal;
  const question = (from: string, round: number) =>
    `SELECT city, channel, count(*) AS sales, sum(amount) AS amount, avg(quantity) AS quantity FROM ${from} WHERE amount > ${round} GROUP BY city, channel ORDER BY amount DESC`;
  try {
    const grouped = await versus(bench, duckdb, {
      work: (round) => client.post('sql', { query: question(name, round) }),
      sql: (round) => question(parquet, round),
    });
    const paged = await versus(bench, duckdb, {
      work: (round) => client.get(`datasets/${name}/rows`, { 'where[amount][gt]': 4000 + round, limit: 20 }),
      sql: (round) => `SELECT * FROM ${parquet} WHERE amount > ${4000 + round} LIMIT 20`,
    });
    return [
      queryLine(`POST /sql, group-by over ${rows / 1e6} M rows`, grouped),
      queryLine(`GET rows, first time, filtered, ${rows / 1e6} M rows`, paged),
    ];
  } finally {
    await duckdb.stop();
  }
};

function queryLine(work: string, { ours, theirs, mine, other }: Compared): Line {
  return {
    row: 10,
    work,
    caudal: milliseconds(mine),
    reference: `DuckDB ${milliseconds(other)}`,
    ratio: times(mine / other),
    mark: '≤ 1.20 × + 5 ms',
    held: mine <= 1.2 * other + 5,
    cost: costs(ours, theirs),
  };
}

const FORMATS = [
  { format: 'csv', most: 1.5, options: 'FORMAT csv, HEADER' },
  { format: 'parquet', most: 1.2, options: 'FORMAT parquet, COMPRESSION zstd' },
] as const;

/** A whole dataset as one file; the reference writes to disk, Caudal into a socket that is read to its end. */
export const exports_: Row = async (bench) => {
  const rows = bench.quick ? 300_000 : 1_000_000;
  const { name, parquet } = await datasetOf(bench, rows);
  const lines: Line[] = [];
  for (const { format, most, options } of FORMATS) {
    const duckdb = warmDuckDb();
    const target = join(bench.caudal.dir, `export.${format}`);
    try {
      let bytes = 0;
      const { ours, theirs, mine, other } = await versus(bench, duckdb, {
        async work() {
          bytes = await drain(await bench.caudal.client.call(`datasets/${name}/rows.${format}`));
        },
        sql: () => `COPY (SELECT * EXCLUDE (_source, _loaded_at) FROM ${parquet}) TO '${target}' (${options})`,
      });
      lines.push({
        row: 11,
        work: `export ${rows / 1e6} M rows, ${format} (${megabytes(bytes)})`,
        caudal: milliseconds(mine),
        reference: `DuckDB COPY TO ${milliseconds(other)}`,
        ratio: times(mine / other),
        mark: `≤ ${most} ×, memory flat`,
        held: mine / other <= most,
        cost: costs(ours, theirs),
      });
    } finally {
      await duckdb.stop();
    }
  }
  return lines;
};
