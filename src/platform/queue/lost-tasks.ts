import { fromKysely } from 'pg-boss';
import type { TaskKind } from '#contract/tasks.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import { QUEUE_OF, type Queue } from './queue.ts';

/**
 * Delivers again what the queue has lost sight of (its job failed for good or is not there, as after a
 * restored backup) although the task is not over. Found by comparing with pg-boss's own table.
 * @returns how many were delivered again
 */
export async function redeliverLostTasks(db: Db, queue: Queue): Promise<number> {
  const lost = await rows(
    db,
    sql<{ id: string; kind: TaskKind; workspace_id: string }>`
      SELECT t.id, t.kind, t.workspace_id FROM tasks t
      WHERE t.status IN ('queued', 'running') AND t.created_at < now() - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM pgboss.job j WHERE j.id = t.id AND j.state IN ('created', 'retry', 'active'))
      LIMIT 1000`,
  );
  for (const { id, kind, workspace_id } of lost) {
    await transaction(db, async (tx) => {
      await queue.boss.deleteJob(QUEUE_OF[kind], id, { db: fromKysely(tx) });
      await queue.send(tx, kind, id, workspace_id);
    });
  }
  return lost.length;
}
