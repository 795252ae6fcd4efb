import { fail } from '#kernel/errors.ts';
import { first, sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { addAll, insertRewrites } from './add-segments.ts';
import { checkBalances, rowsOf } from './balance.ts';
import type { Change, Committed, Head } from './change.ts';
import { type Deletes, deleteRows } from './deletes.ts';
import { endSources, refuseLeftovers, removeSegments } from './end-segments.ts';
import { changeKeys, releaseKeys } from './keys.ts';

export const SMALL_SEGMENT_BYTES = 64 * 2 ** 20;
const NO_DELETES: Deletes = new Map();

/**
 * The commit: one PostgreSQL transaction (the caller's) after the objects are durable. Locks the
 * dataset, resolves its schema, ends old segments, adds new ones, sources with their accounting and
 * quarantine, and bumps the version. What the caller does in the same transaction (file state, task)
 * happens with it or not at all. Segments of a transaction that rolls back are orphans: the sweeper's.
 *
 * @throws dataset_not_found; dataset_busy when a segment to be replaced is no longer live or a key was taken
 *   since; schema_mismatch; accounting_imbalance
 */
export async function commit(tx: Tx, change: Change): Promise<Committed> {
  const head = await lockDataset(tx, change.dataset_id);
  const version = head.version + 1;
  checkBalances(change);
  const ended = [...(change.ends ?? []), ...(change.forgets ?? [])];
  const removed = await removeSegments(tx, head, version, change);
  await refuseLeftovers(tx, head, ended);
  const deleted = await deleteRows(tx, head.id, version, change.deletes ?? NO_DELETES);
  await endSources(tx, head, version, change, ended);
  await settleKeysOf(tx, head, change, ended);
  const schema = await addAll(tx, head, version, change, removed);
  const totals = await insertRewrites(tx, head, version, change, removed);
  const added = [...(change.additions ?? []), ...(change.batches ?? [])].flatMap(({ segments }) => [...segments]);
  const rowCount = head.rows - removed.rows - deleted + totals.rows + rowsOf(added);
  const bytes = head.bytes - removed.bytes + totals.bytes + added.reduce((sum, segment) => sum + segment.bytes, 0);
  await sql`
    UPDATE datasets SET columns = ${jsonText(schema.columns)}::jsonb, next_field_id = ${schema.next_field_id},
           version = ${version}, rows = ${rowCount}, bytes = ${bytes}, updated_at = now()
    WHERE id = ${head.id}`.execute(tx);
  await sql`
    INSERT INTO dataset_versions (dataset_id, version, kind, columns, rows, bytes, task_id, trace_id)
    VALUES (${head.id}, ${version}, ${change.kind}, ${jsonText(schema.columns)}::jsonb, ${rowCount}, ${bytes},
            ${change.task_id}, ${change.trace_id})`.execute(tx);
  const live = await first(
    tx,
    sql<{ small: number; deleted: number }>`
      SELECT count(*) FILTER (WHERE bytes < ${SMALL_SEGMENT_BYTES}) AS small, coalesce(sum(deleted), 0) AS deleted
      FROM segments WHERE dataset_id = ${head.id} AND removed_version IS NULL`,
  );
  const { id, name } = head;
  return {
    dataset_id: id,
    name,
    version,
    columns: schema.columns,
    rows: rowCount,
    bytes,
    small_segments: live?.small ?? 0,
    deleted_rows: live?.deleted ?? 0,
  };
}

/** Holds the dataset's row until the transaction ends: commits to one dataset come one after another. */
export async function lockDataset(tx: Tx, id: string): Promise<Head> {
  const head = await first(
    tx,
    sql<Head>`
      SELECT id, workspace_id, name, mode, columns, next_field_id, version, rows, bytes, key_columns
      FROM datasets WHERE id = ${id} AND deleted_at IS NULL FOR UPDATE`,
  );
  if (!head) throw fail('dataset_not_found', 'The dataset was deleted.');
  return head;
}

/** Whoever adds rows to a dataset with a key has settled them; one that did not is a fault of ours. */
async function settleKeysOf(tx: Tx, head: Head, change: Change, ended: string[]): Promise<void> {
  if (!head.key_columns) return;
  await releaseKeys(tx, head.id, change.drops === 'all' ? 'all' : ended);
  const added = [
    ...(change.additions ?? []).map(({ source }) => source),
    ...(change.batches ?? []).flatMap(({ sources }) => [...sources]),
  ];
  const adds = added.some(({ accounting }) => accounting.accepted > 0);
  if (adds && !change.keys) throw new Error(`rows for "${head.name}", which has a key, were not settled`);
  if (change.keys) await changeKeys(tx, head.id, change.keys);
}
