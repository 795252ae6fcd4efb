import { isUuid, timeOfId } from '#kernel/ids.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { ObjectInfo, ObjectStore } from '#platform/objects/store.ts';

export interface SweepDeps {
  db: Db;
  objects: Pick<ObjectStore, 'list' | 'delete'>;
  now: () => Date;
}

export interface SweepSettings {
  /** An object that no row owns is an orphan once it is this old: until then its commit may be on the way. */
  orphan_ms: number;
  /** The longest a query may run: a segment is still read this long after its last version went. */
  lease_ms: number;
  /** How long a version stays readable after the next one. */
  keep_ms: number;
}

export const SWEEP: SweepSettings = { orphan_ms: 3_600_000, lease_ms: 15 * 60_000, keep_ms: 7 * 24 * 3_600_000 };

const BATCH = 500;
/** Versions that one statement looks at, of one dataset. */
const VERSIONS_AT_ONCE = 10_000;

/** Which object keys of a batch have an owner, per prefix of keys. What has another shape is left alone. */
const OWNERS: Record<string, (db: Db, keys: string[]) => Promise<string[]>> = {
  'lake/': async (db, keys) => {
    const owned = await rows(
      db,
      sql<{ object_key: string }>`
        SELECT object_key FROM segments WHERE object_key = ANY(${keys}::text[])
        UNION ALL SELECT object_key FROM event_sources WHERE object_key = ANY(${keys}::text[])`,
    );
    return owned.map((row) => row.object_key);
  },
  'events/': async (db, keys) => {
    const owned = await rows(
      db,
      sql<{ object_key: string }>`SELECT object_key FROM event_archives WHERE object_key = ANY(${keys}::text[])`,
    );
    return owned.map((row) => row.object_key);
  },
  'files/': async (db, keys) => {
    const ids = keys.map((key) => idOf(key));
    const owned = await rows(
      db,
      sql<{ object_key: string }>`
        SELECT object_key FROM files WHERE id = ANY(${ids}::uuid[]) AND deleted_at IS NULL`,
    );
    return owned.map((row) => row.object_key);
  },
};

const OWNED_KEY =
  /^(?:lake\/[0-9a-f-]{36}\/[0-9a-f-]{36}\/[0-9a-f-]{36}\.parquet|events\/[0-9a-f-]{36}\/[0-9a-f-]{36}\/[0-9a-f-]{36}\.ndjson\.zst|files\/[0-9a-f-]{36}\/[0-9a-f-]{36})$/;

function idOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).replace(/\.(?:parquet|ndjson\.zst)$/, '');
}

/**
 * Deletes objects that no row owns: what a crash between writing and committing, or between a deletion
 * and its object, left behind. @returns the deleted keys
 */
export async function sweepOrphans(deps: SweepDeps, settings: SweepSettings = SWEEP): Promise<string[]> {
  const before = deps.now().getTime() - settings.orphan_ms;
  const deleted: string[] = [];
  for (const [prefix, ownersOf] of Object.entries(OWNERS)) {
    let batch: string[] = [];
    const flush = async (): Promise<void> => {
      const owned = new Set(batch.length > 0 ? await ownersOf(deps.db, batch) : []);
      for (const key of batch) {
        if (owned.has(key)) continue;
        await deps.objects.delete(key);
        deleted.push(key);
      }
      batch = [];
    };
    for await (const object of deps.objects.list(prefix)) {
      if (OWNED_KEY.test(object.key) && bornAt(object) < before) batch.push(object.key);
      if (batch.length >= BATCH) await flush();
    }
    await flush();
  }
  return deleted;
}

/** A moved file keeps the time of its writing, which may be an hour before; its id was made when it was stored. */
function bornAt({ key, modified_at }: ObjectInfo): number {
  const id = idOf(key);
  return Math.max(modified_at.getTime(), isUuid(id) ? timeOfId(id) : 0);
}

