import type pg from 'pg';
import type { Column } from '#contract/columns.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import type { DatasetSnapshot, SegmentColumn, SegmentRef } from './snapshot.ts';

export interface DatasetRef {
  workspace_id: string;
  /** One of `name` and `id`. */
  name?: string;
  id?: string;
  /** Absent: the newest. */
  version?: number;
}

type HeadRow = Omit<DatasetSnapshot, 'segments'>;

interface SegmentRow {
  id: string;
  object_key: string;
  rows: number;
  bytes: number;
  source_ids: string[];
  first_line: number | null;
  columns: SegmentColumn[];
  deleted: number[] | null;
}

const HEAD = sql`d.id, d.workspace_id, d.name, d.mode, d.version, d.columns, d.rows, d.bytes, d.reports, d.created_at, d.updated_at`;

/** Profiles stay in the catalogue: at 10⁴ segments they would be most of the answer and no query needs them. */
const SEGMENT = sql`
  'id', s.id, 'object_key', s.object_key, 'rows', s.rows, 'bytes', s.bytes, 'source_ids', s.source_ids,
  'first_line', s.first_line, 'columns', s.columns`;

/** What had ended by a version. Few segments have any, and those that have none cost no look-up. */
function deletedBy(version: ReturnType<typeof sql>): ReturnType<typeof sql> {
  return sql`
    'deleted', CASE WHEN s.deleted > 0 THEN (
      SELECT json_agg(p ORDER BY p) FROM segment_deletes sd, unnest(sd.positions) AS p
      WHERE sd.segment_id = s.id AND sd.version <= ${version}) END`;
}

const NONE: readonly number[] = [];

function named(ref: DatasetRef): ReturnType<typeof sql> {
  return ref.id === undefined ? sql`d.name = ${ref.name ?? ''}` : sql`d.id = ${isUuid(ref.id) ? ref.id : null}`;
}

/** @throws dataset_not_found, also for another workspace's dataset */
async function head(db: Db, ref: DatasetRef): Promise<HeadRow> {
  const row = await first(
    db,
    sql<HeadRow>`
      SELECT ${HEAD} FROM datasets d
      WHERE d.workspace_id = ${ref.workspace_id} AND d.deleted_at IS NULL AND ${named(ref)}`,
  );
  return row ?? missing(ref);
}

function missing(ref: DatasetRef): never {
  throw fail('dataset_not_found', `There is no dataset "${(ref.name ?? ref.id ?? '').slice(0, 200)}".`, {
    hint: 'GET /datasets lists those you may see.',
  });
}

/** Head and live segments in one statement: both are of one version, whatever commits meanwhile. */
async function current(db: Db, ref: DatasetRef): Promise<DatasetSnapshot> {
  const row = await first(
    db,
    sql<HeadRow & { segments: SegmentRow[] | null }>`
      SELECT ${HEAD}, (
        SELECT json_agg(json_build_object(${SEGMENT}, ${deletedBy(sql`d.version`)}) ORDER BY s.position)
        FROM segments s WHERE s.dataset_id = d.id AND s.removed_version IS NULL
      ) AS segments
      FROM datasets d
      WHERE d.workspace_id = ${ref.workspace_id} AND d.deleted_at IS NULL AND ${named(ref)}`,
  );
  return row ? toSnapshot(row, row.segments) : missing(ref);
}

function toSnapshot(row: HeadRow, segments: SegmentRow[] | null): DatasetSnapshot {
  const { id, workspace_id, name, mode, version, columns, rows: count, bytes, reports, created_at, updated_at } = row;
  return {
    ...{ id, workspace_id, name, mode, version, columns, rows: count, bytes, reports, created_at, updated_at },
    segments: (segments ?? []).map(
      (segment): SegmentRef => ({ ...segment, deleted: segment.deleted ?? NONE, profile: null }),
    ),
  };
}

