import { fromKysely, type Job, type PgBoss } from 'pg-boss';
import type { TaskKind } from '#contract/tasks.ts';
import { CaudalError, fail, toStoredError } from '#kernel/errors.ts';
import { type Db, first, sql, type Tx, transaction } from '#platform/db/db.ts';
import type { Listener } from '#platform/db/listen.ts';
import type { Logger } from '#platform/observe/log.ts';
import { histogram } from '#platform/observe/metrics/instruments.ts';
import { SpanKind, withSpan } from '#platform/observe/tracing.ts';
import { type Claimed, claim, type Started } from './claim.ts';
import { type Feed, startFeed } from './feed.ts';
import { type Held, keepHeld } from './keep.ts';
import { type Delivery, QUEUE_CHANNEL, QUEUE_OF, type QueueName } from './queue.ts';
import { Fenced, type TaskContext, type TaskDefinition } from './task.ts';

const MAX_ATTEMPTS = 5;
const MAX_DEATHS = 50;
const PROGRESS_EVERY_MS = 250;

export interface RunnerOptions {
  db: Db;
  boss: PgBoss;
  log: Logger;
  listener: Listener;
  instance_id: string;
  /** How many tasks of each queue run at once in this process. */
  slots: Partial<Record<QueueName, number>>;
  /** The most tasks of one workspace that run at once in a queue, over all processes; without: no limit. */
  most?: number;
  /** Lazily imported: a worker loads a room only when its first task comes. */
  definitions: { [K in TaskKind]?: () => Promise<TaskDefinition<K>> };
}

export interface QueueLoad {
  slots: number;
  busy: number;
}

export interface Runner {
  /** Task ids under way. */
  running(): string[];
  load(): Partial<Record<QueueName, QueueLoad>>;
  /** Takes no more work; resolves when what runs has ended, however long that takes. */
  finish(): Promise<void>;
  /** Takes no more work, waits at most `ms` for what runs, then aborts it (it is delivered again elsewhere). */
  drain(ms: number): Promise<void>;
}