/** Versions whose time is over answer 410 from now on. @returns how many */
export async function expireVersions(
  deps: Pick<SweepDeps, 'db' | 'now'>,
  settings: SweepSettings = SWEEP,
): Promise<number> {
  const before = new Date(deps.now().getTime() - settings.keep_ms);
  let expired = 0;
  for (;;) {
    const result = await sql`
      UPDATE dataset_versions v SET gone = true
      FROM datasets d CROSS JOIN LATERAL (
        SELECT max(version) AS version FROM (
          SELECT version, committed_at FROM dataset_versions
          WHERE dataset_id = d.id AND NOT gone ORDER BY version LIMIT ${VERSIONS_AT_ONCE}) oldest
        WHERE committed_at < ${before}) next
      WHERE v.dataset_id = d.id AND NOT v.gone AND v.version < next.version`.execute(deps.db);
    const count = Number(result.numAffectedRows ?? 0);
    expired += count;
    if (count === 0) return expired;
  }
}

/**
 * Rows of versions that nobody can read any more and that tell nothing: a topic makes five a second, and so many
 * compactions beside them. Loads, schema changes, deletions stay: they are the dataset's history.
 * What has no row answers 410 as what is gone. @returns how many
 */
export async function pruneVersions(
  deps: Pick<SweepDeps, 'db' | 'now'>,
  settings: SweepSettings = SWEEP,
): Promise<number> {
  const before = new Date(deps.now().getTime() - settings.keep_ms);
  let pruned = 0;
  for (;;) {
    const result = await sql`
      DELETE FROM dataset_versions WHERE (dataset_id, version) IN (
        SELECT dataset_id, version FROM dataset_versions
        WHERE gone AND (kind = 'compact' OR (kind = 'append' AND task_id IS NULL)) AND committed_at < ${before}
        ORDER BY committed_at LIMIT ${VERSIONS_AT_ONCE})`.execute(deps.db);
    const count = Number(result.numAffectedRows ?? 0);
    pruned += count;
    if (count < VERSIONS_AT_ONCE) return pruned;
  }
}

/**
 * Deletes segments that no readable version holds and no running query can. The row goes first: a crash
 * in between leaves an orphan, never a row without its object. @returns the deleted keys
 */
export async function collectSegments(deps: SweepDeps, settings: SweepSettings = SWEEP): Promise<string[]> {
  const before = new Date(deps.now().getTime() - settings.lease_ms);
  const deleted: string[] = [];
  for (;;) {
    const batch = await rows(
      deps.db,
      sql<{ object_key: string }>`
        DELETE FROM segments WHERE id IN (
          SELECT s.id FROM segments s
          WHERE s.removed_version IS NOT NULL AND s.removed_at < ${before} AND NOT EXISTS (
            SELECT FROM dataset_versions v
            WHERE v.dataset_id = s.dataset_id AND NOT v.gone
              AND v.version >= s.added_version AND v.version < s.removed_version)
          LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
        RETURNING object_key`,
    );
    for (const { object_key } of batch) {
      await deps.objects.delete(object_key);
      deleted.push(object_key);
    }
    if (batch.length < BATCH) return deleted;
  }
}

/** Rows of deleted datasets go once their objects are gone, and their keys before them. @returns how many */
export async function purgeDatasets(
  deps: Pick<SweepDeps, 'db' | 'now'>,
  settings: SweepSettings = SWEEP,
): Promise<number> {
  const before = new Date(deps.now().getTime() - settings.lease_ms);
  await sql`
    DELETE FROM dataset_keys WHERE dataset_id IN (SELECT id FROM datasets WHERE deleted_at < ${before})`.execute(
    deps.db,
  );
  const result = await sql`
    DELETE FROM datasets d
    WHERE d.deleted_at < ${before} AND NOT EXISTS (SELECT FROM segments s WHERE s.dataset_id = d.id)`.execute(deps.db);
  return Number(result.numAffectedRows ?? 0);
}

export interface Collected {
  /** That can no longer be read, and those of which nothing is left. */
  versions: number;
  pruned: number;
  segments: number;
  datasets: number;
}

/** What has had its time, in the order in which one makes room for the next. For whoever holds the lock of this work. */
export async function collectLake(deps: SweepDeps, settings: SweepSettings = SWEEP): Promise<Collected> {
  const versions = await expireVersions(deps, settings);
  const segments = (await collectSegments(deps, settings)).length;
  const pruned = await pruneVersions(deps, settings);
  return { versions, pruned, segments, datasets: await purgeDatasets(deps, settings) };
}
