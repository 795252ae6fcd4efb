import { fail } from '#kernel/errors.ts';
import { sql, type Tx } from '#platform/db/db.ts';

/** Positions of rows that end, by segment id. */
export type Deletes = ReadonlyMap<string, readonly number[]>;

/** @returns how many rows ended. @throws dataset_busy when a segment is no longer live */
export async function deleteRows(tx: Tx, datasetId: string, version: number, deletes: Deletes): Promise<number> {
  let total = 0;
  for (const [segmentId, positions] of deletes) {
    const updated = await sql`
      UPDATE segments SET deleted = deleted + ${positions.length}
      WHERE id = ${segmentId} AND dataset_id = ${datasetId} AND removed_version IS NULL`.execute(tx);
    if (Number(updated.numAffectedRows ?? 0) !== 1) {
      throw fail('dataset_busy', 'The dataset changed while this was being prepared.');
    }
    await sql`
      INSERT INTO segment_deletes (segment_id, version, positions)
      VALUES (${segmentId}, ${version}, ${[...positions].sort((a, b) => a - b)}::integer[])`.execute(tx);
    total += positions.length;
  }
  return total;
}
