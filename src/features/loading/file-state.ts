import { type FileEvent, type FileLoad, type FileState, nextFileState } from '#contract/files.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import type { LoadInput } from '#contract/tasks.ts';
import { fail, type StoredError, toStoredError } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';

export interface FileRow {
  id: string;
  workspace_id: string;
  filename: string;
  size: number;
  object_key: string;
  state: FileState;
  task_id: string | null;
  etag: string | null;
  deleted_at: Date | null;
}

const COLUMNS = sql`id, workspace_id, filename, size, object_key, state, task_id, etag, deleted_at`;

/**
 * The file's row, held until the transaction ends. Locks are taken in the order task, file, dataset
 * everywhere, so that a commit and a cancel cannot wait for each other.
 *
 * @throws file_not_found, also for another workspace's file and a deleted one
 */
export async function lockFile(tx: Tx, workspaceId: string, fileId: string): Promise<FileRow> {
  const row = isUuid(fileId)
    ? await first(
        tx,
        sql<FileRow>`
          SELECT ${COLUMNS} FROM files
          WHERE id = ${fileId} AND workspace_id = ${workspaceId} AND deleted_at IS NULL FOR UPDATE`,
      )
    : undefined;
  if (!row) throw fail('file_not_found', `There is no file ${fileId.slice(0, 100)}, or it was deleted.`);
  return row;
}

/** Holds the task's row, before anything else is locked. */
export async function lockTask(tx: Tx, taskId: string): Promise<void> {
  await sql`SELECT 1 FROM tasks WHERE id = ${taskId} FOR UPDATE`.execute(tx);
}

/**
 * The file is loading from now on, by this task. A redelivered task finds it loading already.
 *
 * @throws file_not_found; file_busy when another task loads it; file_not_stored
 */
export async function beginLoad(
  tx: Tx,
  task: { id: string; workspace_id: string; input: LoadInput },
): Promise<FileRow> {
  await lockTask(tx, task.id);
  const file = await lockFile(tx, task.workspace_id, task.input.file_id);
  if (file.state === 'loading' && file.task_id !== task.id && (await isActive(tx, file.task_id))) {
    throw fail('file_busy', `"${file.filename}" is being loaded by another task.`);
  }
  await changeState(tx, file, 'load', { task_id: task.id });
  return { ...file, state: 'loading', task_id: task.id };
}

async function isActive(tx: Tx, taskId: string | null): Promise<boolean> {
  const row = await first(
    tx,
    sql<{ id: string }>`SELECT id FROM tasks WHERE id = ${taskId} AND status IN ('queued', 'running')`,
  );
  return row !== undefined;
}

export async function finishLoad(tx: Tx, file: FileRow, loads: FileLoad[]): Promise<void> {
  await changeState(tx, file, 'loaded', { loads });
}

/**
 * A load that ended without success: failed with its reason, or as it was before when cancelled.
 * Does nothing when another task has taken the file over.
 */
export async function endLoad(
  tx: Tx,
  task: { id: string; workspace_id: string; input: LoadInput },
  how: 'failed' | 'cancelled',
  error: unknown,
): Promise<void> {
  const file = await first(
    tx,
    sql<FileRow>`
      SELECT ${COLUMNS} FROM files
      WHERE id = ${task.input.file_id} AND workspace_id = ${task.workspace_id} AND task_id = ${task.id}
        AND state IN ('loading', 'stored') AND deleted_at IS NULL FOR UPDATE`,
  );
  if (!file || file.state === 'stored') return;
  const arrived = file.etag !== null || task.input.url === undefined;
  if (how === 'cancelled' && arrived) return changeState(tx, file, 'cancel', {});
  await changeState(tx, file, 'fail', {
    error: how === 'cancelled' ? cancelledBeforeItArrived() : toStoredError(error),
  });
}

function cancelledBeforeItArrived(): StoredError {
  return {
    code: 'task_cancelled',
    message: 'The download was cancelled before the file had arrived.',
    hint: 'Load the URL again when you want it.',
  };
}

interface Changes {
  task_id?: string;
  error?: StoredError;
  loads?: FileLoad[];
}

async function changeState(tx: Tx, file: FileRow, event: FileEvent, changes: Changes): Promise<void> {
  const state = nextFileState(file.state, event);
  if (!state) {
    throw fail('file_not_stored', `"${file.filename}" is ${file.state}: it cannot be loaded now.`, {
      hint: 'Complete its upload first.',
    });
  }
  await sql`
    UPDATE files SET state = ${state}, error = ${changes.error ? jsonText(changes.error) : null}::jsonb,
           task_id = coalesce(${changes.task_id ?? null}::uuid, task_id),
           loads = coalesce(${changes.loads ? jsonText(changes.loads) : null}::jsonb, loads), updated_at = now()
    WHERE id = ${file.id}`.execute(tx);
}

/** A file from a URL has arrived: its bytes are an object now. */
export async function recordArrival(
  db: Db,
  fileId: string,
  arrived: { size: number; etag: string; content_type: string | null; sha256: string | null },
): Promise<void> {
  await sql`
    UPDATE files SET size = ${arrived.size}, etag = ${arrived.etag}, content_type = ${arrived.content_type},
           sha256 = ${arrived.sha256}, updated_at = now()
    WHERE id = ${fileId}`.execute(db);
}

/** The reader's options of a task; `mode` may stand beside them or among them. */
export function optionsOf(input: LoadInput): { options: ReaderOptions; mode: 'append' | 'replace' | undefined } {
  const { mode, ...options } = (input.options ?? {}) as ReaderOptions;
  return { options, mode: input.mode ?? mode };
}
