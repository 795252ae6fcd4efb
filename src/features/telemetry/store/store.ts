import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#kernel/clock.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Logger } from '#platform/observe/log.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { type Accepted, type OtlpExport, unpack } from '../intake.ts';
import { decodeExport, type OtlpSignal } from '../otlp/decode.ts';
import { type Flattened, flatten } from '../otlp/flatten.ts';
import type { Sender } from '../otlp/origin.ts';
import { readSpans } from '../otlp/read-spans.ts';
import { noRows, type Rows, SIGNALS } from '../schema.ts';
import { type Buffer, type Generation, openBuffer } from './buffer.ts';
import { writeSegments } from './flush.ts';
import { createQuotas, type QuotaLimits } from './quota.ts';
import { commitFlush, isFlushed, usedBytes } from './segments.ts';
import { createWal, listWals, readWal, removeWal, type Wal, type WalRecord } from './wal.ts';

export interface StoreOptions {
  /** Of this store alone; holds the write-ahead files, which must survive, and temporary files, which need not. */
  directory: string;
  db: Db;
  objects: ObjectStore;
  log: Logger;
  clock: Clock;
  /** DuckDB's `memory_limit`, e.g. `256MB`. */
  memoryLimit: string;
  /** Bytes that may wait for a flush; beyond, the intake answers 503. */
  maxBufferedBytes: number;
  /** Free disk under which the intake answers 503. */
  diskFloorBytes: number;
  flushEveryMs: number;
  /** What everything of the store may take on disk; reached, the intake answers 503 until upkeep has made room. */
  maxBytes: number;
  quotas: QuotaLimits;
  /** Called when there is no room: the oldest should go now. */
  onPressure?: () => void;
}

export interface TelemetryStore {
  readonly buffer: Buffer;
  readonly db: Db;
  readonly objects: ObjectStore;
  readonly directory: string;
  /** On disk and readable when it resolves. @throws otlp_malformed, payload_too_large, telemetry_full */
  accept(message: OtlpExport, sender: Sender): Promise<Accepted>;
  /** Bytes of write-ahead files that are not yet in segments. */
  buffered(): number;
  /** Everything acknowledged before the call is in committed segments when it resolves. */
  flush(): Promise<void>;
  /** Flushes what it can; the rest stays in the write-ahead files for the next start. */
  close(): Promise<void>;
}

/** A generation and the file that keeps it, while they fill. */
interface Filling {
  wal: Wal;
  generation: Generation;
}

/** Closed, and not yet in segments. */
interface Waiting {
  generation: Generation;
  bytes: number;
}

interface Pending {
  record: WalRecord;
  rows: Rows;
  done: PromiseWithResolvers<void>;
}

/** A file is closed at this size, and becomes segments, even before its minute is over: 90,000 small spans. */
const ROTATE_BYTES = 16 << 20;
const RETRY_SECONDS = 5;

/**
 * Acknowledged exports live in a write-ahead file and, for readers, in memory; once a minute they become Parquet
 * segments, one per workspace and signal. A crash at any point loses nothing and doubles nothing: the file's id is
 * committed in the same transaction as its segments.
 */
