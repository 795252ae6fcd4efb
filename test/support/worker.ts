import { after } from 'node:test';
import pino from 'pino';
import type { TaskKind, TaskStatus } from '#contract/tasks.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql } from '#platform/db/db.ts';
import { createListener } from '#platform/db/listen.ts';
import { createEnqueue, type Enqueue } from '#platform/queue/enqueue.ts';
import { migrateQueue, openQueue, type Queue } from '#platform/queue/queue.ts';
import { startRunner } from '#platform/queue/run.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';
import type { TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';

export interface EndedTask {
  id: string;
  status: TaskStatus;
  output: Record<string, unknown> | null;
  error: { code: string; message: string; hint?: string } | null;
  attempt: number;
}

export type Definitions = { [K in TaskKind]?: () => Promise<TaskDefinition<K>> };

export interface TestQueue {
  queue: Queue;
  enqueue: Enqueue;
  /** Runs tasks with these handlers until the test file ends. Once: a runner takes tasks of every kind. */
  work(definitions: Definitions): Promise<void>;
  /** Waits for a task to succeed, fail or be cancelled. */
  ended(taskId: string): Promise<EndedTask>;
}

/** Only what never comes fails. */
const PATIENCE_MS = 120_000;
const SLOTS = { load: 2, upkeep: 1, video: 1 };

/** The real queue on a test's database. */
export async function testQueue(database: TestDatabase): Promise<TestQueue> {
  const log = pino({ level: 'silent' });
  await migrateQueue(database.url);
  const queue = await openQueue({ url: database.url, log, supervise: false, works: true });
  const listener = createListener(database.url, log);
  const runners: { drain(ms: number): Promise<void> }[] = [];
  after(async () => {
    await Promise.all(runners.map((runner) => runner.drain(5_000)));
    await listener.close();
    await queue.stop();
  });
  return {
    queue,
    enqueue: createEnqueue(queue),
    async work(definitions) {
      const options = { db: database.db, boss: queue.boss, log, listener, instance_id: newId(), slots: SLOTS };
      runners.push(await startRunner({ ...options, definitions }));
    },
    ended: (id) =>
      eventually(async () => {
        const task = await first(
          database.db,
          sql<EndedTask>`SELECT id, status, output, error, attempt FROM tasks WHERE id = ${id}`,
        );
        return task && task.status !== 'queued' && task.status !== 'running' ? task : undefined;
      }, PATIENCE_MS),
  };
}
