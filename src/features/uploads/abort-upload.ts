import { fail } from '#kernel/errors.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { getUpload, multipartOf, type UploadRow } from './uploads.ts';

export interface AbortDeps {
  db: Db;
  store: ObjectStore;
}

/**
 * First the state, so that no part and no completion starts any more; then the bytes, also those of
 * an object that a completion under way had already made; last the note that they are gone. A
 * process that dies between leaves the sweeper enough to finish it. Idempotent.
 * @throws upload_not_found, upload_closed when it had completed
 */
export async function abortUpload(deps: AbortDeps, workspaceId: string, id: string): Promise<void> {
  const row = await getUpload(deps.db, workspaceId, id);
  const state = await markAborted(deps.db, row);
  if (state === 'completed') {
    throw fail('upload_closed', 'The upload has completed.', { hint: 'DELETE /files/{id} removes the file.' });
  }
  await removeBytes(deps, row);
}

async function markAborted(db: Db, row: UploadRow): Promise<string | undefined> {
  return transaction(db, async (tx) => {
    const now = await first(tx, sql<{ state: string }>`SELECT state FROM uploads WHERE id = ${row.id} FOR UPDATE`);
    if (now?.state === 'open' || now?.state === 'completing') {
      await sql`UPDATE uploads SET state = 'aborted' WHERE id = ${row.id}`.execute(tx);
      await sql`UPDATE files SET deleted_at = now(), updated_at = now() WHERE id = ${row.file_id}`.execute(tx);
    }
    return now?.state;
  });
}

export async function removeBytes(deps: AbortDeps, row: UploadRow): Promise<void> {
  await deps.store.abortUpload(multipartOf(row));
  await deps.store.delete(row.object_key);
  await sql`DELETE FROM upload_parts WHERE upload_id = ${row.id}`.execute(deps.db);
  await sql`UPDATE uploads SET store_upload_id = NULL WHERE id = ${row.id}`.execute(deps.db);
}