/** @throws version_not_found, version_gone */
async function earlier(db: Db, now: HeadRow, version: number): Promise<DatasetSnapshot> {
  const row = await first(
    db,
    sql<{ columns: Column[]; rows: number; bytes: number; committed_at: Date; gone: boolean; segments: SegmentRow[] }>`
      SELECT v.columns, v.rows, v.bytes, v.committed_at, v.gone, (
        SELECT json_agg(json_build_object(${SEGMENT}, ${deletedBy(sql`v.version`)}) ORDER BY s.position)
        FROM segments s
        WHERE s.dataset_id = v.dataset_id AND NOT v.gone AND s.added_version <= v.version
          AND (s.removed_version IS NULL OR s.removed_version > v.version)
      ) AS segments
      FROM dataset_versions v WHERE v.dataset_id = ${now.id} AND v.version = ${version}`,
  );
  if (!row && version >= 1 && version < now.version) throw gone(now.name, version);
  if (!row) {
    throw fail('version_not_found', `"${now.name}" has no version ${version}; its newest is ${now.version}.`);
  }
  if (row.gone) throw gone(now.name, version);
  const { columns, rows: count, bytes, committed_at } = row;
  return toSnapshot({ ...now, version, columns, rows: count, bytes, updated_at: committed_at }, row.segments);
}

/** Also of a version whose row was pruned. */
function gone(name: string, version: number): CaudalError {
  return fail('version_gone', `Version ${version} of "${name}" is no longer kept.`, {
    hint: `Versions are kept for a while, and none that holds deleted rows. GET /datasets/${name}/versions says which can be read.`,
  });
}

/**
 * A dataset at one version, straight from the catalogue (one statement; two for an earlier version).
 *
 * @throws dataset_not_found, version_not_found, version_gone
 */
export async function snapshot(db: Db, ref: DatasetRef): Promise<DatasetSnapshot> {
  if (ref.version === undefined) return current(db, ref);
  const now = await head(db, ref);
  return now.version === ref.version ? atHead(db, ref, now) : earlier(db, now, ref.version);
}

/** The newest version was asked for by number; a commit between the two statements makes it an earlier one. */
async function atHead(db: Db, ref: DatasetRef, now: HeadRow): Promise<DatasetSnapshot> {
  const found = await current(db, ref);
  return found.version === now.version ? found : earlier(db, now, now.version);
}

/** Every dataset of a workspace (or those of `names`) at its newest version, by name; one statement. */
export async function snapshots(db: Db, workspaceId: string, names?: readonly string[]): Promise<DatasetSnapshot[]> {
  const found = await rows(
    db,
    sql<HeadRow & { segments: SegmentRow[] | null }>`
      SELECT ${HEAD}, (
        SELECT json_agg(json_build_object(${SEGMENT}, ${deletedBy(sql`d.version`)}) ORDER BY s.position)
        FROM segments s WHERE s.dataset_id = d.id AND s.removed_version IS NULL
      ) AS segments
      FROM datasets d
      WHERE d.workspace_id = ${workspaceId} AND d.deleted_at IS NULL
        AND (${names ?? null}::text[] IS NULL OR d.name = ANY(${names ?? null}::text[]))
      ORDER BY d.name`,
  );
  return found.map((row) => toSnapshot(row, row.segments));
}

export interface Catalog {
  /** @throws dataset_not_found, version_not_found, version_gone */
  snapshot(ref: DatasetRef): Promise<DatasetSnapshot>;
  snapshots(workspaceId: string, names?: readonly string[]): Promise<DatasetSnapshot[]>;
}

export interface CatalogOptions {
  /** Most segments remembered, over all datasets (about 300 bytes each). */
  max_segments?: number;
  /** For the look-up that every read makes: a named statement takes half of what a new one does. */
  pool?: pg.Pool;
}

/**
 * The catalogue for processes that answer many reads. What a dataset's row said is remembered with the
 * transaction that wrote it; whether it still is that one is asked every time (one indexed row, one word).
 * Read your write: requests share a look-up only when it began after each of them arrived.
 */