export async function openStore(options: StoreOptions): Promise<TelemetryStore> {
  const { db, log } = options;
  const walDirectory = join(options.directory, 'wal');
  const temporary = join(options.directory, 'tmp');
  await rm(temporary, { recursive: true, force: true });
  for (const each of [walDirectory, temporary]) await mkdir(each, { recursive: true, mode: 0o700 });
  const buffer = await openBuffer({ memoryLimit: options.memoryLimit, tempDirectory: join(temporary, 'duckdb') });

  const start = async (): Promise<Filling> => {
    const wal = await createWal(walDirectory);
    return { wal, generation: await buffer.open(wal.id) };
  };
  /** Closed, not yet committed; oldest first. */
  const waiting: Waiting[] = await recover(options, walDirectory, buffer);
  let filling = await start();
  let pending: Pending[] = [];
  const exclusive = queueOf();
  const flushes = queueOf();
  const disk = diskWatch(options);
  const quotas = createQuotas(options.quotas, options.clock);
  const usage = usageWatch(options);

  const commitGroup = async (): Promise<void> => {
    const group = pending;
    pending = [];
    if (group.length === 0) return;
    try {
      await filling.wal.append(group.map((each) => each.record));
      await buffer.append(filling.generation, merge(group));
      for (const each of group) each.done.resolve();
    } catch (error) {
      log.error({ err: error }, 'telemetry: an export could not be stored');
      const full = fail('telemetry_full', 'The telemetry store cannot take more now.', {
        retry_after: RETRY_SECONDS,
        cause: error,
      });
      for (const each of group) each.done.reject(full);
    }
    if (filling.wal.bytes < ROTATE_BYTES) return;
    await rotate();
    background();
  };

  const rotate = async (): Promise<void> => {
    if (filling.wal.bytes === 0) return;
    const next = await start();
    waiting.push({ generation: filling.generation, bytes: filling.wal.bytes });
    await filling.wal.close();
    filling = next;
  };

  /** What DuckDB could not take, for want of memory say, is still in the write-ahead file. */
  const readAgain = async (of: Waiting, why: Error): Promise<void> => {
    const { wal_id } = of.generation;
    log.warn({ err: why, wal_id }, 'telemetry: what waits was not kept whole, reading it again');
    const records = await readWal(walDirectory, wal_id);
    await buffer.drop(of.generation);
    of.generation = await reopen(buffer, wal_id, records);
    const failure = buffer.settle(of.generation);
    if (failure) throw new Error(`DuckDB could not take the rows of ${wal_id}`, { cause: failure });
  };

  const flushAll = async (): Promise<void> => {
    await exclusive(rotate);
    for (let first = waiting[0]; first; first = waiting[0]) {
      const { wal_id } = first.generation;
      // A commit whose answer was lost is a commit.
      if (!(await isFlushed(db, wal_id))) {
        const failure = buffer.settle(first.generation);
        if (failure) await readAgain(first, failure);
        const target = { objects: options.objects, temporary, now: options.clock.now() };
        const segments = await writeSegments(buffer.instance, first.generation, target);
        await commitFlush(db, wal_id, segments, target.now);
        usage.forget();
      }
      waiting.shift();
      await buffer.drop(first.generation);
      await removeWal(walDirectory, wal_id);
    }
  };
  const flush = joined(flushes, flushAll);

  const background = (): void => {
    flush().catch((error) => log.error({ err: error }, 'telemetry: flush failed, trying again'));
  };
  if (waiting.length > 0) background();
  const timer = setInterval(background, options.flushEveryMs).unref();

  const buffered = (): number => waiting.reduce((sum, each) => sum + each.bytes, filling.wal.bytes);

  const refuseWhenFull = async (size: number): Promise<void> => {
    if (buffered() + size > options.maxBufferedBytes) {
      background();
      throw fail('telemetry_full', 'Too much telemetry waits to be written.', { retry_after: RETRY_SECONDS });
    }
    // A flush writes segments while its write-ahead file is still there: what is buffered counts twice.
    if ((await usage.bytes()) + 2 * (buffered() + size) > options.maxBytes) {
      options.onPressure?.();
      background();
      throw fail('telemetry_full', 'The telemetry store has all the space that it may take.', {
        retry_after: RETRY_SECONDS,
      });
    }
    if (await disk.low()) {
      throw fail('telemetry_full', 'The disk is almost full, so no telemetry is taken.', { retry_after: 60 });
    }
  };

  const keep = async (message: OtlpExport, sender: Sender): Promise<Flattened> => {
    const body = await unpack(message);
    await refuseWhenFull(body.length);
    const received_ns = BigInt(options.clock.now().getTime()) * 1_000_000n;
    const { signal, format } = message;
    const record: WalRecord = { signal, format, sender, received_ns, body };
    const flattened = flattenRecord(record);
    if (sender.kind === 'workspace') {
      const systems = flattened.rows.resources.map(({ system }) => String(system));
      quotas.charge(sender.workspace_id, systems, body.length);
    }
    const done = Promise.withResolvers<void>();
    pending.push({ record, rows: flattened.rows, done });
    void exclusive(commitGroup);
    await done.promise;
    return flattened;
  };

  return {
    buffer,
    db,
    objects: options.objects,
    directory: options.directory,
    async accept(message, sender) {
      const { signal } = message;
      try {
        const { rows, rejected, reason } = await keep(message, sender);
        countItems(signal, rows, rejected);
        return { rejected, reason };
      } catch (error) {
        const code = error instanceof CaudalError ? error.code : 'internal';
        counter('caudal.telemetry.exports.refused').add(1, { 'caudal.signal': signal, 'error.type': code });
        throw error;
      }
    },
    buffered,
    flush,
    async close() {
      clearInterval(timer);
      await flush().catch((error) => log.warn({ err: error }, 'telemetry: not flushed, kept for the next start'));
      await exclusive(() => filling.wal.close());
      if (filling.wal.bytes === 0) await removeWal(walDirectory, filling.wal.id);
      buffer.close();
    },
  };
}

