import type { VideoInput } from '#contract/video.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx, transaction } from '#platform/db/db.ts';
import { refuseObviousUrl } from '#platform/http/fetch.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { profileOf } from './profile.ts';

export interface StartVideoDeps {
  db: Db;
  enqueue: Enqueue;
  /** Networks that may be fetched from although they are private. */
  allowPrivate: readonly string[];
}

export interface VideoRequest extends Omit<VideoInput, 'filename'> {
  workspace_id: string;
  user_id: string;
}

/**
 * Enqueues the processing of a URL or of a file that has arrived. What can be seen to be wrong now is said
 * now; what only the worker can find out (where a name leads, what the file is) becomes the task's failure.
 * @throws invalid_input, url_refused, file_not_found, file_not_stored
 */
export async function startVideo(deps: StartVideoDeps, request: VideoRequest): Promise<{ id: string }> {
  const { url, file_id, options, workspace_id } = request;
  if ((file_id === undefined) === (url === undefined)) {
    throw invalid('url', 'Give either url or file_id.', 'exactly_one');
  }
  profileOf(options ?? {}, { crf: 0 });
  if (url !== undefined) refuseObviousUrl(url, deps.allowPrivate);
  return transaction(deps.db, async (tx) => {
    const file = file_id === undefined ? undefined : await arrivedFile(tx, workspace_id, file_id);
    if (options?.logo?.file_id !== undefined) await arrivedFile(tx, workspace_id, options.logo.file_id);
    return deps.enqueue(tx, {
      workspace_id,
      kind: 'video',
      input: {
        ...(url === undefined ? {} : { url }),
        ...(file ? { file_id: file.id, filename: file.filename } : {}),
        ...(options === undefined ? {} : { options }),
      },
      created_by: request.user_id,
    });
  });
}

export interface StoredFile {
  id: string;
  filename: string;
  size: number;
  object_key: string;
}

/** @throws file_not_found, also for another workspace's file and a deleted one; file_not_stored */
export async function arrivedFile(db: Db | Tx, workspaceId: string, fileId: string): Promise<StoredFile> {
  const row = isUuid(fileId)
    ? await first(
        db,
        sql<StoredFile & { etag: string | null }>`
          SELECT id, filename, size, object_key, etag FROM files
          WHERE id = ${fileId} AND workspace_id = ${workspaceId} AND deleted_at IS NULL`,
      )
    : undefined;
  if (!row) throw fail('file_not_found', `There is no file ${fileId.slice(0, 100)}, or it was deleted.`);
  if (row.etag === null) {
    throw fail('file_not_stored', `"${row.filename}" has not arrived yet.`, { hint: 'Complete its upload first.' });
  }
  return row;
}