/** Starts a feed per queue; each task runs inside a span that continues the enqueuer's trace. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { db, boss, log, instance_id, most = Number.POSITIVE_INFINITY } = options;
  const held = new Map<string, Held>();
  const keeping = keepHeld({ db, boss, log }, held);
  const run = async (queue: QueueName, { job, task }: Claimed['started'][number]): Promise<void> => {
    const one: Held = { queue, job, task, controller: new AbortController() };
    held.set(task.id, one);
    try {
      await runTask(options, one);
    } catch (error) {
      // The database is away, or the task is to be tried again: pg-boss delivers it after a pause.
      await boss.fail(queue, job, error as Error).catch(() => undefined);
    } finally {
      held.delete(task.id);
    }
  };
  const feeds = new Map<QueueName, Feed>();
  for (const [queue, slots] of Object.entries(options.slots) as [QueueName, number][]) {
    const look = (name: QueueName, free: number) => claim({ db, boss, instance_id, most }, name, free);
    feeds.set(queue, startFeed({ queue, slots, log, claim: look, run }));
  }
  const wakeAll = (): void => {
    for (const feed of feeds.values()) feed.wake();
  };
  const deaf = options.listener.on(QUEUE_CHANNEL, (queue) => feeds.get(queue as QueueName)?.wake(), wakeAll);
  const finish = async (): Promise<void> => {
    deaf();
    await Promise.all([...feeds.values()].map((feed) => feed.stop()));
  };
  return {
    running: () => [...held.keys()],
    load: () =>
      Object.fromEntries([...feeds].map(([queue, feed]) => [queue, { slots: feed.slots, busy: feed.busy() }])),
    finish,
    async drain(ms) {
      const stopped = finish();
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, ms, 'late').unref());
      if ((await Promise.race([stopped, late])) === 'late') {
        log.warn({ tasks: [...held.keys()] }, 'drain: time is up, handing tasks back');
        for (const { controller } of held.values()) controller.abort(new Draining());
        await stopped;
      }
      keeping.stop();
    },
  };
}

async function runTask(options: RunnerOptions, { queue, job, task, controller }: Held): Promise<void> {
  if (task.died) options.log.warn({ task_id: task.id, deaths: task.deaths }, 'task: its worker died, running it again');
  await withSpan(
    `process ${queue}`,
    {
      kind: SpanKind.CONSUMER,
      carrier: task.carrier,
      attributes: {
        'messaging.system': 'pg-boss',
        'messaging.destination.name': queue,
        'messaging.operation.type': 'process',
        'messaging.message.id': task.id,
        'caudal.task.id': task.id,
        'caudal.task.kind': task.kind,
        'caudal.task.attempt': task.attempt,
        'caudal.workspace': task.workspace_id,
      },
    },
    () => execute(options, task, job, controller),
  );
}

type Outcome = 'succeeded' | 'failed' | 'cancelled' | 'again' | 'lost';

async function execute(
  options: RunnerOptions,
  started: Started,
  job: Job<Delivery>,
  controller: AbortController,
): Promise<void> {
  const definition = await definitionOf(options, started.kind);
  const context = contextFor(options, started, job, controller);
  const began = performance.now();
  const kind = { 'caudal.task.kind': started.kind };
  if (started.first_run) histogram('caudal.task.wait').record(started.waited_ms / 1000, kind);
  let outcome: Outcome = 'succeeded';
  try {
    tooManyDeaths(started);
    await definition.handle(context);
  } catch (error) {
    outcome = 'again';
    outcome = await settle(
      options,
      started,
      job,
      definition,
      controller.signal.aborted ? controller.signal.reason : error,
    );
  } finally {
    const seconds = (performance.now() - began) / 1000;
    histogram('caudal.task.duration').record(seconds, { ...kind, 'caudal.outcome': outcome });
  }
}

/** Definitions are a table over kinds; each entry's type follows its key, which the index cannot show. */
async function definitionOf(options: RunnerOptions, kind: TaskKind): Promise<TaskDefinition<TaskKind>> {
  const load = options.definitions[kind];
  if (!load) throw new Error(`no handler for tasks of kind ${kind}`);
  return (await load()) as unknown as TaskDefinition<TaskKind>;
}

function tooManyDeaths({ deaths }: Started): void {
  if (deaths <= MAX_DEATHS) return;
  throw fail('reader_crashed', `Its worker died ${deaths} times while running this task; it is not tried again.`);
}

function contextFor(
  options: RunnerOptions,
  started: Started,
  job: Job<Delivery>,
  controller: AbortController,
): TaskContext<TaskKind> {
  const { id, kind, workspace_id, input, attempt, carrier, created_by } = started;
  let written = 0;
  const began = performance.now();
  return {
    age_ms: () => started.waited_ms + performance.now() - began,
    task: { id, kind, workspace_id, input, attempt, carrier, created_by },
    log: options.log.child({ task_id: id, task_kind: kind }),
    signal: controller.signal,
    progress(percent, detail) {
      const now = performance.now();
      if (now - written < PROGRESS_EVERY_MS) return;
      written = now;
      const value = Math.max(0, Math.min(100, percent));
      void sql`UPDATE tasks SET progress = ${value}, updated_at = now(),
                 detail = coalesce(${detail ? JSON.stringify(detail) : null}::jsonb, detail)
               WHERE id = ${id} AND fence = ${started.fence} AND status = 'running'`
        .execute(options.db)
        .catch(() => undefined);
    },
    succeed: (tx, output) => succeed(tx, options.boss, started, job, output),
  };
}

async function lockTask(tx: Tx, started: Started): Promise<{ cancelled: boolean }> {
  const row = await first(
    tx,
    sql<{ status: string; fence: number; cancel_requested_at: Date | null }>`
      SELECT status, fence, cancel_requested_at FROM tasks WHERE id = ${started.id} FOR UPDATE`,
  );
  if (row?.status !== 'running' || row.fence !== started.fence) throw new Fenced(started.id);
  return { cancelled: row.cancel_requested_at !== null };
}

