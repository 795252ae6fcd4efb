import type { Job, PgBoss } from 'pg-boss';
import type { Carrier } from '#contract/carrier.ts';
import { TASK_KINDS, type TaskInputs, type TaskKind } from '#contract/tasks.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { allocate, type Lane, laneOf } from './lanes.ts';
import { type Delivery, QUEUE_OF, type QueueName } from './queue.ts';

/** A task that this process runs now, under its own fence. */
export interface Started {
  id: string;
  kind: TaskKind;
  workspace_id: string;
  input: TaskInputs[TaskKind];
  attempt: number;
  deaths: number;
  fence: number;
  carrier: Carrier | null;
  created_by: string | null;
  /** It was found running: its worker died. */
  died: boolean;
  /** Since it was created, when this run started. */
  waited_ms: number;
  first_run: boolean;
}

export interface ClaimOptions {
  db: Db;
  boss: PgBoss;
  instance_id: string;
  /** The most tasks of one workspace that run at once in a queue. */
  most: number;
}

export interface Claimed {
  started: { job: Job<Delivery>; task: Started }[];
  /** A lane gave all that was asked of it, so more may wait. */
  more: boolean;
}

/**
 * Takes up to `free` tasks of a queue, fairly over workspaces, and marks them running: a look at the lanes, one
 * fetch for each lane that is drawn from, one statement that starts what came. Two processes that look at the same moment
 * may both choose a lane; that evens out with the next choice.
 */
export async function claim(options: ClaimOptions, queue: QueueName, free: number): Promise<Claimed> {
  const { boss } = options;
  const draws = allocate(free, await waitingLanes(options.db, queue), options.most);
  const jobs: Job<Delivery>[] = [];
  let more = false;
  for (const { lane, take } of draws) {
    const found = await boss.fetch<Delivery>(queue, { batchSize: take, minPriority: lane, maxPriority: lane });
    more ||= found.length === take;
    jobs.push(...found);
  }
  if (jobs.length === 0) return { started: [], more: false };
  const tasks = await start(options, jobs).catch(async (error) => {
    // The claim is ours and nothing runs: given back now, or by the missing heartbeat if the database is away.
    await boss.fail(queue, jobs).catch(() => undefined);
    throw error;
  });
  const over = jobs.filter((job) => !tasks.has(job.data.task_id));
  if (over.length > 0) await boss.complete(queue, over);
  const started = jobs.flatMap((job) => {
    const task = tasks.get(job.data.task_id);
    return task ? [{ job, task }] : [];
  });
  return { started, more };
}

interface LaneRow {
  lane: number | null;
  workspace_id: string | null;
  running: number;
}

const KINDS_OF = (queue: QueueName): TaskKind[] => TASK_KINDS.filter((kind) => QUEUE_OF[kind] === queue);

/**
 * A WITH clause: `ready` has the lanes of a queue in which a job may be run, with that job's times. One probe of
 * pg-boss's index for each lane, however much the lane holds.
 */
export function readyLanes(queue: QueueName) {
  const waiting = sql`j.name = ${queue} AND j.state < 'active' AND NOT j.blocked`;
  return sql`
    WITH RECURSIVE lanes AS (
      (SELECT j.priority FROM pgboss.job j WHERE ${waiting} ORDER BY j.priority DESC LIMIT 1)
      UNION ALL
      SELECT (SELECT j.priority FROM pgboss.job j WHERE ${waiting} AND j.priority < lanes.priority
              ORDER BY j.priority DESC LIMIT 1)
      FROM lanes WHERE lanes.priority IS NOT NULL),
    ready AS (
      SELECT lanes.priority AS lane, head.created_on, head.start_after FROM lanes CROSS JOIN LATERAL (
        SELECT j.created_on, j.start_after FROM pgboss.job j
        WHERE ${waiting} AND j.priority = lanes.priority AND j.start_after <= now() ORDER BY j.created_on LIMIT 1) head
      WHERE lanes.priority IS NOT NULL ORDER BY head.created_on LIMIT ${LANES_SEEN})`;
}

/** The lanes of a queue in which a job is ready, oldest first, with what each has running. */
async function waitingLanes(db: Db, queue: QueueName): Promise<Lane[]> {
  const found = await rows(
    db,
    sql<LaneRow>`
      ${readyLanes(queue)}
      SELECT lane, NULL AS workspace_id, 0 AS running, created_on FROM ready
      UNION ALL
      SELECT NULL, workspace_id, count(*), NULL FROM tasks
      WHERE status = 'running' AND kind = ANY(${KINDS_OF(queue)}) GROUP BY workspace_id
      ORDER BY created_on NULLS LAST`,
  );
  const running = new Map<number, number>();
  for (const { workspace_id, running: count } of found) {
    if (workspace_id === null) continue;
    const lane = laneOf(workspace_id);
    running.set(lane, (running.get(lane) ?? 0) + count);
  }
  return found.flatMap(({ lane }) => (lane === null ? [] : [{ lane, running: running.get(lane) ?? 0 }]));
}

/** More than there are slots in any pool: whoever waits longest is among them. */
const LANES_SEEN = 1_000;

/**
 * Marks tasks running under a new fence. One that is found `running` lost its worker: that death is
 * counted apart from the attempts. What has ended is not in the answer.
 */
async function start(options: ClaimOptions, jobs: readonly Job<Delivery>[]): Promise<Map<string, Started>> {
  const ids = jobs.map(({ data }) => data.task_id);
  const found = await rows(
    options.db,
    sql<Started>`
      WITH picked AS (
        SELECT id, status = 'running' AS died, started_at IS NULL AS first_run, instance_id AS lost_by,
               workspace_id AS owner, kind AS lost_kind, attempt AS lost_attempt, coalesce(started_at, created_at) AS began
        FROM tasks WHERE id = ANY(${ids}::uuid[]) AND status IN ('queued', 'running') ORDER BY id FOR UPDATE),
      losses AS (
        INSERT INTO task_losses (task_id, workspace_id, instance_id, kind, attempt, started_at)
        SELECT id, owner, lost_by, lost_kind, lost_attempt, began FROM picked WHERE died AND lost_by IS NOT NULL)
      UPDATE tasks t SET status = 'running', fence = fence + 1, instance_id = ${options.instance_id},
             attempt = attempt + (NOT died)::int, deaths = deaths + died::int,
             started_at = coalesce(started_at, now()), updated_at = now()
      FROM picked WHERE t.id = picked.id
      RETURNING t.id, kind, workspace_id, input, attempt, deaths, fence, carrier, created_by, died, first_run,
                (extract(epoch FROM clock_timestamp() - created_at) * 1000)::double precision AS waited_ms`,
  );
  return new Map(found.map((task) => [task.id, task]));
}
