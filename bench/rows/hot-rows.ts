import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HttpLoad, HttpLoadResult } from '../../test/support/http-load.ts';
import { startChild } from '../harness/child.ts';
import { salesCsv } from '../harness/inputs.ts';
import { loadFile } from '../harness/installation.ts';
import { type Cost, costOf } from '../harness/process-tree.ts';
import type { Line } from '../harness/report.ts';
import type { Bench, Row } from '../harness/row.ts';
import { megabytes, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import type { Answering } from '../references/fastify.child.ts';

const CONNECTIONS = 64;

/** The same twenty rows, asked for again and again. */
export const hotRows: Row = async (bench) => {
  const dataset = bench.fresh('hot');
  await loadFile(bench.caudal, await salesCsv(100_000), `${dataset}.csv`);
  return [
    {
      row: 9,
      work: `GET rows, 20 rows, unchanged, ${CONNECTIONS} connections`,
      ...(await fromMemory(bench, `/datasets/${dataset}/rows?limit=20`)),
    },
  ];
};

/** An unchanged answer under load, against Fastify that has the same bytes in memory. */
export async function fromMemory(bench: Bench, path: string): Promise<Omit<Line, 'row' | 'work'>> {
  const { client } = bench.caudal;
  const first = await client.call(path.slice(1), { headers: { accept: '*/*' } });
  const reference = startChild<Answering, number>(new URL('../references/fastify.child.ts', import.meta.url));
  const generator = startChild<HttpLoad, HttpLoadResult>(new URL('../harness/http-load.child.ts', import.meta.url));
  try {
    const kept = ['content-type', 'content-range', 'x-dataset-version', 'etag', 'link', 'vary', 'cache-control'];
    const port = await reference.ask({
      path: path.split('?', 1)[0] ?? path,
      token: client.token,
      headers: Object.fromEntries(
        kept.flatMap((name) => (first.headers.has(name) ? [[name, first.headers.get(name) ?? '']] : [])),
      ),
      body: await first.text(),
      telemetry: {
        endpoint: client.url,
        secret: readFileSync(join(bench.caudal.dir, 'internal-secret'), 'utf8').trim(),
      },
    });
    const load = (to: number) =>
      generator.ask({
        port: to,
        path,
        headers: { authorization: `Bearer ${client.token}` },
        connections: CONNECTIONS,
        ms: bench.quick ? 2000 : 4000,
      });
    const { ours, theirs } = await alternate(
      bench,
      () => costOf(bench.caudal.pid, () => load(Number(new URL(client.url).port))),
      () => costOf(reference.pid, () => load(port)),
    );
    const refused = [...ours, ...theirs].reduce((sum, { value }) => sum + value.refused, 0);
    if (refused > 0) throw new Error(`${refused} requests were refused`);
    const [mine, other] = [
      median(ours.map(({ value }) => value.per_second)),
      median(theirs.map(({ value }) => value.per_second)),
    ];
    return {
      caudal: `${mine.toFixed(0)}/s`,
      reference: `Fastify from memory ${other.toFixed(0)}/s`,
      ratio: times(mine / other),
      mark: '≥ 0.80 ×',
      held: mine / other >= 0.8,
      cost: perRequest(ours, theirs),
    };
  } finally {
    await Promise.all([reference.stop(), generator.stop()]);
  }
}

interface Run {
  value: HttpLoadResult;
  cost: Cost;
}

/** CPU of all processes that an answer takes, PostgreSQL's and the span's way included. */
function perRequest(ours: Run[], theirs: Run[]): string {
  const one = (runs: Run[]) => {
    const cpu = median(runs.map(({ value, cost }) => (1000 * cost.cpu_ms) / value.requests));
    return `${cpu.toFixed(0)} µs each +${megabytes(median(runs.map(({ cost }) => cost.growth_bytes)))}`;
  };
  return `${one(ours)} / ${one(theirs)}`;
}
