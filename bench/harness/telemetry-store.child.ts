import { join } from 'node:path';
import pino from 'pino';
import { metricAsker } from '../../src/features/telemetry/metrics.route.ts';
import { localReader } from '../../src/features/telemetry/query/local-reader.ts';
import type { TelemetryReader } from '../../src/features/telemetry/reader.ts';
import { KEPT } from '../../src/features/telemetry/schema.ts';
import { openBuffer, tableOf } from '../../src/features/telemetry/store/buffer.ts';
import { withConnection } from '../../src/features/telemetry/store/duckdb.ts';
import { writeSegments } from '../../src/features/telemetry/store/flush.ts';
import { commitFlush } from '../../src/features/telemetry/store/segments.ts';
import { openStore, type StoreOptions, type TelemetryStore } from '../../src/features/telemetry/store/store.ts';
import { runUpkeep, type UpkeepOptions } from '../../src/features/telemetry/store/upkeep.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { openDatabase, rows, sql } from '../../src/platform/db/db.ts';
import { openDiskStore } from '../../src/platform/objects/disk-store.ts';
import { postgresPartLedger } from '../../src/platform/objects/part-ledger.ts';
import { answer } from './child.ts';
import { type Day, insertDay, SPANS_PER_TRACE, traceIdOf } from './telemetry-rows.ts';

/** A day of telemetry written through the store's own flush and merged by its own upkeep, then asked. */
export interface TelemetryWork {
  url: string;
  directory: string;
  spans: number;
  hours: number;
  /** Of each question, after one that does not count. */
  rounds: number;
}

export type Question = (typeof QUESTIONS)[number];
export const QUESTIONS = [
  'trace by id',
  'trace by id, about when',
  'newest 50 traces',
  'newest 50 of a service',
  'newest 50 with an error in 1 h',
  'newest 50 slower than 50 ms',
  'traces of one customer',
  'newest 100 logs in 1 h',
  'rate of 50 series over 24 h',
  'fleet of 50 systems over 24 h',
  'map of 150 services over 24 h',
] as const;

export interface TelemetryTimes {
  write_ms: number;
  compact_ms: number;
  /** Live objects of all signals. */
  bytes: number;
  span_bytes: number;
  segments: number;
  ms: Record<Question, number[]>;
  rss: number;
}

const HOUR = 3_600_000;
const log = pino({ level: 'silent' });

