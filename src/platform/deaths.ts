import type { Death, LostTask, TaskAtDeath } from '#contract/instances.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';

/** A death as it was recorded, with what has become of its work since. */
export interface RecordedDeath extends Omit<Death, 'tasks'> {
  id: string;
  instance_id: string;
  name: string | null;
  roles: string[];
  host: string;
  pid: number;
  started_at: string;
  tasks: (LostTask & { workspace_id: string })[];
}

interface Row {
  id: string;
  instance_id: string;
  name: string | null;
  roles: string[];
  host: string;
  pid: number;
  cause: Death['cause'];
  exit_code: number | null;
  signal: string | null;
  started_at: Date;
  heartbeat_at: Date;
  died_at: Date;
  noticed_by: string;
  tasks: TaskAtDeath[];
  replaced_by: string | null;
  replaced_at: Date | null;
}

interface Now {
  id: string;
  status: string;
  instance_id: string | null;
  instance: string | null;
}

export interface DeathFilter {
  /** Only this one. */
  id?: string;
  /** Noticed at or after. */
  since?: Date;
  instances?: readonly string[];
}

/**
 * Deaths, newest first, at most 200: which instance, since when, what it was doing and where each of its tasks went.
 * It was replaced when it beats again itself, or when another of its name (or, without names, of its roles) began after
 * its last sign of life on the same host.
 */
export async function readDeaths(db: Db, filter: DeathFilter = {}): Promise<RecordedDeath[]> {
  const found = await rows(
    db,
    sql<Row>`
      SELECT d.*, r.id AS replaced_by, r.at AS replaced_at FROM instance_deaths d
      LEFT JOIN LATERAL (
        SELECT i.id, CASE WHEN i.id = d.instance_id THEN i.heartbeat_at ELSE i.started_at END AS at FROM instances i
        WHERE (i.id = d.instance_id AND i.heartbeat_at > d.died_at)
           OR (i.id <> d.instance_id AND i.host = d.host AND i.started_at > d.heartbeat_at
               AND i.name IS NOT DISTINCT FROM d.name AND i.roles = d.roles)
        ORDER BY at LIMIT 1) r ON true
      WHERE (${filter.id ?? null}::uuid IS NULL OR d.id = ${filter.id ?? null})
        AND (${filter.since ?? null}::timestamptz IS NULL OR d.died_at >= ${filter.since ?? null})
        AND (${filter.instances ?? null}::uuid[] IS NULL OR d.instance_id = ANY(${filter.instances ?? null}))
      ORDER BY d.died_at DESC, d.id DESC LIMIT 200`,
  );
  const now = await whereTheyAre(db, [...new Set(found.flatMap(({ tasks }) => tasks.map(({ task_id }) => task_id)))]);
  return found.map(({ heartbeat_at, died_at, started_at, replaced_at, tasks, ...row }) => ({
    ...row,
    started_at: started_at.toISOString(),
    last_heartbeat_at: heartbeat_at.toISOString(),
    died_at: died_at.toISOString(),
    replaced_at: replaced_at?.toISOString() ?? null,
    tasks_lost: tasks.length,
    tasks: tasks.map((task) => {
      const { status = null, instance_id = null, instance = null } = now.get(task.task_id) ?? {};
      return { ...task, status, instance_id, instance };
    }),
  }));
}

async function whereTheyAre(db: Db, ids: string[]): Promise<Map<string, Now>> {
  if (ids.length === 0) return new Map();
  const found = await rows(
    db,
    sql<Now>`
      SELECT t.id, t.status, t.instance_id,
             coalesce(i.name, array_to_string(i.roles, '+') || ' ' || i.pid::text) AS instance
      FROM tasks t LEFT JOIN instances i ON i.id = t.instance_id WHERE t.id = ANY(${ids}::uuid[])`,
  );
  return new Map(found.map((task) => [task.id, task]));
}
