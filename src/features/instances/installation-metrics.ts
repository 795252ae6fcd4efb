import type { Pool } from '#contract/instances.ts';
import { TASK_KINDS } from '#contract/tasks.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import { type Observations, observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { describePool, type PoolLimits } from '#platform/queue/pool.ts';

export interface InstallationMetricsOptions {
  db: Db;
  instance: string;
  limits: PoolLimits;
}

interface Facts {
  first: boolean;
  queue: Record<string, { depth: number; age: number }>;
  instances: { role: string; state: string; count: number }[];
  lake: { segments: number; bytes: number; rows: number };
}

/**
 * What belongs to the installation and to no process of its own: queue, pool, lake. Every gateway looks, and the one
 * that has been there longest tells, so that sums over instances count nothing twice.
 */
export function observeInstallation(options: InstallationMetricsOptions): () => void {
  return observe(
    [
      'caudal.queue.depth',
      'caudal.queue.oldest.age',
      'caudal.worker.capacity',
      'caudal.worker.pool.size',
      'caudal.worker.pool.target',
      'caudal.worker.pool.limit',
      'caudal.worker.pool.utilization',
      'caudal.instances',
      'caudal.lake.segments',
      'caudal.lake.bytes',
      'caudal.lake.rows',
    ],
    async () => {
      const facts = await untraced(() => look(options));
      if (!facts?.first) return {};
      return { ...observationsOf(facts), ...poolOf(await untraced(() => describePool(options.db, options.limits))) };
    },
  );
}

function observationsOf(facts: Facts): Observations {
  const kinds = TASK_KINDS.map((kind) => ({ kind, waiting: facts.queue[kind] ?? { depth: 0, age: 0 } }));
  return {
    'caudal.queue.depth': kinds.map(({ kind, waiting }) => ({
      value: waiting.depth,
      attributes: { 'caudal.task.kind': kind },
    })),
    'caudal.queue.oldest.age': kinds.map(({ kind, waiting }) => ({
      value: waiting.age,
      attributes: { 'caudal.task.kind': kind },
    })),
    'caudal.instances': facts.instances.map(({ role, state, count }) => ({
      value: count,
      attributes: { 'caudal.role': role, 'caudal.state': state },
    })),
    'caudal.lake.segments': facts.lake.segments,
    'caudal.lake.bytes': facts.lake.bytes,
    'caudal.lake.rows': facts.lake.rows,
  };
}

function poolOf({ capacity, utilization, size, target, max }: Pool): Observations {
  return {
    'caudal.worker.capacity': capacity,
    'caudal.worker.pool.utilization': utilization,
    'caudal.worker.pool.size': size,
    'caudal.worker.pool.target': target,
    'caudal.worker.pool.limit': max,
  };
}

function look({ db, instance }: InstallationMetricsOptions): Promise<Facts | undefined> {
  return first(
    db,
    sql<Facts>`
      WITH present AS (
        SELECT id, roles, started_at, heartbeat_at > now() - interval '15 seconds' AS alive
        FROM instances WHERE stopped_at IS NULL AND heartbeat_at > now() - interval '1 hour'),
      waiting AS (
        SELECT kind, count(*) AS depth, extract(epoch FROM now() - min(created_at)) AS age
        FROM tasks WHERE status = 'queued' GROUP BY kind),
      roles AS (
        SELECT role, CASE WHEN alive THEN 'alive' ELSE 'silent' END AS state, count(*) AS count
        FROM present, unnest(roles) AS role GROUP BY 1, 2)
      SELECT
        (SELECT id FROM present WHERE alive AND 'api' = ANY(roles) ORDER BY started_at, id LIMIT 1) = ${instance} AS first,
        coalesce((SELECT jsonb_object_agg(kind, jsonb_build_object('depth', depth, 'age', age)) FROM waiting), '{}') AS queue,
        coalesce((SELECT jsonb_agg(jsonb_build_object('role', role, 'state', state, 'count', count)) FROM roles), '[]')
          AS instances,
        (SELECT jsonb_build_object('segments', count(*), 'bytes', coalesce(sum(s.bytes), 0), 'rows', coalesce(sum(s.rows), 0))
         FROM segments s WHERE s.removed_version IS NULL) AS lake`,
  );
}