answer<TelemetryWork, TelemetryTimes>(async (work) => {
  const database = openDatabase({ url: work.url, applicationName: 'bench', max: 10, onError: () => undefined });
  const { db } = database;
  const ledger = postgresPartLedger(db);
  const root = join(work.directory, 'objects');
  const objects = await openDiskStore({ root, signingKey: Buffer.alloc(32, 1), ledger, diskFloor: 0 });
  const start = (Math.floor(Date.now() / HOUR) - work.hours - 1) * HOUR;
  const day: Day = { workspace_id: newId(), start, hours: work.hours, spans: work.spans };
  const options: StoreOptions = {
    ...{ directory: join(work.directory, 'telemetry'), db, objects, log, clock: systemClock, memoryLimit: '192MB' },
    ...{ maxBufferedBytes: 256 << 20, diskFloorBytes: 0, flushEveryMs: HOUR, maxBytes: 1e12 },
    quotas: { workspace: 1e12, system: 1e12 },
  };
  const store = await openStore(options);
  try {
    const write_ms = await timed(() => write(store, day));
    const compact_ms = await timed(() => compact(store));
    const found = await rows(
      db,
      sql<{ signal: string; bytes: number; segments: number }>`
        SELECT signal, sum(bytes) AS bytes, count(*) AS segments FROM telemetry_segments
        WHERE removed_at IS NULL AND workspace_id = ${day.workspace_id} GROUP BY signal`,
    );
    const ms = {} as TelemetryTimes['ms'];
    for (const question of QUESTIONS) ms[question] = await ask(localReader(store), day, question, work.rounds);
    return {
      ...{ write_ms, compact_ms, ms },
      bytes: found.reduce((sum, { bytes }) => sum + Number(bytes), 0),
      span_bytes: Number(found.find(({ signal }) => signal === 'spans')?.bytes ?? 0),
      segments: found.reduce((sum, { segments }) => sum + Number(segments), 0),
      rss: process.memoryUsage.rss(),
    };
  } finally {
    await store.close();
    await objects.close();
    await database.close();
  }
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const FLUSHES_PER_HOUR = 6;

/** A DuckDB of its own makes the rows, so that the store's memory is what it is in use. */
async function write({ db, objects, directory }: TelemetryStore, day: Day): Promise<void> {
  const temporary = join(directory, 'tmp');
  const buffer = await openBuffer({ memoryLimit: '1GB', tempDirectory: join(temporary, 'making') });
  const flushes = day.hours * FLUSHES_PER_HOUR;
  try {
    for (let flush = 0; flush < flushes; flush += 1) {
      const generation = await buffer.open(newId());
      const table = (signal: string) => tableOf(signal as Parameters<typeof tableOf>[0], generation);
      await withConnection(buffer.instance, async (run) => {
        for (const insert of insertDay(day, flush / flushes, (flush + 1) / flushes, table)) await run(insert);
      });
      const now = new Date(day.start + ((flush + 0.5) / FLUSHES_PER_HOUR) * HOUR);
      const segments = await writeSegments(buffer.instance, generation, { objects, temporary, now });
      await commitFlush(db, generation.wal_id, segments, now);
      await buffer.drop(generation);
    }
  } finally {
    buffer.close();
  }
}

async function compact({ db, objects, directory, buffer: { instance } }: TelemetryStore): Promise<void> {
  const keepMs = Object.fromEntries(KEPT.map((kept) => [kept, 1000 * HOUR])) as UpkeepOptions['keepMs'];
  const clock = systemClock;
  await runUpkeep({ db, objects, instance, directory, clock, log, keepMs, maxBytes: 1e12, graceMs: 1000 * HOUR });
}

/** Every round asks for something else. */
async function ask(reader: TelemetryReader, day: Day, question: Question, rounds: number): Promise<number[]> {
  const visible = { workspace_id: day.workspace_id, operator: false };
  const end = day.start + day.hours * HOUR;
  const ns = (ms: number) => BigInt(Math.floor(ms)) * 1_000_000n;
  const newest = { limit: 50, range: {} };
  const wholeDay = { from_ns: ns(day.start), to_ns: ns(end) };
  const lastHour = { from_ns: ns(end - HOUR), to_ns: ns(end) };
  const operator = { ...visible, scopes: ['telemetry:read'] } as unknown as Parameters<
    ReturnType<typeof metricAsker>
  >[0];
  const run: Record<Question, (trace: { id: string; at: number }, round: number) => Promise<unknown[]>> = {
    'trace by id': async ({ id }) => (await reader.trace(visible, id))?.spans ?? [],
    'trace by id, about when': async ({ id, at }) =>
      (await reader.trace(visible, id, { from_ns: ns(at - HOUR), to_ns: ns(at + HOUR) }))?.spans ?? [],
    'newest 50 traces': async () => (await reader.traces(visible, newest)).items,
    'newest 50 of a service': async () => (await reader.traces(visible, { ...newest, service: 'pay' })).items,
    'newest 50 with an error in 1 h': async () =>
      (await reader.traces(visible, { ...newest, status: 'error', range: lastHour })).items,
    'newest 50 slower than 50 ms': async () =>
      (await reader.traces(visible, { ...newest, min_duration_ns: 50e6 })).items,
    'traces of one customer': async (_, round) =>
      (await reader.traces(visible, { ...newest, attributes: { customer: `c-${round}` } })).items,
    'newest 100 logs in 1 h': async () => (await reader.logs(visible, { limit: 100, range: lastHour })).items,
    'rate of 50 series over 24 h': async (_, round) => {
      const range = { from: new Date(day.start).toISOString(), to: new Date(end).toISOString(), step: '5m' };
      return [await metricAsker(reader)(operator, `rate(shop_orders_total[${5 + round}m])`, range)];
    },
    'fleet of 50 systems over 24 h': async () => (await reader.fleet(visible, wholeDay)).items,
    'map of 150 services over 24 h': async () => (await reader.services(visible, { range: wholeDay })).edges,
  };
  const times: number[] = [];
  const traces = day.spans / SPANS_PER_TRACE;
  for (let round = 0; round <= rounds; round += 1) {
    const trace = Math.floor((traces * (round + 0.5)) / (rounds + 1));
    const at = day.start + (day.hours * HOUR * trace) / traces;
    const id = traceIdOf(day, trace);
    const began = performance.now();
    const found = await run[question]({ id, at }, round);
    if (round > 0) times.push(performance.now() - began);
    if (found.length === 0 && question !== 'traces of one customer') throw new Error(`${question}: nothing found`);
  }
  return times;
}
