import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import type { Topic } from '../../src/contract/events.ts';
import { type RunningPostgres, startPostgres } from '../../src/platform/db/embedded/postgres.ts';
import type { HttpLoad, HttpLoadResult } from '../../test/support/http-load.ts';
import { startChild } from '../harness/child.ts';
import { type Cost, costOf } from '../harness/process-tree.ts';
import type { Bench, Row } from '../harness/row.ts';
import { megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median, quantile } from '../harness/statistics.ts';
import type { Visible, VisibleResult } from '../harness/visible.child.ts';
import type { Copying, CopyResult } from '../references/copy.child.ts';

const GENERATOR = new URL('../harness/http-load.child.ts', import.meta.url);
const BATCH = 1000;
const EVENT_BYTES = 200;
const SENDERS = 4;
const CONNECTIONS = 64;

/** An event of 200 bytes; numbers differ, as they do. */
function event(n: number): string {
  const start = `{"id":${n},"kind":"reading","station":"s${n % 50}","at":"2026-05-01T10:00:00Z","value":${n}.25,"note":"`;
  return `${start}${'n'.repeat(Math.max(0, EVENT_BYTES - start.length - 2))}"}`;
}

/** Batches of 1,000 events of 200 bytes, each batch durable, against COPY of the same rows, a commit per batch. */
export const eventBatches: Row = async (bench) => {
  const topic = bench.fresh('batches');
  const lines = Array.from({ length: BATCH }, (_, n) => event(n));
  const ms = bench.quick ? 2000 : 5000;
  const post = poster(bench, topic, { 'content-type': 'application/x-ndjson' }, lines.join('\n'));
  await bench.caudal.client.post(
    `topics/${topic}/events?wait=true`,
    lines.map((line) => JSON.parse(line)),
  );
  return withPostgres(async (postgres) => {
    const copier = startChild<Copying, CopyResult>(new URL('../references/copy.child.ts', import.meta.url));
    const generator = startChild<HttpLoad, HttpLoadResult>(GENERATOR);
    try {
      const { ours, theirs } = await alternate(
        bench,
        async () => {
          const found = await costOf(bench.caudal.pid, () => generator.ask({ ...post, connections: SENDERS, ms }));
          refuseRefused(found.value);
          await drained(bench, topic);
          return { rows_per_second: found.value.per_second * BATCH, rows: found.value.requests * BATCH, ...found };
        },
        async () => {
          const copied = await costOf(copier.pid, () => copier.ask({ url: postgres.url, lines, ms }));
          const { rows, seconds } = copied.value;
          return { rows_per_second: rows / seconds, rows, ...copied };
        },
      );
      const [mine, other] = [ours, theirs].map((runs) => median(runs.map(({ rows_per_second }) => rows_per_second)));
      const ratio = (mine ?? 0) / (other ?? 1);
      return [
        {
          row: 6,
          work: `batches of ${BATCH} × ${EVENT_BYTES} B, durable, ${SENDERS} connections`,
          caudal: `${thousands(mine ?? 0)} rows/s`,
          reference: `COPY ${thousands(other ?? 0)} rows/s`,
          ratio: times(ratio),
          mark: '≥ 1.0 ×',
          held: ratio >= 1,
          cost: `${cpu(ours, ({ rows }) => rows / BATCH)} a batch +${memory(ours)}`,
        },
      ];
    } finally {
      await Promise.all([generator.stop(), copier.stop()]);
    }
  });
};

