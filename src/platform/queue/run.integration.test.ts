import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { createListener, type Listener } from '#platform/db/listen.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { createEnqueue, type Enqueue } from './enqueue.ts';
import { handBack } from './hand-back.ts';
import { redeliverLostTasks } from './lost-tasks.ts';
import { migrateQueue, openQueue, type Queue } from './queue.ts';
import { type Runner, startRunner } from './run.ts';
import type { TaskContext, TaskHandler } from './task.ts';

const log = pino({ level: 'silent' });
const HOW = { cause: 'killed', signal: 'SIGKILL', noticed_by: 'test' } as const;

interface Row {
  status: string;
  attempt: number;
  deaths: number;
  output: unknown;
  error: { code: string } | null;
}

const database = needsDatabase ? undefined : await testDatabase();

describe('running tasks', { skip: needsDatabase }, () => running(database as TestDatabase));

function running(database: TestDatabase): void {
  let queue: Queue;
  let listener: Listener;
  let enqueue: Enqueue;
  let workspace: string;
  const runners: Runner[] = [];

  before(async () => {
    await migrateQueue(database.url);
    queue = await openQueue({ url: database.url, log, works: true, supervise: true });
    listener = createListener(database.url, log);
    enqueue = createEnqueue(queue);
    workspace = newId();
    await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'test')`.execute(database.db);
  });
  after(async () => {
    await Promise.all(runners.map((runner) => runner.drain(1_000)));
    await listener?.close();
    await queue?.stop();
  });

  const start = async (handle: TaskHandler<'compact'>, ended?: (how: string) => void): Promise<Runner> => {
    const runner = await startRunner({
      db: database.db,
      boss: queue.boss,
      log,
      listener,
      instance_id: newId(),
      slots: { upkeep: 1 },
      definitions: {
        compact: async () => ({
          kind: 'compact',
          handle,
          ended: async (_tx, _task, how) => ended?.(how),
        }),
      },
    });
    runners.push(runner);
    return runner;
  };
  const add = () =>
    transaction(database.db, (tx) =>
      enqueue(tx, { workspace_id: workspace, kind: 'compact', input: { dataset_id: newId() }, created_by: null }),
    );
  const read = (id: string) => first(database.db, sql<Row>`SELECT * FROM tasks WHERE id = ${id}`) as Promise<Row>;
  /** Waits for the state itself, never for a length of time; the test's own limit is the bound. */
  const until = async (id: string, status: string): Promise<Row> => {
    for (;;) {
      const row = await read(id);
      if (row.status === status) return row;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  test('a task runs, commits with its work, and is done once', { timeout: 240_000 }, async () => {
    let runs = 0;
    const runner = await start(async (context) => {
      runs += 1;
      await transaction(database.db, (tx) => context.succeed(tx, { made: 1 }));
    });
    const { id } = await add();
    const row = await until(id, 'succeeded');
    assert.deepEqual(row.output, { made: 1 });
    assert.equal(row.attempt, 1);
    await runner.drain(1_000);
    assert.equal(runs, 1);
    const [job] = await queue.boss.findJobs('upkeep', { id });
    assert.equal(job?.state, 'completed');
  });

  test('a rolled back transaction takes its task along', { timeout: 240_000 }, async () => {
    await assert.rejects(
      transaction(database.db, async (tx) => {
        await enqueue(tx, {
          workspace_id: workspace,
          kind: 'compact',
          input: { dataset_id: newId() },
          created_by: null,
        });
        throw new Error('no');
      }),
    );
    const left = await first(database.db, sql<{ n: number }>`SELECT count(*) AS n FROM tasks WHERE status = 'queued'`);
    assert.equal(left?.n, 0);
    assert.equal((await queue.boss.findJobs('upkeep', { queued: true })).length, 0);
  });

  test('bad input fails at once and says why; a passing fault is tried again', { timeout: 240_000 }, async () => {
    const ends: string[] = [];
    let tries = 0;
    const runner = await start(
      async (context) => {
        tries += 1;
        if (tries === 1) throw fail('corrupt_file', 'The file is damaged at byte 7.');
        if (tries === 2) throw new Error('the network blinked');
        await transaction(database.db, (tx) => context.succeed(tx, {}));
      },
      (how) => ends.push(how),
    );
    const bad = await until((await add()).id, 'failed');
    assert.equal(bad.error?.code, 'corrupt_file');
    assert.deepEqual(ends, ['failed']);
    const good = await until((await add()).id, 'succeeded');
    assert.equal(good.attempt, 2);
    await runner.drain(1_000);
  });

  test('a run whose fence was raised by another cannot commit', { timeout: 240_000 }, async () => {
    const reached = Promise.withResolvers<TaskContext<'compact'>>();
    const go = Promise.withResolvers<void>();
    const refused = Promise.withResolvers<unknown>();
    const runner = await start(async (context) => {
      reached.resolve(context);
      await go.promise;
      await transaction(database.db, (tx) => context.succeed(tx, { late: true })).catch((error) => {
        refused.resolve(error);
        throw error;
      });
    });
    const { id } = await add();
    await reached.promise;
    await sql`UPDATE tasks SET fence = fence + 1 WHERE id = ${id}`.execute(database.db);
    go.resolve();
    assert.equal(((await refused.promise) as Error).name, 'Fenced');
    const row = await read(id);
    assert.equal(row.output, null);
    assert.equal(row.status, 'running');
    await runner.drain(1_000);
  });

  test('a cancelled run is aborted and ends cancelled', { timeout: 240_000 }, async () => {
    const ends: string[] = [];
    const reached = Promise.withResolvers<void>();
    const runner = await start(
      async (context) => {
        reached.resolve();
        await new Promise((_resolve, reject) =>
          context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true }),
        );
      },
      (how) => ends.push(how),
    );
    const { id } = await add();
    await reached.promise;
    await sql`UPDATE tasks SET cancel_requested_at = now() WHERE id = ${id}`.execute(database.db);
    await until(id, 'cancelled');
    assert.deepEqual(ends, ['cancelled']);
    await runner.drain(1_000);
  });

  test('a task found running lost its worker: it runs again and the death costs no attempt', {
    timeout: 240_000,
  }, async () => {
    const { id } = await add();
    await sql`UPDATE tasks SET status = 'running', attempt = 1, fence = 1 WHERE id = ${id}`.execute(database.db);
    const runner = await start(async (context) => {
      await transaction(database.db, (tx) => context.succeed(tx, {}));
    });
    const row = await until(id, 'succeeded');
    assert.deepEqual([row.attempt, row.deaths], [1, 1]);
    await runner.drain(1_000);
  });

  test('a task that the queue has lost is delivered again', { timeout: 240_000 }, async () => {
    const { id } = await add();
    await queue.boss.deleteJob('upkeep', id);
    await sql`UPDATE tasks SET created_at = now() - interval '2 minutes' WHERE id = ${id}`.execute(database.db);
    assert.equal(await redeliverLostTasks(database.db, queue), 1);
    assert.equal(await redeliverLostTasks(database.db, queue), 0);
    const runner = await start(async (context) => {
      await transaction(database.db, (tx) => context.succeed(tx, {}));
    });
    await until(id, 'succeeded');
    await runner.drain(1_000);
  });

  test('what a dead worker was doing is handed back', { timeout: 240_000 }, async () => {
    const instance = newId();
    await sql`INSERT INTO instances (id, roles, host, pid, version)
              VALUES (${instance}, '{worker}', ${hostname()}, 999999, '0')`.execute(database.db);
    const { id } = await add();
    const [job] = await queue.boss.fetch<{ task_id: string }>('upkeep');
    assert.equal(job?.data.task_id, id);
    await sql`UPDATE tasks SET status = 'running', attempt = 1, fence = 1, instance_id = ${instance}
              WHERE id = ${id}`.execute(database.db);
    assert.deepEqual(await handBack(database.url, (pid) => pid === 999_999, HOW, log), [id]);
    const runner = await start(async (context) => {
      await transaction(database.db, (tx) => context.succeed(tx, {}));
    });
    const row = await until(id, 'succeeded');
    assert.deepEqual([row.attempt, row.deaths], [1, 1]);
    await runner.drain(1_000);
  });
}
