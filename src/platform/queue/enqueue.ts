import { type Carrier, traceIdOf } from '#contract/carrier.ts';
import type { TaskInputs, TaskKind } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import { QUEUE_CHANNEL, QUEUE_OF, type Queue } from './queue.ts';

export interface NewTask<K extends TaskKind = TaskKind> {
  workspace_id: string;
  kind: K;
  input: TaskInputs[K];
  created_by: string | null;
  /** The context the worker continues; by default the active one. */
  carrier?: Carrier | null;
  retry_of?: string;
}

/** Adds a task and its delivery to the caller's transaction: both exist, or neither. */
export type Enqueue = <K extends TaskKind>(tx: Db, task: NewTask<K>) => Promise<{ id: string }>;

/** Kinds that people ask for; what Caudal gives itself to do is never refused. */
const LIMITED: readonly TaskKind[] = ['load', 'replay', 'video'];
const RETRY_AFTER_S = 10;

export interface TaskQuota {
  /** The most tasks that one workspace may have waiting. What is added at the same moment may pass it by a few. */
  queued: number;
}

/** @throws task_quota_exceeded from the call that would add one task too many */
export function createEnqueue(queue: Pick<Queue, 'send'>, quota: TaskQuota = { queued: 10_000 }): Enqueue {
  return async (tx, task) => {
    const id = newId();
    const { workspace_id, kind } = task;
    const carrier = task.carrier ?? currentCarrier();
    // Counted on an index of the waiting ones, at most as far as the quota.
    const room = LIMITED.includes(kind)
      ? sql`(SELECT count(*) FROM (SELECT 1 FROM tasks WHERE workspace_id = ${workspace_id} AND status = 'queued'
              AND kind = ANY(${LIMITED}) LIMIT ${quota.queued}) waiting) < ${quota.queued}`
      : sql`true`;
    const added = await sql`
      INSERT INTO tasks (id, workspace_id, kind, status, input, retry_of, carrier, trace_id, created_by)
      SELECT ${id}, ${workspace_id}, ${kind}, 'queued', ${JSON.stringify(task.input)}::jsonb,
             ${task.retry_of ?? null}::uuid, ${JSON.stringify(carrier)}::jsonb, ${traceIdOf(carrier)}, ${task.created_by}::uuid
      WHERE ${room}
      RETURNING pg_notify(${QUEUE_CHANNEL}, ${QUEUE_OF[kind]})
    `.execute(tx);
    if (added.rows.length === 0) {
      throw fail('task_quota_exceeded', `${quota.queued} tasks of this workspace are waiting already.`, {
        hint: 'Wait until some have run, or cancel some.',
        retry_after: RETRY_AFTER_S,
      });
    }
    await queue.send(tx, kind, id, workspace_id);
    return { id };
  };
}
