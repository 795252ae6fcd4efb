import type { Task } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { first, sql } from '#platform/db/db.ts';
import { abortUpload } from './abort-upload.ts';
import type { UploadDeps } from './deps.ts';
import type { Caller } from './uploads.ts';

/**
 * A file that is still being uploaded is aborted; one that has arrived goes with its rows, at once or,
 * where much must be rewritten, by a task. From here on nobody sees the file.
 * @throws file_not_found, file_busy while a load of it waits or runs
 */
export async function deleteFile(deps: UploadDeps, caller: Caller, id: string): Promise<Task | undefined> {
  const found = isUuid(id) ? await lookUp(deps, caller, id) : undefined;
  if (!found) throw fail('file_not_found', `There is no file ${id.slice(0, 100)}.`);
  if (found.open_upload) {
    await abortUpload(deps, caller.workspace_id, found.open_upload);
    return undefined;
  }
  if (found.task_status === 'queued' || found.task_status === 'running') {
    throw fail('file_busy', 'A load of this file is waiting or running.', {
      hint: `Cancel it first (DELETE /tasks/${found.task_id}) or wait for its end.`,
      retry_after: 1,
    });
  }
  const request = { workspace_id: caller.workspace_id, file_id: id, requested_by: caller.user_id };
  const { task_id } = await deps.removeStored(request);
  return task_id === undefined ? undefined : deps.describeTask(caller.workspace_id, task_id);
}

interface Found {
  task_id: string | null;
  task_status: string | null;
  open_upload: string | null;
}

function lookUp(deps: UploadDeps, caller: Caller, id: string): Promise<Found | undefined> {
  return first(
    deps.db,
    sql<Found>`
      SELECT f.task_id, t.status AS task_status,
             (SELECT u.id FROM uploads u WHERE u.file_id = f.id AND u.state IN ('open', 'completing') LIMIT 1) AS open_upload
      FROM files f LEFT JOIN tasks t ON t.id = f.task_id
      WHERE f.id = ${id} AND f.workspace_id = ${caller.workspace_id} AND f.deleted_at IS NULL`,
  );
}
