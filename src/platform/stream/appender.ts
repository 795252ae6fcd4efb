import { setTimeout as rest } from 'node:timers/promises';
import type pg from 'pg';
import { fail } from '#kernel/errors.ts';
import { recordSpan, untraced } from '#platform/observe/tracing.ts';
import { INSERT_BATCHES, type KeptAnswer, manifestOf, type PackedBatch, packBatch } from './append.ts';
import type { Appended, NewBatch } from './batch.ts';

export interface AppenderOptions {
  pool: pg.Pool;
  /** Bounds of one transaction. */
  most_batches?: number;
  most_bytes?: number;
  /** What may wait for its transaction; beyond, requests are sent away with 503. */
  most_waiting_bytes?: number;
}

export interface Appender {
  /**
   * Appends a batch in a transaction that it shares with whatever came at the same time, and resolves when that
   * is durable. With `answerOf` the answer is kept under its Idempotency-Key in the same transaction.
   *
   * @returns undefined when that key was used before: nothing was appended
   * @throws topic_not_found when the stream was deleted; not_ready when too much is waiting
   */
  append(batch: NewBatch, answerOf?: (batchId: string) => KeptAnswer): Promise<Appended | undefined>;
  /** Batches and bytes that wait or are being written. */
  load(): { batches: number; bytes: number };
  /** Resolves when nothing is under way. */
  close(): Promise<void>;
}

interface Written {
  appended: Appended | undefined;
  /** Batches of the same transaction. */
  together: number;
}

interface Waiting {
  batch: PackedBatch;
  resolve(written: Written): void;
  reject(error: unknown): void;
}

/** Measured (64 connections, one event each): groups of 20–40; larger ones only wait longer. */
const MOST_BATCHES = 500;
const MOST_BYTES = 8 * 2 ** 20;
const MOST_WAITING_BYTES = 128 * 2 ** 20;

/** At most this long a rest between two transactions. */
const MOST_REST_MS = 10;

/**
 * Group commit: one transaction at a time; who comes while it runs joins the next. A lone request does not wait for
 * company: an idle appender begins at once. A busy one rests twice as long as its last transaction took, and its
 * groups become three times as large: at 1,000 requests a second the database spends half as much on them.
 */
export function createAppender(options: AppenderOptions): Appender {
  const { pool, most_batches = MOST_BATCHES, most_bytes = MOST_BYTES } = options;
  const line: Waiting[] = [];
  let bytes = 0;
  let running: Promise<void> | undefined;

  const next = (): Waiting[] => {
    const group: Waiting[] = [];
    const keys = new Set<string>();
    let size = 0;
    // A key that is twice in one statement would be an error of it: the repeat waits for the next group.
    for (const one of line) {
      const key = one.batch.answer ? JSON.stringify(keyOf(one.batch.answer)) : one.batch.id;
      if (group.length > 0 && (size + one.batch.payload.length > most_bytes || keys.has(key))) break;
      group.push(one);
      keys.add(key);
      size += one.batch.payload.length;
      if (group.length === most_batches) break;
    }
    line.splice(0, group.length);
    return group;
  };
  const run = async (): Promise<void> => {
    // Requests that were parsed in the same turn of the loop share the first transaction.
    await new Promise((resolve) => setImmediate(resolve));
    while (line.length > 0) {
      const began = performance.now();
      await write(pool, next());
      if (line.length > 0 && line.length < most_batches)
        await rest(Math.min(MOST_REST_MS, 2 * (performance.now() - began)));
    }
    running = undefined;
  };

  return {
    async append(batch, answerOf) {
      if (bytes + batch.ndjson.length > (options.most_waiting_bytes ?? MOST_WAITING_BYTES)) {
        throw fail('not_ready', 'More is being published than can be written at the moment.', { retry_after: 1 });
      }
      const size = batch.ndjson.length;
      bytes += size;
      try {
        const packed = await packBatch(batch);
        if (answerOf) packed.answer = answerOf(packed.id);
        const { promise, resolve, reject } = Promise.withResolvers<Written>();
        const since = Date.now();
        line.push({ batch: packed, resolve, reject });
        running ??= untraced(run);
        const { appended, together } = await promise;
        recordSpan('append', { start: since, end: Date.now(), attributes: attributesOf(packed, together) });
        return appended;
      } finally {
        bytes -= size;
      }
    },
    load: () => ({ batches: line.length, bytes }),
    async close() {
      while (running) await running;
    },
  };
}

function attributesOf({ count, bytes }: PackedBatch, together: number): Record<string, number> {
  return { 'messaging.batch.message_count': count, 'caudal.batch.bytes': bytes, 'caudal.group.batches': together };
}

function keyOf({ workspace, principal, route, key }: KeptAnswer): string[] {
  return [workspace, principal, route, key];
}

async function write(pool: pg.Pool, group: Waiting[]): Promise<void> {
  const { manifest, payload } = manifestOf(group.map(({ batch }) => batch));
  try {
    const { rows } = await pool.query<Appended>({
      name: 'append-batches',
      text: INSERT_BATCHES,
      values: [manifest, payload],
    });
    const appended = new Map(rows.map((row) => [row.batch_id, row]));
    for (const { batch, resolve, reject } of group) {
      const found = appended.get(batch.id);
      if (found || batch.answer) resolve({ appended: found, together: group.length });
      else reject(fail('topic_not_found', 'The topic was deleted.'));
    }
  } catch (error) {
    for (const { reject } of group) reject(error);
  }
}
