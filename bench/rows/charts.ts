import { datasetOf } from '../harness/dataset.ts';
import { costOf } from '../harness/process-tree.ts';
import type { Row } from '../harness/row.ts';
import { costs, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import { warmDuckDb } from '../references/duckdb.ts';
import { fromMemory } from './hot-rows.ts';

const DRAWING_MS = 30;

/** A chart of all rows: each round asks something new. Then the same chart again and again. */
export const charts: Row = async (bench) => {
  const rows = bench.quick ? 1_000_000 : 5_000_000;
  const { name, parquet } = await datasetOf(bench, rows);
  const duckdb = warmDuckDb();
  const path = `/datasets/${name}/chart.svg?x=city`;
  try {
    const { ours, theirs } = await alternate(
      { rounds: 2 * bench.rounds },
      async (round) => {
        const call = () => bench.caudal.client.call(`${path.slice(1)}&where[amount][gt]=${round}`);
        return (await costOf(bench.caudal.pid, async () => (await call()).text())).cost;
      },
      (round) =>
        duckdb.run(
          `SELECT city, count(*) AS n FROM ${parquet} WHERE amount > ${round} GROUP BY city ORDER BY n DESC LIMIT 20`,
        ),
    );
    const [mine, other] = [median(ours.map(({ ms }) => ms)), median(theirs.map(({ ms }) => ms))];
    return [
      {
        row: 13,
        work: `chart, first time, ${rows / 1e6} M rows`,
        caudal: milliseconds(mine),
        reference: `DuckDB ${milliseconds(other)}`,
        ratio: times(mine / other),
        mark: `≤ query + ${DRAWING_MS} ms`,
        held: mine <= other + DRAWING_MS,
        cost: costs(ours, theirs),
      },
      { row: 13, work: 'chart, unchanged, 64 connections', ...(await fromMemory(bench, path)) },
    ];
  } finally {
    await duckdb.stop();
  }
};
