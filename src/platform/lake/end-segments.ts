import { fail } from '#kernel/errors.ts';
import { first, rows, sql, type Tx } from '#platform/db/db.ts';
import { endBatchSources } from './batch-sources.ts';
import type { Change, Head } from './change.ts';

export interface Removed {
  rows: number;
  bytes: number;
  /** By segment id; `rows` without those that had ended before. */
  segments: Map<string, { position: number; rows: number; deleted: number }>;
}

export async function removeSegments(tx: Tx, head: Head, version: number, change: Change): Promise<Removed> {
  const named = [
    ...(change.drops === 'all' ? [] : (change.drops ?? [])),
    ...(change.rewrites ?? []).flatMap((rewrite) => [...rewrite.replaces]),
  ];
  const all = change.drops === 'all';
  if (!all && named.length === 0) return { rows: 0, bytes: 0, segments: new Map() };
  const ended = await rows(
    tx,
    sql<{ id: string; rows: number; bytes: number; position: number; deleted: number }>`
      UPDATE segments SET removed_version = ${version}, removed_at = now()
      WHERE dataset_id = ${head.id} AND removed_version IS NULL AND (${all} OR id = ANY(${named}::uuid[]))
      RETURNING id, rows - deleted AS rows, bytes, position, deleted`,
  );
  if (!all && ended.length !== new Set(named).size) {
    throw fail('dataset_busy', `"${head.name}" changed while this was being prepared.`);
  }
  return {
    rows: ended.reduce((total, segment) => total + segment.rows, 0),
    bytes: ended.reduce((total, segment) => total + segment.bytes, 0),
    segments: new Map(ended.map((segment) => [segment.id, segment])),
  };
}

/** After a source ends no live segment may hold rows of it: a commit in between (compaction) may have moved them. */
export async function refuseLeftovers(tx: Tx, head: Head, ended: string[]): Promise<void> {
  if (ended.length === 0) return;
  const left = await first(
    tx,
    sql<{ id: string }>`
      SELECT id FROM segments
      WHERE dataset_id = ${head.id} AND removed_version IS NULL AND source_ids && ${ended}::uuid[] LIMIT 1`,
  );
  if (left) throw fail('dataset_busy', `"${head.name}" changed while this was being prepared.`);
}

export async function endSources(tx: Tx, head: Head, version: number, change: Change, ended: string[]): Promise<void> {
  const all = change.drops === 'all';
  if (!all && ended.length === 0) return;
  await sql`
    UPDATE sources SET ended_version = coalesce(ended_version, ${version})
    WHERE dataset_id = ${head.id} AND (${all} OR id = ANY(${ended}::uuid[]))`.execute(tx);
  await sql`
    DELETE FROM quarantine
    WHERE dataset_id = ${head.id} AND (${all} OR source_id = ANY(${ended}::uuid[]))`.execute(tx);
  if (all) await endBatchSources(tx, head.id, version);
  const forgotten = [...(change.forgets ?? [])];
  if (forgotten.length === 0) return;
  await sql`UPDATE sources SET deleted_at = now() WHERE id = ANY(${forgotten}::uuid[])`.execute(tx);
  await sql`
    UPDATE dataset_versions v SET gone = true
    WHERE v.dataset_id = ${head.id} AND NOT v.gone AND EXISTS (
      SELECT FROM segments s
      WHERE s.dataset_id = v.dataset_id AND s.source_ids && ${forgotten}::uuid[]
        AND s.added_version <= v.version AND s.removed_version > v.version)`.execute(tx);
}
