import { join } from 'node:path';
import type { DuckDBInstance } from '@duckdb/node-api';
import type { Clock } from '#kernel/clock.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Logger } from '#platform/observe/log.ts';
import { openSegments, readSegments } from '../query/view.ts';
import { BY_HOUR, type Kept, MERGES } from '../schema.ts';
import { writeSegment } from './flush.ts';
import { commitCompaction, usedBytes } from './segments.ts';

export interface UpkeepOptions {
  db: Db;
  objects: ObjectStore;
  instance: DuckDBInstance;
  /** The store's own directory. */
  directory: string;
  clock: Clock;
  log: Logger;
  /** How long each signal is kept, in ms, by arrival. */
  keepMs: Record<Kept, number>;
  /** What everything may take on disk, also while it is rewritten; the oldest go first, the newest hour stays. */
  maxBytes: number;
  /** Longer than the longest query: a removed segment's object stays readable for this long. */
  graceMs: number;
}

export interface UpkeepReport {
  compacted: number;
  expired: number;
  deleted: number;
  orphans: number;
}

const LOCK = 7_306_254_106;
/** Segments of an hour are merged once it is this long over, so that late flushes are in. */
const SETTLED = '5 minutes';
const ORPHAN_AGE_MS = 3_600_000;
/** One merge reads at most this much: it runs beside queries, in the same memory. */
const MOST_PER_MERGE = 512;

/**
 * Merges the minute segments of every full hour into one sorted segment, lets what is too old or too much go, and
 * deletes objects nobody refers to. One process of the installation at a time; the others return null.
 */
export async function runUpkeep(options: UpkeepOptions): Promise<UpkeepReport | null> {
  return options.db.connection().execute(async (db) => {
    const [lock] = await rows(db, sql<{ held: boolean }>`SELECT pg_try_advisory_lock(${LOCK}) AS held`);
    if (!lock?.held) return null;
    try {
      const expired = (await expireByAge(options)) + (await expireByBytes(options));
      const deleted = await deleteRemoved(options);
      const compacted = await compactHours(options);
      const orphans = await sweepOrphans(options);
      return { compacted, expired, deleted, orphans };
    } finally {
      await sql`SELECT pg_advisory_unlock(${LOCK})`.execute(db);
    }
  });
}

interface Hour {
  signal: Kept;
  workspace_id: string | null;
  ids: string[];
  keys: string[];
  newest: Date;
}

/** @returns how many segments were merged away. */
async function compactHours(options: UpkeepOptions): Promise<number> {
  const hours = await rows(
    options.db,
    sql<Hour>`
      SELECT signal, workspace_id, array_agg(id::text ORDER BY created_at) AS ids,
             array_agg(object_key ORDER BY created_at) AS keys, max(created_at) AS newest
      FROM telemetry_segments
      WHERE removed_at IS NULL AND NOT compacted
        AND created_at < date_trunc('hour', ${options.clock.now()}::timestamptz - ${SETTLED}::interval)
      GROUP BY signal, workspace_id, date_trunc('hour', created_at)
      HAVING count(*) > 1 OR signal = 'spans'`,
  );
  let merged = 0;
  for (const hour of hours) {
    for (let start = 0; start < hour.ids.length; start += MOST_PER_MERGE) {
      const ids = hour.ids.slice(start, start + MOST_PER_MERGE);
      const keys = hour.keys.slice(start, start + MOST_PER_MERGE);
      if ((ids.length > 1 || hour.signal === 'spans') && (await mergeSegments(options, hour, ids, keys)))
        merged += ids.length;
    }
  }
  return merged;
}

async function mergeSegments(options: UpkeepOptions, hour: Hour, ids: string[], keys: string[]): Promise<boolean> {
  const { signal, workspace_id, newest } = hour;
  if (!(await hasRoom(options, ids))) return false;
  const files = await openSegments(
    options.objects,
    keys.map((object_key) => ({ object_key })),
  );
  try {
    const target = { objects: options.objects, temporary: join(options.directory, 'tmp'), now: newest };
    const query = mergeQuery(signal, readSegments(signal, files.paths));
    const segments = [await writeSegment(options.instance, signal, workspace_id, query, target)];
    const hourly = BY_HOUR[signal];
    if (hourly) {
      const made = hourly.of(`(${readSegments(signal, files.paths)})`);
      segments.push(await writeSegment(options.instance, hourly.kept, workspace_id, made, target));
    }
    return await commitCompaction(
      options.db,
      ids,
      segments.filter((segment) => segment !== null),
      newest,
    );
  } finally {
    await files.release();
  }
}

