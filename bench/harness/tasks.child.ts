import { fromKysely, PgBoss } from 'pg-boss';
import pino from 'pino';
import { newId } from '../../src/kernel/ids.ts';
import { openDatabase, sql, transaction } from '../../src/platform/db/db.ts';
import { createListener } from '../../src/platform/db/listen.ts';
import { createEnqueue } from '../../src/platform/queue/enqueue.ts';
import { openQueue } from '../../src/platform/queue/queue.ts';
import { startRunner } from '../../src/platform/queue/run.ts';
import { answer } from './child.ts';

/** No-op tasks, by Caudal's queue or by pg-boss alone, on a database that `migrateQueue` has prepared. */
export interface TaskWork {
  side: 'caudal' | 'library';
  url: string;
  slots: number;
  /** Queued first, then run as fast as it goes. */
  backlog: number;
  /** Enqueued one after another while nothing else waits. */
  single: number;
}

export interface TaskTimes {
  backlog_ms: number;
  /** From just before the enqueue to the start of the handler. */
  start_ms: number[];
}

/** Either side as a way to add one task and a call-back when one starts. */
interface Side {
  add(count: number): Promise<void>;
  work(started: () => void, ended: () => void): Promise<void>;
  stop(): Promise<void>;
}

answer<TaskWork, TaskTimes>(async (work) => {
  const side = work.side === 'caudal' ? await caudal(work) : await library(work);
  try {
    return await measure(side, work);
  } finally {
    await side.stop();
  }
});

async function measure(side: Side, { backlog, single }: TaskWork): Promise<TaskTimes> {
  let left = backlog;
  let done = Promise.withResolvers<void>();
  let started = Promise.withResolvers<void>();
  await side.add(backlog);
  const begun = performance.now();
  await side.work(
    () => started.resolve(),
    () => {
      left -= 1;
      if (left === 0) done.resolve();
    },
  );
  await done.promise;
  const backlog_ms = performance.now() - begun;
  const start_ms: number[] = [];
  for (let task = 0; task < single; task += 1) {
    left = 1;
    done = Promise.withResolvers();
    started = Promise.withResolvers();
    const before = performance.now();
    await Promise.all([side.add(1), started.promise]);
    start_ms.push(performance.now() - before);
    await done.promise;
  }
  return { backlog_ms, start_ms };
}

async function caudal({ url, slots }: TaskWork): Promise<Side> {
  const log = pino({ level: 'silent' });
  const database = openDatabase({ url, applicationName: 'bench', max: 10, onError: () => undefined });
  const { db } = database;
  const queue = await openQueue({ url, log, supervise: true, works: true });
  const listener = createListener(url, log);
  const enqueue = createEnqueue(queue);
  const workspace_id = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace_id}, 'bench')`.execute(db);
  const input = { dataset_id: workspace_id };
  let stop = async (): Promise<void> => undefined;
  return {
    add: (count) =>
      transaction(db, async (tx) => {
        for (let task = 0; task < count; task += 1)
          await enqueue(tx, { workspace_id, kind: 'compact', input, created_by: null });
      }),
    async work(started, ended) {
      const runner = await startRunner({
        ...{ db, boss: queue.boss, log, listener, instance_id: newId(), slots: { upkeep: slots } },
        definitions: {
          compact: async () => ({
            kind: 'compact',
            async handle(context) {
              started();
              await transaction(db, (tx) => context.succeed(tx, {}));
              ended();
            },
          }),
        },
      });
      stop = () => runner.drain(10_000);
    },
    async stop() {
      await stop();
      await listener.close();
      await queue.stop();
      await database.close();
    },
  };
}

/** As its documentation has it, with the same slots, LISTEN and a job that is completed in a transaction of the handler's. */
async function library({ url, slots }: TaskWork): Promise<Side> {
  const database = openDatabase({ url, applicationName: 'bench', max: 10, onError: () => undefined });
  const boss = new PgBoss({ connectionString: url, max: 10, migrate: false, schedule: false, useListenNotify: true });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('bench', { notify: true, heartbeatSeconds: 10, expireInSeconds: 3600 }).catch(() => undefined);
  return {
    add: (count) =>
      transaction(database.db, async (tx) => {
        for (let task = 0; task < count; task += 1) await boss.send('bench', { task }, { db: fromKysely(tx) });
      }),
    async work(started, ended) {
      const workers: string[] = [];
      for (let slot = 0; slot < slots; slot += 1) {
        const options = {
          batchSize: 1,
          pollingIntervalSeconds: 1,
          notifyPollingIntervalSeconds: 1,
          heartbeatRefreshSeconds: 1,
        };
        workers.push(
          await boss.work('bench', options, async ([job]) => {
            started();
            if (job) await transaction(database.db, (tx) => boss.complete('bench', job, null, { db: fromKysely(tx) }));
            ended();
            const own = workers[slot];
            if (own) boss.notifyWorker(own);
          }),
        );
      }
    },
    async stop() {
      await boss.stop({ graceful: false });
      await database.close();
    },
  };
}