/** @throws otlp_malformed */
function flattenRecord({ signal, format, body, sender, received_ns }: WalRecord): Flattened {
  const direct = signal === 'traces' && format === 'protobuf' ? readSpans(body, sender, received_ns) : null;
  return direct ?? flatten(decodeExport(signal, format, body), sender, received_ns);
}

function countItems(signal: OtlpSignal, rows: Rows, rejected: number): void {
  const accepted = rows.spans.length + rows.logs.length + rows.points.length + rows.hpoints.length;
  const items = counter('caudal.telemetry.items');
  if (accepted > 0) items.add(accepted, { 'caudal.signal': signal, 'caudal.outcome': 'accepted' });
  if (rejected > 0) items.add(rejected, { 'caudal.signal': signal, 'caudal.outcome': 'refused' });
}

function merge(group: readonly Pending[]): Rows {
  const [only] = group;
  if (only && group.length === 1) return only.rows;
  const rows = noRows();
  for (const signal of SIGNALS) {
    const into: unknown[] = rows[signal];
    for (const each of group) for (const row of each.rows[signal]) into.push(row);
  }
  return rows;
}

/** What a crash left: files whose segments are committed go, the others are read again. */
async function recover(options: StoreOptions, directory: string, buffer: Buffer): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  for (const id of await listWals(directory)) {
    const records = (await isFlushed(options.db, id)) ? [] : await readWal(directory, id);
    if (records.length === 0) {
      await removeWal(directory, id);
      continue;
    }
    const generation = await reopen(buffer, id, records);
    const bytes = records.reduce((sum, record) => sum + record.body.length, 0);
    waiting.push({ generation, bytes });
    options.log.info({ exports: records.length, rows: generation.rows }, 'telemetry: recovered after a crash');
  }
  return waiting;
}

async function reopen(buffer: Buffer, walId: string, records: readonly WalRecord[]): Promise<Generation> {
  const generation = await buffer.open(walId);
  for (const record of records) await buffer.append(generation, flattenRecord(record).rows);
  return generation;
}

/** Runs one thing after another; a failure does not stop the next. */
function queueOf(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}

/** Callers that come while a run is only queued share it; one that has begun may have missed what they wrote. */
function joined(queue: ReturnType<typeof queueOf>, work: () => Promise<void>): () => Promise<void> {
  let queued: Promise<void> | null = null;
  return () => {
    queued ??= queue(() => {
      queued = null;
      return work();
    });
    return queued;
  };
}

/** What the segments take, also those that are removed and still there; asked for again after each flush. */
function usageWatch({ db, clock }: StoreOptions): { bytes(): Promise<number>; forget(): void } {
  let known: Promise<number> | null = null;
  let seen = Number.NEGATIVE_INFINITY;
  return {
    bytes() {
      if (!known || clock.monotonic() - seen >= DISK_EVERY_MS) {
        seen = clock.monotonic();
        known = usedBytes(db);
        known.catch(() => {
          known = null;
        });
      }
      return known;
    },
    forget() {
      known = null;
    },
  };
}

const DISK_EVERY_MS = 5000;

function diskWatch(options: StoreOptions): { low(): Promise<boolean> } {
  let seen = Number.NEGATIVE_INFINITY;
  let low = false;
  return {
    async low() {
      const now = options.clock.monotonic();
      if (now - seen < DISK_EVERY_MS) return low;
      seen = now;
      const { bavail, bsize } = await statfs(options.directory);
      low = bavail * bsize < options.diskFloorBytes;
      return low;
    },
  };
}
