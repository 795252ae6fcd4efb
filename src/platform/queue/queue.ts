import { fromKysely, PgBoss } from 'pg-boss';
import type { TaskKind } from '#contract/tasks.ts';
import type { Db } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { laneOf } from './lanes.ts';

/** pg-boss delivers; what is true of a task (status, progress, result) is in the `tasks` table. */
export const QUEUE_OF: Record<TaskKind, QueueName> = {
  load: 'load',
  replay: 'load',
  replay_events: 'load',
  compact: 'upkeep',
  delete_file: 'upkeep',
  report: 'load',
  video: 'video',
};

export const QUEUES = ['load', 'upkeep', 'video'] as const;
export type QueueName = (typeof QUEUES)[number];

/** The queues for which the pool grows: what people wait for, and what more processes finish sooner. */
export const SCALED: readonly QueueName[] = ['load', 'video'];
export const isScaled = (queue: string): boolean => (SCALED as readonly string[]).includes(queue);

/** A worker's death is not the task's fault, so pg-boss may deliver often; `run.ts` counts the attempts that matter. */
const DELIVERIES = 60;
const TWELVE_HOURS = 12 * 3600;

/** What every delivery carries: the row in `tasks` says the rest. */
export interface Delivery {
  task_id: string;
}

export interface QueueOptions {
  url: string;
  log: Logger;
  /** Watches heartbeats and returns the jobs of dead workers; one process of the installation suffices, more do no harm. */
  supervise: boolean;
  /** Claims and keeps tasks, so it needs more connections than who only sends. */
  works: boolean;
}

export interface Queue {
  boss: PgBoss;
  /** Puts the delivery of a task into the same transaction as the task itself. */
  send(db: Db, kind: TaskKind, taskId: string, workspaceId: string): Promise<void>;
  stop(): Promise<void>;
}

/** Tells whoever claims that something was added; the payload is the queue's name. */
export const QUEUE_CHANNEL = 'caudal_queue';

/** pg-boss's own schema and queues; run with Caudal's migrations, by one process. */
export async function migrateQueue(url: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url, max: 2, supervise: false, schedule: false });
  boss.on('error', () => undefined);
  await boss.start();
  try {
    for (const name of QUEUES) {
      const options = {
        retryLimit: DELIVERIES,
        retryDelay: 1,
        retryBackoff: true,
        retryDelayMax: 60,
        heartbeatSeconds: 10,
        expireInSeconds: TWELVE_HOURS,
        deleteAfterSeconds: 24 * 3600,
        // Who enqueues tells on QUEUE_CHANNEL; one NOTIFY a task is enough.
        notify: false,
      };
      if (await boss.getQueue(name)) await boss.updateQueue(name, options);
      else await boss.createQueue(name, options);
    }
  } finally {
    await boss.stop({ graceful: false });
  }
}

export async function openQueue(options: QueueOptions): Promise<Queue> {
  const boss = new PgBoss({
    connectionString: options.url,
    application_name: 'caudal-queue',
    max: options.works ? 5 : 2,
    migrate: false,
    createSchema: false,
    schedule: false,
    supervise: options.supervise,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
  });
  boss.on('error', (error) => options.log.warn({ err: error }, 'queue: connection trouble, carrying on'));
  boss.on('warning', (warning) => options.log.debug({ warning }, 'queue warning'));
  await boss.start();
  return {
    boss,
    async send(db, kind, taskId, workspaceId) {
      const options = { id: taskId, priority: laneOf(workspaceId), db: fromKysely(db) };
      await boss.send(QUEUE_OF[kind], { task_id: taskId } satisfies Delivery, options);
    },
    stop: () => boss.stop({ graceful: false, close: true }),
  };
}