function mergeQuery(signal: Kept, read: string): string {
  return MERGES[signal]?.(`(${read})`) ?? read;
}

async function expireByAge({ db, clock, keepMs }: UpkeepOptions): Promise<number> {
  let expired = 0;
  for (const [signal, keep] of Object.entries(keepMs)) {
    const limit = new Date(clock.now().getTime() - keep);
    const gone = await rows(
      db,
      sql`UPDATE telemetry_segments SET removed_at = now()
          WHERE signal = ${signal} AND removed_at IS NULL AND created_at < ${limit} RETURNING id`,
    );
    expired += gone.length;
  }
  return expired;
}

/** What is live may take so much: the rest is for what is buffered, being rewritten, or removed and still read. */
const LIVE_SHARE = 0.7;
const NEWEST_MS = 3_600_000;

async function expireByBytes({ db, clock, maxBytes }: UpkeepOptions): Promise<number> {
  const hour = new Date(clock.now().getTime() - NEWEST_MS);
  const gone = await rows(
    db,
    sql`
      UPDATE telemetry_segments SET removed_at = now() WHERE id IN (
        SELECT id FROM (
          SELECT id, created_at, sum(bytes) OVER (ORDER BY created_at DESC, id DESC) AS newer
          FROM telemetry_segments WHERE removed_at IS NULL) AS sums
        WHERE newer > ${LIVE_SHARE * maxBytes} AND created_at < ${hour}) RETURNING id`,
  );
  return gone.length;
}

/** A rewrite needs as much again as what it reads, until that is deleted. */
async function hasRoom({ db, maxBytes }: UpkeepOptions, ids: readonly string[]): Promise<boolean> {
  const [inputs] = await rows(
    db,
    sql<{ bytes: number }>`SELECT sum(bytes) AS bytes FROM telemetry_segments WHERE id = ANY(${ids}::uuid[])`,
  );
  return (await usedBytes(db)) + (inputs?.bytes ?? 0) <= FULL_SHARE * maxBytes;
}

/** From here on a removed object waits only for the longest query of our own. */
const FULL_SHARE = 0.9;
const SHORT_GRACE_MS = 60_000;

/** The object goes first: a crash in between leaves a row that is tried again, never an object that nobody knows. */
async function deleteRemoved({ db, objects, graceMs, maxBytes }: UpkeepOptions): Promise<number> {
  const pressed = (await usedBytes(db)) > FULL_SHARE * maxBytes;
  const grace = pressed ? Math.min(graceMs, SHORT_GRACE_MS) : graceMs;
  const removed = await rows(
    db,
    sql<{ id: string; object_key: string }>`
      SELECT id, object_key FROM telemetry_segments
      WHERE removed_at < now() - make_interval(secs => ${grace / 1000}::double precision)`,
  );
  for (const { id, object_key } of removed) {
    await objects.delete(object_key);
    await sql`DELETE FROM telemetry_segments WHERE id = ${id}`.execute(db);
  }
  // Their files were unlinked right after the flush, or by a recovery long since.
  await sql`DELETE FROM telemetry_flushes WHERE flushed_at < now() - interval '7 days'`.execute(db);
  return removed.length;
}

/** Objects that were written for a transaction that never came. */
async function sweepOrphans({ db, objects, clock, log }: UpkeepOptions): Promise<number> {
  const limit = clock.now().getTime() - ORPHAN_AGE_MS;
  const known = new Set(
    (await rows(db, sql<{ object_key: string }>`SELECT object_key FROM telemetry_segments`)).map(
      (row) => row.object_key,
    ),
  );
  let swept = 0;
  for await (const object of objects.list('telemetry/')) {
    if (known.has(object.key) || object.modified_at.getTime() > limit) continue;
    log.warn({ key: object.key }, 'telemetry: deleting an object that no segment refers to');
    await objects.delete(object.key);
    swept += 1;
  }
  return swept;
}
