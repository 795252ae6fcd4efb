import { availableParallelism } from 'node:os';
import { salesCsv, sizeOf } from '../harness/inputs.ts';
import { type Arrived, complete, loadFile, sendParts, startCaudal, succeeded } from '../harness/installation.ts';
import type { Row } from '../harness/row.ts';
import { megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median, quantile } from '../harness/statistics.ts';

const WARM_UP = 5;

/** One file after another, as a person waits for each. */
export const smallCsv: Row = async (bench) => {
  const path = await salesCsv(12);
  const times_ms: number[] = [];
  const files = bench.quick ? 40 : 200;
  for (let file = -WARM_UP; file < files; file += 1) {
    const { ms } = await loadFile(bench.caudal, path, `${bench.fresh('small')}.csv`);
    if (file >= 0) times_ms.push(ms);
  }
  const [p50, p99] = [quantile(times_ms, 0.5), quantile(times_ms, 0.99)];
  const work = `load ${sizeOf(path)} B CSV, complete → queryable, ${files} files`;
  const caudal = `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`;
  const mark = 'p50 ≤ 60 ms, p99 ≤ 200 ms';
  return [{ row: 2, work, caudal, reference: '—', ratio: '—', mark, held: p50 <= 60 && p99 <= 200 }];
};

const FILES = 64;
const ROWS = 25_000;

/** As many loads at a time as there are cores, against one after another. */
export const manyFiles: Row = async (bench) => {
  const cores = availableParallelism();
  const paths = await Promise.all(Array.from({ length: 8 }, (_, seed) => salesCsv(ROWS, seed + 2)));
  const files = bench.quick ? FILES / 4 : FILES;
  const caudal = await startCaudal({ CAUDAL_WORKER_SLOTS: String(cores) });
  const { client } = caudal;
  const arrive = async (): Promise<Arrived[]> => {
    const arrived: Arrived[] = [];
    for (let file = 0; file < files; file += 1) {
      arrived.push(await sendParts(client, paths[file % paths.length] ?? '', `${bench.fresh('many')}.csv`));
    }
    return arrived;
  };
  const load = async (one: Arrived) => succeeded(client, await complete(client, one));
  try {
    const { ours, theirs } = await alternate(
      { rounds: bench.quick ? 1 : Math.min(3, bench.rounds) },
      async () => {
        const arrived = await arrive();
        const began = performance.now();
        await Promise.all(arrived.map(load));
        return performance.now() - began;
      },
      async () => {
        const arrived = await arrive();
        const began = performance.now();
        for (const one of arrived) await load(one);
        return performance.now() - began;
      },
    );
    const [together, apart] = [median(ours), median(theirs)];
    const speedUp = apart / together;
    const work = `load ${files} × ${megabytes(sizeOf(paths[0] ?? ''))}, ${cores} at a time`;
    const figures = { caudal: milliseconds(together), reference: `one at a time ${milliseconds(apart)}` };
    const mark = `speed-up ≥ ${times(0.85 * cores)}`;
    return [{ row: 4, work, ...figures, ratio: times(speedUp), mark, held: speedUp >= 0.85 * cores }];
  } finally {
    await caudal.stop();
  }
};
