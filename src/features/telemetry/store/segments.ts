import { type Db, first, rows, sql, transaction } from '#platform/db/db.ts';
import type { Kept } from '../schema.ts';

/** A Parquet object of one workspace (null: the installation's) and one signal. Times in nanoseconds. */
export interface NewSegment {
  id: string;
  workspace_id: string | null;
  signal: Kept;
  object_key: string;
  rows: number;
  bytes: number;
  from_ns: bigint;
  to_ns: bigint;
}

export interface LiveSegment {
  id: string;
  object_key: string;
  from_ns: bigint;
  to_ns: bigint;
}

/** Which segments a reader may see: those of its workspace, and the installation's if it is the operator. */
export interface Visibility {
  workspace_id: string;
  operator: boolean;
  /** All workspaces: for what Caudal watches by itself, never for a person. */
  everything?: boolean;
}

export interface TimeRange {
  from_ns?: bigint;
  to_ns?: bigint;
}

export interface Listing {
  segments: LiveSegment[];
  /** Those of the asked write-ahead files whose rows are in `segments`. */
  flushed: Set<string>;
}

export function newSegmentKey(signal: Kept, workspaceId: string | null, id: string, now: Date): string {
  const [date, time] = now.toISOString().split('T') as [string, string];
  return `telemetry/${workspaceId ?? 'installation'}/${signal}/${date}/${time.slice(0, 2)}/${id}.parquet`;
}

interface Origin {
  compacted: boolean;
  created_at: Date;
  /** XOR of the hashes of the write-ahead files; null: merged from some that had none. */
  flush_digest: string | null;
}

function insertSegment(db: Db, segment: NewSegment, { compacted, created_at, flush_digest }: Origin) {
  return sql`
    INSERT INTO telemetry_segments
      (id, workspace_id, signal, object_key, rows, bytes, from_ns, to_ns, compacted, created_at, flush_digest)
    VALUES (${segment.id}, ${segment.workspace_id}, ${segment.signal}, ${segment.object_key}, ${segment.rows},
            ${segment.bytes}, ${String(segment.from_ns)}, ${String(segment.to_ns)}, ${compacted},
            ${created_at}, ${flush_digest}::bigint)`.execute(db);
}

/** The segments of one write-ahead file, all or none, exactly once. */
export async function commitFlush(
  db: Db,
  walId: string,
  segments: readonly NewSegment[],
  createdAt: Date,
): Promise<void> {
  await transaction(db, async (tx) => {
    const flush = await first(
      tx,
      sql<{ digest: string }>`
        INSERT INTO telemetry_flushes (wal_id) VALUES (${walId})
        RETURNING hashtextextended(wal_id::text, 0)::text AS digest`,
    );
    const origin = { compacted: false, created_at: createdAt, flush_digest: flush?.digest ?? null };
    for (const segment of segments) await insertSegment(tx, segment, origin);
  });
}

export async function isFlushed(db: Db, walId: string): Promise<boolean> {
  const found = await rows(db, sql`SELECT 1 FROM telemetry_flushes WHERE wal_id = ${walId}`);
  return found.length > 0;
}

/** Bytes of all objects that are there, live or not yet deleted. */
export async function usedBytes(db: Db): Promise<number> {
  const [used] = await rows(
    db,
    sql<{ bytes: number }>`SELECT coalesce(sum(bytes), 0) AS bytes FROM telemetry_segments`,
  );
  return used?.bytes ?? 0;
}

/** Swaps `inputs` for one sorted segment (and what was made of it), unless one of them is no longer live. @returns whether it did. */
export async function commitCompaction(
  db: Db,
  inputs: readonly string[],
  segments: readonly NewSegment[],
  createdAt: Date,
): Promise<boolean> {
  return transaction(db, async (tx) => {
    const live = await rows(
      tx,
      sql`SELECT id FROM telemetry_segments WHERE id = ANY(${inputs}::uuid[]) AND removed_at IS NULL FOR UPDATE`,
    );
    if (live.length !== inputs.length) return false;
    const merged = await first(
      tx,
      sql<{ digest: string | null }>`
        WITH gone AS (
          UPDATE telemetry_segments SET removed_at = now() WHERE id = ANY(${inputs}::uuid[]) RETURNING flush_digest)
        SELECT CASE WHEN count(flush_digest) = count(*) THEN bit_xor(flush_digest)::text END AS digest FROM gone`,
    );
    const origin = { compacted: true, created_at: createdAt, flush_digest: merged?.digest ?? null };
    for (const segment of segments) await insertSegment(tx, segment, origin);
    return true;
  });
}

/**
 * What a reader may open, newest first, and which of the write-ahead files `walIds` are already in it: one
 * statement, so that both are of the same instant.
 */
export async function listSegments(
  db: Db,
  signal: Kept,
  visible: Visibility,
  range: TimeRange,
  walIds: readonly string[],
  compacted: boolean | null = null,
): Promise<Listing> {
  const found = await rows(
    db,
    sql<{ id: string; object_key: string | null; from_ns: string; to_ns: string }>`
      SELECT id, object_key, from_ns, to_ns FROM (
        SELECT id, object_key, from_ns::text, to_ns::text, to_ns AS newest FROM telemetry_segments
        WHERE signal = ${signal} AND removed_at IS NULL
          AND (workspace_id = ${visible.workspace_id} OR (workspace_id IS NULL AND ${visible.operator})
               OR ${visible.everything === true})
          AND (${compacted}::boolean IS NULL OR compacted = ${compacted})
          AND to_ns >= ${String(range.from_ns ?? 0n)}
          AND from_ns <= ${String(range.to_ns ?? 2n ** 63n - 1n)}
        ORDER BY newest DESC) AS live
      UNION ALL
      SELECT wal_id, NULL, NULL, NULL FROM telemetry_flushes WHERE wal_id = ANY(${walIds}::uuid[])`,
  );
  const segments: LiveSegment[] = [];
  const flushed = new Set<string>();
  for (const { id, object_key, from_ns, to_ns } of found) {
    if (object_key === null) flushed.add(id);
    else segments.push({ id, object_key, from_ns: BigInt(from_ns), to_ns: BigInt(to_ns) });
  }
  return { segments, flushed };
}

/**
 * Where the `rollup` of each of these segments is. Segments of one digest hold the same flushes; while only one of the
 * two has been merged, and where one has aged out, there is none. (Their times in common are no proof: the last minute
 * of an hour may span all of it.)
 *
 * @returns the rollup's object keys by the id of the segment
 */
export async function rollupsOf(
  db: Db,
  segments: readonly LiveSegment[],
  rollup: 'traces' | 'red_1h' | 'log_traces_1h',
): Promise<Map<string, string[]>> {
  const ids = segments.map(({ id }) => id);
  const found = await rows(
    db,
    sql<{ id: string; keys: string[] }>`
      SELECT segment.id, array_agg(rollup.object_key) AS keys
      FROM telemetry_segments AS segment JOIN telemetry_segments AS rollup
        ON rollup.flush_digest = segment.flush_digest AND rollup.workspace_id IS NOT DISTINCT FROM segment.workspace_id
      WHERE segment.id = ANY(${ids}::uuid[]) AND rollup.signal = ${rollup} AND rollup.removed_at IS NULL
      GROUP BY segment.id`,
  );
  return new Map(found.map(({ id, keys }) => [id, keys]));
}
