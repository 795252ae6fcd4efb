import type { Pool } from '#contract/instances.ts';
import { TASK_KINDS } from '#contract/tasks.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import { readyLanes } from './claim.ts';
import { QUEUE_OF, type QueueName, SCALED } from './queue.ts';

/** What one queue has, over all living workers. */
export interface QueueReading {
  queue: string;
  /** Of one worker process. */
  slots: number;
  busy: number;
  /** Waiting, and ready to be run; counted up to COUNTED. */
  queued: number;
  /** How long the oldest of those has waited, in ms. */
  oldest_ms: number;
}

export interface PoolReading {
  /** Worker processes that beat. */
  workers: number;
  queues: QueueReading[];
}

/** Busy slots over all slots of the busiest queue. */
export function utilization(queues: readonly QueueReading[], workers: number): number {
  return Math.max(0, ...queues.map(({ busy, slots }) => (slots > 0 && workers > 0 ? busy / (slots * workers) : 0)));
}

/** (busy + queued) / (most processes × slots) of the busiest queue; a number also when idle. */
export function capacity(queues: readonly QueueReading[], most: number): number {
  return Math.max(0, ...queues.map(({ busy, queued, slots }) => (slots > 0 ? (busy + queued) / (most * slots) : 0)));
}

/** More does not change what the pool does, and a long backlog must not be counted every second. */
const COUNTED = 10_000;

/**
 * The queues for which the pool grows, as the database sees them now.
 * @param slots of one worker, for queues of which no living worker tells
 */
export async function readPool(db: Db, slots: Partial<Record<QueueName, number>>): Promise<PoolReading> {
  const workers = await rows(
    db,
    sql<{ load: { queues?: Record<string, { slots: number }> } }>`
      SELECT load FROM instances WHERE stopped_at IS NULL AND 'worker' = ANY(roles) AND NOT load ? 'retiring'
        AND heartbeat_at > now() - interval '15 seconds'`,
  );
  const queues: QueueReading[] = [];
  for (const queue of SCALED) {
    const told = Math.max(0, ...workers.map(({ load }) => load.queues?.[queue]?.slots ?? 0));
    queues.push({ queue, slots: told || (slots[queue] ?? 0), ...(await readQueue(db, queue)) });
  }
  return { workers: workers.length, queues };
}

export interface PoolLimits {
  min: number;
  max: number;
  /** Slots of one worker by queue, as configured. */
  slots: Partial<Record<QueueName, number>>;
}

/** The pool for people and metrics. */
export async function describePool(db: Db, { min, max, slots }: PoolLimits): Promise<Pool> {
  const { workers, queues } = await readPool(db, slots);
  const decided = await first(
    db,
    sql<{ target: number; decided_at: Date; reason: string }>`SELECT target, decided_at, reason FROM worker_pool`,
  );
  const sum = (what: (queue: QueueReading) => number) => queues.reduce((total, queue) => total + what(queue), 0);
  return {
    size: workers,
    target: decided?.target ?? workers,
    min,
    max,
    slots: sum((queue) => queue.slots * workers),
    busy: sum(({ busy }) => busy),
    queued: sum(({ queued }) => queued),
    oldest_queued_seconds: Math.max(0, ...queues.map(({ oldest_ms }) => oldest_ms)) / 1_000,
    utilization: utilization(queues, workers),
    capacity: capacity(queues, max),
    decided_at: decided?.decided_at.toISOString() ?? null,
    reason: decided?.reason ?? null,
  };
}

async function readQueue(db: Db, queue: QueueName): Promise<Omit<QueueReading, 'queue' | 'slots'>> {
  const kinds = TASK_KINDS.filter((kind) => QUEUE_OF[kind] === queue);
  const found = await first(
    db,
    sql<Omit<QueueReading, 'queue' | 'slots'>>`
      ${readyLanes(queue)}
      SELECT (SELECT count(*) FROM tasks WHERE status = 'running' AND kind = ANY(${kinds})) AS busy,
             (SELECT count(*) FROM (SELECT 1 FROM pgboss.job j WHERE j.name = ${queue} AND j.state < 'active'
                AND NOT j.blocked AND j.start_after <= now() LIMIT ${COUNTED}) waiting) AS queued,
             coalesce((SELECT max(extract(epoch FROM now() - greatest(created_on, start_after))) * 1000 FROM ready), 0)
               ::double precision AS oldest_ms`,
  );
  return found ?? { busy: 0, queued: 0, oldest_ms: 0 };
}