export function createCatalog(db: Db, options: CatalogOptions = {}): Catalog {
  const remembered = rememberSnapshots(options.max_segments ?? 200_000);
  const look = coalesce((ref: DatasetRef) => newest(db, options.pool, ref, remembered), keyOf);
  return {
    snapshot: (ref) => (ref.version === undefined ? look(ref) : snapshot(db, ref)),
    snapshots: (workspaceId, names) => snapshots(db, workspaceId, names),
  };
}

function keyOf(ref: DatasetRef): string {
  return JSON.stringify([ref.workspace_id, ref.id ?? null, ref.name ?? null]);
}

/** The transaction that wrote the dataset's row as it is now: every change to it has another. */
async function writerOf(db: Db, pool: pg.Pool | undefined, ref: DatasetRef): Promise<string | undefined> {
  if (pool && ref.id === undefined) {
    const found = await pool.query<{ writer: string }>({
      name: 'dataset-writer',
      text: 'SELECT xmin::text AS writer FROM datasets WHERE workspace_id = $1 AND deleted_at IS NULL AND name = $2',
      values: [ref.workspace_id, ref.name ?? ''],
    });
    return found.rows[0]?.writer;
  }
  const row = await first(
    db,
    sql<{ writer: string }>`
      SELECT d.xmin::text AS writer FROM datasets d
      WHERE d.workspace_id = ${ref.workspace_id} AND d.deleted_at IS NULL AND ${named(ref)}`,
  );
  return row?.writer;
}

/** The writer is read before the rest: a change in between is remembered as older than it is, and read again. */
async function newest(
  db: Db,
  pool: pg.Pool | undefined,
  ref: DatasetRef,
  remembered: Remembered,
): Promise<DatasetSnapshot> {
  const writer = await writerOf(db, pool, ref);
  if (writer === undefined) return missing(ref);
  const key = keyOf(ref);
  const known = remembered.get(key, writer);
  if (known) return known;
  const found = await current(db, ref);
  remembered.set(key, writer, found);
  return found;
}

interface Remembered {
  get(key: string, writer: string): DatasetSnapshot | undefined;
  set(key: string, writer: string, snapshot: DatasetSnapshot): void;
}

function rememberSnapshots(most: number): Remembered {
  const kept = new Map<string, { writer: string; snapshot: DatasetSnapshot }>();
  let total = 0;
  const drop = (key: string): void => {
    total -= kept.get(key)?.snapshot.segments.length ?? 0;
    kept.delete(key);
  };
  return {
    get(key, writer) {
      const entry = kept.get(key);
      if (entry?.writer !== writer) return undefined;
      kept.delete(key);
      kept.set(key, entry);
      return entry.snapshot;
    },
    set(key, writer, snapshot) {
      if (snapshot.segments.length > most) return;
      drop(key);
      kept.set(key, { writer, snapshot });
      total += snapshot.segments.length;
      for (const oldest of kept.keys()) {
        if (total <= most && kept.size <= most) break;
        drop(oldest);
      }
    },
  };
}

/**
 * Callers of one key share work, yet nobody gets an answer older than their question: those who
 * come while a look-up is under way wait for the next one, which all of them share.
 */
export function coalesce<A, R>(
  work: (argument: A) => Promise<R>,
  key: (argument: A) => string,
): (argument: A) => Promise<R> {
  const running = new Map<string, Promise<unknown>>();
  const waiting = new Map<string, Promise<R>>();
  const start = (argument: A, k: string): Promise<R> => {
    const result = work(argument);
    const settled = result
      .catch(() => undefined)
      .then(() => {
        if (running.get(k) === settled) running.delete(k);
      });
    running.set(k, settled);
    return result;
  };
  return (argument) => {
    const k = key(argument);
    const busy = running.get(k);
    if (!busy) return start(argument, k);
    const shared = waiting.get(k);
    if (shared) return shared;
    const next = busy.then(() => {
      waiting.delete(k);
      return start(argument, k);
    });
    waiting.set(k, next);
    return next;
  };
}