/** One event per request, 64 at a time, each durable before its answer. */
export const singleEvents: Row = async (bench) => {
  const topic = bench.fresh('singles');
  const ms = bench.quick ? 2000 : 5000;
  const body = event(1).replace('"id":1,', '"id":%n,');
  await bench.caudal.client.post(`topics/${topic}/events?wait=true`, JSON.parse(event(1)));
  return withPostgres(async (postgres) => {
    const reference = startChild<{ url: string }, number>(new URL('../references/insert.child.ts', import.meta.url));
    const generator = startChild<HttpLoad, HttpLoadResult>(GENERATOR);
    try {
      const port = await reference.ask({ url: postgres.url });
      const headers = { 'content-type': 'application/json' };
      const load = { connections: CONNECTIONS, ms, body } as const;
      const run = (root: number, to: HttpLoad) => async () => {
        const found = await costOf(root, () => generator.ask(to));
        refuseRefused(found.value);
        return found;
      };
      const mineOf = run(bench.caudal.pid, { ...poster(bench, topic, headers, body), ...load });
      const { ours, theirs } = await alternate(
        bench,
        async () => {
          const found = await mineOf();
          await drained(bench, topic);
          return found;
        },
        run(reference.pid, { port, method: 'POST', path: '/events', headers, ...load }),
      );
      const [mine, other] = [ours, theirs].map((runs) => median(runs.map(({ value }) => value.per_second)));
      const ratio = (mine ?? 0) / (other ?? 1);
      const latency = (runs: typeof ours) => milliseconds(median(runs.map(({ value }) => value.p99)));
      return [
        {
          row: 7,
          work: `one event a request, ${CONNECTIONS} connections, durable`,
          caudal: `${(mine ?? 0).toFixed(0)}/s, p99 ${latency(ours)}`,
          reference: `Fastify + INSERT ${(other ?? 0).toFixed(0)}/s, p99 ${latency(theirs)}`,
          ratio: times(ratio),
          mark: '≥ 1.5 ×',
          held: ratio >= 1.5,
          cost: `${cpu(ours, ({ value }) => value.requests)} each / ${cpu(theirs, ({ value }) => value.requests)} (without PostgreSQL)`,
        },
      ];
    } finally {
      await Promise.all([generator.stop(), reference.stop()]);
    }
  });
};

/** From the sending of an event to the first GET that shows it, while 20,000 events a second come in. */
export const visibility: Row = async (bench) => {
  const topic = bench.fresh('visible');
  const perSecond = 20_000;
  const size = 100;
  const { client } = bench.caudal;
  const body = Array.from({ length: size }, (_, n) => event(n)).join('\n');
  await client.post(`topics/${topic}/events?wait=true`, { ...JSON.parse(event(0)), probe: 0 });
  const generator = startChild<HttpLoad, HttpLoadResult>(GENERATOR);
  const prober = startChild<Visible, VisibleResult>(new URL('../harness/visible.child.ts', import.meta.url));
  try {
    const ms = bench.quick ? 5000 : 20_000;
    const post = poster(bench, topic, { 'content-type': 'application/x-ndjson' }, body);
    const background = generator.ask({ ...post, connections: 16, ms, per_second: perSecond / size });
    const found = await prober.ask({ url: client.url, token: client.token, topic, ms: ms - 1000 });
    const load = await background;
    refuseRefused(load);
    await drained(bench, topic);
    const [p50, p99] = [quantile(found.ms, 0.5), quantile(found.ms, 0.99)];
    return [
      {
        row: 8,
        work: `publish → GET rows shows it, ${found.ms.length} times, at ${thousands(load.per_second * size)} events/s`,
        caudal: `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`,
        reference: '—',
        ratio: '—',
        mark: 'p50 ≤ 300 ms, p99 ≤ 1 s',
        held: p50 <= 300 && p99 <= 1000 && load.per_second * size > 0.98 * perSecond,
      },
    ];
  } finally {
    await Promise.all([generator.stop(), prober.stop()]);
  }
};

function poster(
  bench: Bench,
  topic: string,
  headers: Record<string, string>,
  body: string,
): Omit<HttpLoad, 'connections' | 'ms'> {
  const { url, token } = bench.caudal.client;
  return {
    method: 'POST',
    ...{ port: Number(new URL(url).port), path: `/topics/${topic}/events`, body },
    headers: { authorization: `Bearer ${token}`, ...headers },
  };
}

function refuseRefused({ refused }: HttpLoadResult): void {
  if (refused > 0) throw new Error(`${refused} requests were refused`);
}

/** What was acknowledged is still being written: it must not disturb the other side's turn. */
async function drained(bench: Bench, topic: string): Promise<void> {
  while ((await bench.caudal.client.get<Topic>(`topics/${topic}`)).backlog > 0) await delay(100);
}

/** A PostgreSQL of the same binaries and settings, in a directory of its own. */
async function withPostgres<T>(work: (postgres: RunningPostgres) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-bench-events-'));
  chmodSync(dir, 0o711);
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), log: pino({ level: 'silent' }) });
  try {
    return await work(postgres);
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function thousands(count: number): string {
  return `${(count / 1000).toFixed(1)} k`;
}

function cpu<R extends { cost: Cost }>(runs: readonly R[], unitsOf: (run: R) => number): string {
  return `${median(runs.map((run) => (1000 * run.cost.cpu_ms) / unitsOf(run))).toFixed(0)} µs`;
}

function memory(runs: readonly { cost: Cost }[]): string {
  return megabytes(median(runs.map(({ cost }) => cost.growth_bytes)));
}
