import type { PgBoss } from 'pg-boss';
import type { DeathCause, TaskAtDeath } from '#contract/instances.ts';
import type { TaskKind } from '#contract/tasks.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import { QUEUE_OF } from './queue.ts';

export interface HowItDied {
  cause: DeathCause;
  exit_code?: number | null;
  signal?: string | null;
  /** Who noticed: `supervisor` with its pid, or an instance. */
  noticed_by: string;
}

/** Whoever waits for deaths listens on `caudal_deaths`; the payload is `instance_deaths.id`. */
const DEATHS_CHANNEL = 'caudal_deaths';

interface Dead {
  id: string;
  roles: string[];
  host: string;
  pid: number;
  name: string | null;
  version: string;
  started_at: Date;
  heartbeat_at: Date;
  /** Its death is recorded already. */
  known: boolean;
}

/**
 * Records the death of instances with what each was doing, and gives that work to others at once. A death
 * that is already recorded is not recorded again, so several may notice it.
 * @returns the tasks handed back
 */
export async function bury(db: Db, boss: PgBoss, ids: readonly string[], how: HowItDied): Promise<string[]> {
  if (ids.length === 0) return [];
  const left = await transaction(db, async (tx) => {
    const dead = await rows(
      tx,
      sql<Dead>`
        SELECT id, roles, host, pid, name, version, started_at, heartbeat_at, EXISTS (
               SELECT 1 FROM instance_deaths d WHERE d.instance_id = i.id AND d.died_at >= i.heartbeat_at) AS known
        FROM instances i WHERE id = ANY(${ids}::uuid[]) AND stopped_at IS NULL ORDER BY id FOR UPDATE`,
    );
    const tasks: TaskAtDeath[] = [];
    for (const instance of dead) {
      const running = await runningOn(tx, instance.id);
      if (!instance.known) await recordDeath(tx, instance, [...(await takenFrom(tx, instance)), ...running], how);
      // Who is only silent may come back: its next heartbeat says so.
      if (how.cause !== 'silent')
        await sql`UPDATE instances SET stopped_at = now() WHERE id = ${instance.id}`.execute(tx);
      tasks.push(...running);
    }
    return tasks;
  });
  for (const { task_id, kind } of left) await boss.fail(QUEUE_OF[kind as TaskKind], task_id);
  return left.map(({ task_id }) => task_id);
}

type TaskRow = Omit<TaskAtDeath, 'started_at'> & { started_at: Date };

const toTasks = (found: TaskRow[]): TaskAtDeath[] =>
  found.map((task) => ({ ...task, started_at: task.started_at.toISOString() }));

async function runningOn(tx: Db, instance: string): Promise<TaskAtDeath[]> {
  return toTasks(
    await rows(
      tx,
      sql<TaskRow>`
        SELECT id AS task_id, workspace_id, kind, attempt, coalesce(started_at, created_at) AS started_at FROM tasks
        WHERE status = 'running' AND instance_id = ${instance} ORDER BY id`,
    ),
  );
}

/** pg-boss gives a silent worker's tasks away after ten seconds: others may have them before its death is noticed. */
async function takenFrom(tx: Db, { id, heartbeat_at }: Dead): Promise<TaskAtDeath[]> {
  return toTasks(
    await rows(
      tx,
      sql<TaskRow>`
        SELECT task_id, workspace_id, kind, attempt, started_at FROM task_losses
        WHERE instance_id = ${id} AND lost_at >= ${heartbeat_at} ORDER BY task_id`,
    ),
  );
}

/** Tells whoever waits for deaths as well. */
export async function recordDeath(
  tx: Db,
  dead: Omit<Dead, 'known'>,
  tasks: TaskAtDeath[],
  how: HowItDied,
): Promise<void> {
  const id = newId();
  await sql`
    INSERT INTO instance_deaths (id, instance_id, name, roles, host, pid, version, cause, exit_code, signal,
                                 started_at, heartbeat_at, noticed_by, tasks)
    VALUES (${id}, ${dead.id}, ${dead.name}, ${dead.roles}, ${dead.host}, ${dead.pid}, ${dead.version}, ${how.cause},
            ${how.exit_code ?? null}, ${how.signal ?? null}, ${dead.started_at}, ${dead.heartbeat_at}, ${how.noticed_by},
            ${JSON.stringify(tasks)}::jsonb)`.execute(tx);
  await sql`SELECT pg_notify(${DEATHS_CHANNEL}, ${id})`.execute(tx);
}