async function succeed(
  tx: Tx,
  boss: PgBoss,
  started: Started,
  job: Job<Delivery>,
  output: Record<string, unknown>,
): Promise<void> {
  const { cancelled } = await lockTask(tx, started);
  if (cancelled) throw fail('task_cancelled', 'The task was cancelled.');
  await sql`
    UPDATE tasks SET status = 'succeeded', progress = 100, output = ${JSON.stringify(output)}::jsonb, error = NULL,
           finished_at = now(), updated_at = now()
    WHERE id = ${started.id}`.execute(tx);
  await completeJob(tx, boss, started, job);
  await announce(tx, started.id);
}

async function completeJob(tx: Tx, boss: PgBoss, { kind }: Started, { id, retryCount }: Job<Delivery>): Promise<void> {
  await boss.complete(QUEUE_OF[kind], { id, retryCount }, null, { db: fromKysely(tx) });
}

/** What becomes of a task whose run threw: cancelled, failed, or queued again. Throws when pg-boss is to deliver it again. */
async function settle(
  options: RunnerOptions,
  started: Started,
  job: Job<Delivery>,
  definition: TaskDefinition<TaskKind>,
  error: unknown,
): Promise<Outcome> {
  if (error instanceof Fenced) return 'lost';
  const how = await transaction(options.db, async (tx) => {
    let cancelled: boolean;
    try {
      ({ cancelled } = await lockTask(tx, started));
    } catch (lost) {
      if (lost instanceof Fenced) return 'lost' as const;
      throw lost;
    }
    const outcome = cancelled ? 'cancelled' : judge(error, started.attempt);
    if (outcome === 'again') {
      const uncounted = isDrain(error) ? 1 : 0;
      await sql`UPDATE tasks SET status = 'queued', attempt = attempt - ${uncounted}, updated_at = now()
                WHERE id = ${started.id}`.execute(tx);
    } else {
      await end(tx, started, definition, outcome, error);
      await completeJob(tx, options.boss, started, job);
    }
    await announce(tx, started.id);
    return outcome;
  });
  const log = options.log.child({ task_id: started.id, task_kind: started.kind });
  if (how === 'again') {
    log.warn({ err: error, attempt: started.attempt }, 'task: run failed, trying again');
    throw error;
  }
  if (how === 'failed') {
    const ours = !(error instanceof CaudalError) || error.status >= 500;
    log[ours ? 'error' : 'info'](ours ? { err: error } : { code: error.code, reason: error.message }, 'task failed');
  }
  return how;
}

async function end(
  tx: Tx,
  started: Started,
  definition: TaskDefinition<TaskKind>,
  how: 'failed' | 'cancelled',
  error: unknown,
): Promise<void> {
  const { id, kind, workspace_id, input, attempt, carrier, created_by } = started;
  const stored = how === 'failed' ? JSON.stringify(toStoredError(error)) : null;
  await sql`
    UPDATE tasks SET status = ${how}, error = ${stored}::jsonb, finished_at = now(), updated_at = now()
    WHERE id = ${id}`.execute(tx);
  await definition.ended?.(tx, { id, kind, workspace_id, input, attempt, carrier, created_by }, how, error);
}

/** Bad input fails at once; what may pass is tried again, at most five times; a drained task always. */
function judge(error: unknown, attempt: number): 'failed' | 'again' {
  if (error instanceof CaudalError && error.status < 500) return 'failed';
  if (isDrain(error)) return 'again';
  return attempt >= MAX_ATTEMPTS ? 'failed' : 'again';
}

class Draining extends Error {
  constructor() {
    super('this worker is shutting down');
    this.name = 'Draining';
  }
}

function isDrain(error: unknown): boolean {
  return error instanceof Draining;
}

/** Tells whoever follows a task (SSE) that it changed; the state itself is read from the table. */
export async function announce(tx: Db, taskId: string): Promise<void> {
  await sql`SELECT pg_notify('caudal_tasks', ${taskId})`.execute(tx);
}
