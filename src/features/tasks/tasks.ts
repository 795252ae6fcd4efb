import { fromKysely, type PgBoss } from 'pg-boss';
import { nextStatus, type Task, type TaskDetail, type TaskKind, type TaskStatus } from '#contract/tasks.ts';
import { fail, type StoredError } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { QUEUE_OF } from '#platform/queue/queue.ts';
import { announce } from '#platform/queue/run.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';

export interface TaskRow {
  id: string;
  workspace_id: string;
  kind: TaskKind;
  status: TaskStatus;
  progress: number;
  detail: TaskDetail | null;
  attempt: number;
  input: Record<string, unknown>;
  output: Record<string, unknown> | null;
  error: StoredError | null;
  retry_of: string | null;
  carrier: Record<string, string> | null;
  created_by: string | null;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  trace_id: string | null;
}

export function toTask(row: TaskRow): Task {
  return {
    id: row.id,
    task_id: row.id,
    kind: row.kind,
    status: row.status,
    progress: Math.round(row.progress * 10) / 10,
    ...(row.detail ? { detail: row.detail } : {}),
    attempt: row.attempt,
    input: row.input,
    output: row.output,
    ...(row.error ? { error: row.error } : {}),
    ...(row.retry_of ? { retry_of: row.retry_of } : {}),
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    finished_at: row.finished_at?.toISOString() ?? null,
    trace_id: row.trace_id,
  };
}

/** @throws task_not_found, also for another workspace's task */
export async function getTask(db: Db, workspaceId: string, id: string): Promise<TaskRow> {
  const row = isUuid(id)
    ? await first(db, sql<TaskRow>`SELECT * FROM tasks WHERE id = ${id} AND workspace_id = ${workspaceId}`)
    : undefined;
  if (!row) throw fail('task_not_found', `There is no task ${id.slice(0, 100)}.`);
  return row;
}

export interface TaskFilter {
  kind?: string;
  status?: string;
  /** Ids below (newest first) or above this one. */
  after?: string;
  order: 'newest' | 'oldest';
  limit: number;
}

export function listTasks(db: Db, workspaceId: string, filter: TaskFilter): Promise<TaskRow[]> {
  const newest = filter.order === 'newest';
  const after = filter.after
    ? newest
      ? sql`AND id < ${filter.after}::uuid`
      : sql`AND id > ${filter.after}::uuid`
    : sql``;
  return rows(
    db,
    sql<TaskRow>`
      SELECT * FROM tasks
      WHERE workspace_id = ${workspaceId}
        AND (${filter.kind ?? null}::text IS NULL OR kind = ${filter.kind ?? null})
        AND (${filter.status ?? null}::text IS NULL OR status = ${filter.status ?? null})
        ${after}
      ORDER BY id ${newest ? sql`DESC` : sql`ASC`} LIMIT ${filter.limit}`,
  );
}

export interface CancelDeps {
  db: Db;
  boss: PgBoss;
  /** To put things right (e.g. the file's state) when a task ends before any worker saw it. */
  ended: { [K in TaskKind]?: TaskDefinition<K>['ended'] };
}

/**
 * A queued task is cancelled here and now; a running one is asked to stop, which its worker notices
 * within half a second. @throws task_not_found, task_ended
 */
export async function cancelTask(deps: CancelDeps, workspaceId: string, id: string): Promise<TaskRow> {
  await getTask(deps.db, workspaceId, id);
  return transaction(deps.db, async (tx) => {
    const row = await first(tx, sql<TaskRow>`SELECT * FROM tasks WHERE id = ${id} FOR UPDATE`);
    if (!row) throw fail('task_not_found', `There is no task ${id}.`);
    if (nextStatus(row.status, 'cancel') === undefined) {
      throw fail('task_ended', `The task has already ended: ${row.status}.`);
    }
    if (row.status === 'queued') await cancelQueued(tx, deps, row);
    await sql`UPDATE tasks SET cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now()
              WHERE id = ${id}`.execute(tx);
    await announce(tx, id);
    return getTask(tx, workspaceId, id);
  });
}

async function cancelQueued(tx: Tx, deps: CancelDeps, row: TaskRow): Promise<void> {
  await sql`UPDATE tasks SET status = 'cancelled', finished_at = now() WHERE id = ${row.id}`.execute(tx);
  await deps.boss.cancel(QUEUE_OF[row.kind], row.id, { db: fromKysely(tx) });
  const ended = deps.ended[row.kind] as TaskDefinition<TaskKind>['ended'];
  const task = { ...row, input: row.input as never };
  await ended?.(tx, task, 'cancelled', fail('task_cancelled', 'The task was cancelled.'));
}

/** A new task with the same input, linked to the first. @throws task_not_found, task_not_retryable */
export async function retryTask(
  db: Db,
  enqueue: Enqueue,
  workspaceId: string,
  id: string,
  by: string,
): Promise<TaskRow> {
  const row = await getTask(db, workspaceId, id);
  if (row.status !== 'failed' && row.status !== 'cancelled') {
    throw fail('task_not_retryable', `Only failed or cancelled tasks can be retried; this one is ${row.status}.`);
  }
  return again(db, enqueue, row, by);
}

/** What a second run puts in the place of the first; a deletion, for one, has nothing left to do. */
const RERUNNABLE: readonly TaskKind[] = ['load', 'replay', 'compact', 'video'];

/** As `retryTask`, also of tasks that succeeded: what they made may be wrong. @throws task_not_found, task_not_retryable */
export async function rerunTask(
  db: Db,
  enqueue: Enqueue,
  workspaceId: string,
  id: string,
  by: string,
): Promise<TaskRow> {
  const row = await getTask(db, workspaceId, id);
  if (row.status === 'queued' || row.status === 'running') {
    throw fail('task_not_retryable', `The task has not ended: it is ${row.status}.`);
  }
  if (!RERUNNABLE.includes(row.kind)) throw fail('task_not_retryable', `A ${row.kind} task is not run twice.`);
  return again(db, enqueue, row, by);
}

function again(db: Db, enqueue: Enqueue, row: TaskRow, by: string): Promise<TaskRow> {
  const { id, workspace_id, kind } = row;
  return transaction(db, async (tx) => {
    const task = { workspace_id, kind, input: row.input as never, created_by: by, retry_of: id };
    const created = await enqueue(tx, task);
    return getTask(tx, workspace_id, created.id);
  });
}
