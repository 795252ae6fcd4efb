import type { HttpLoad, HttpLoadResult } from '../../test/support/http-load.ts';
import { startChild } from '../harness/child.ts';
import { salesCsv, sizeOf } from '../harness/inputs.ts';
import { type Caudal, idle, loadFile, startCaudal } from '../harness/installation.ts';
import type { Line } from '../harness/report.ts';
import type { Bench, Row } from '../harness/row.ts';
import { megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';

const CONNECTIONS = 64;
const HOT = 'hot';

/** Caudal against itself without telemetry (`OTEL_SDK_DISABLED`): rows 9 and 1. */
export const tracing: Row = async (bench) => {
  const off = await startCaudal({ OTEL_SDK_DISABLED: 'true' });
  try {
    return [await hot(bench, off), await load(bench, off)];
  } finally {
    await off.stop();
  }
};

async function hot(bench: Bench, off: Caudal): Promise<Line> {
  const generator = startChild<HttpLoad, HttpLoadResult>(new URL('../harness/http-load.child.ts', import.meta.url));
  const path = await salesCsv(100_000);
  const dataset = bench.fresh(HOT);
  const ask = async ({ client }: Caudal): Promise<number> => {
    const { per_second, refused } = await generator.ask({
      port: Number(new URL(client.url).port),
      path: `/datasets/${dataset}/rows?limit=20`,
      headers: { authorization: `Bearer ${client.token}` },
      connections: CONNECTIONS,
      ms: bench.quick ? 2000 : 4000,
    });
    if (refused > 0) throw new Error(`${refused} requests were refused`);
    return per_second;
  };
  try {
    for (const caudal of [bench.caudal, off]) {
      await loadFile(caudal, path, `${dataset}.csv`);
      await idle(caudal.client);
    }
    const { ours, theirs } = await alternate(
      bench,
      () => ask(bench.caudal),
      () => ask(off),
    );
    const [on, without] = [median(ours), median(theirs)];
    return {
      row: 15,
      work: `tracing on: GET rows as in row 9, ${CONNECTIONS} connections`,
      caudal: `${on.toFixed(0)}/s`,
      reference: `off ${without.toFixed(0)}/s`,
      ratio: times(on / without),
      mark: '≥ 0.90 ×',
      held: on / without >= 0.9,
    };
  } finally {
    await generator.stop();
  }
}

async function load(bench: Bench, off: Caudal): Promise<Line> {
  const path = await salesCsv(bench.quick ? 1_000_000 : 5_000_000);
  const one = async (caudal: Caudal) => (await loadFile(caudal, path, `${bench.fresh('traced')}.csv`)).ms;
  const { ours, theirs } = await alternate(
    bench,
    () => one(bench.caudal),
    () => one(off),
  );
  const [on, without] = [median(ours), median(theirs)];
  return {
    row: 15,
    work: `tracing on: load ${megabytes(sizeOf(path))} CSV as in row 1`,
    caudal: milliseconds(on),
    reference: `off ${milliseconds(without)}`,
    ratio: times(without / on),
    mark: '≥ 0.98 × as fast',
    held: without / on >= 0.98,
  };
}
