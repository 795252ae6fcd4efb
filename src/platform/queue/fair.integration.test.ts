import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import { CaudalError } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { createListener, type Listener } from '#platform/db/listen.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { createEnqueue } from './enqueue.ts';
import { migrateQueue, openQueue, type Queue } from './queue.ts';
import { type Runner, startRunner } from './run.ts';

const log = pino({ level: 'silent' });
const database = needsDatabase ? undefined : await testDatabase();

describe('tasks of several workspaces', { skip: needsDatabase }, () => fairness(database as TestDatabase));

function fairness(database: TestDatabase): void {
  const { db } = database;
  let queue: Queue;
  let listener: Listener;
  const runners: Runner[] = [];

  before(async () => {
    await migrateQueue(database.url);
    queue = await openQueue({ url: database.url, log, works: true, supervise: false });
    listener = createListener(database.url, log);
  });
  after(async () => {
    await Promise.all(runners.map((runner) => runner.drain(1_000)));
    await listener?.close();
    await queue?.stop();
  });

  async function workspace(): Promise<string> {
    const id = newId();
    await sql`INSERT INTO workspaces (id, name) VALUES (${id}, 'w')`.execute(db);
    return id;
  }
  const add = (workspace_id: string, count: number, quota = { queued: 10_000 }) =>
    transaction(db, async (tx) => {
      const enqueue = createEnqueue(queue, quota);
      const ids: string[] = [];
      for (let task = 0; task < count; task += 1) {
        const input = { dataset_id: newId(), ids: null };
        ids.push((await enqueue(tx, { workspace_id, kind: 'replay', input, created_by: null })).id);
      }
      return ids;
    });

  /** Runs tasks one after another when told to, and says in which order they came. */
  async function stepwise(slots: number, most?: number) {
    const order: string[] = [];
    const waiting: (() => void)[] = [];
    let arrived = (): void => undefined;
    const runner = await startRunner({
      ...{ db, boss: queue.boss, log, listener, instance_id: newId(), slots: { load: slots } },
      ...(most ? { most } : {}),
      definitions: {
        replay: async () => ({
          kind: 'replay',
          async handle(context) {
            order.push(context.task.workspace_id);
            const go = new Promise<void>((resolve, reject) => {
              waiting.push(resolve);
              context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true });
            });
            arrived();
            await go;
            await transaction(db, (tx) => context.succeed(tx, {}));
          },
        }),
      },
    });
    runners.push(runner);
    const until = (count: number) =>
      new Promise<void>((resolve) => {
        arrived = () => order.length >= count && resolve();
        arrived();
      });
    return {
      order,
      until,
      runner,
      finishOne: () => waiting.shift()?.(),
      async finishAll() {
        const timer = setInterval(() => waiting.splice(0).forEach((go) => void go()), 1);
        await runner.drain(30_000);
        clearInterval(timer);
      },
    };
  }
  const queuedOf = async (workspace_id: string) =>
    (
      await first(
        db,
        sql<{ n: number }>`SELECT count(*) AS n FROM tasks WHERE workspace_id = ${workspace_id} AND status = 'queued'`,
      )
    )?.n;

  test('a single task waits for one task of who queued three hundred before it, not for all', {
    timeout: 240_000,
  }, async () => {
    const [many, one] = [await workspace(), await workspace()];
    await add(many, 300);
    const steps = await stepwise(2);
    await steps.until(2);
    await add(one, 1);
    steps.finishOne();
    await steps.until(3);
    assert.deepEqual(steps.order, [many, many, one]);
    await sql`UPDATE tasks SET status = 'cancelled' WHERE workspace_id = ${many} AND status = 'queued'`.execute(db);
    await queue.boss.deleteQueuedJobs('load');
    await steps.finishAll();
  });

  test('who has fewer running goes first, so slots are shared whatever was queued when', {
    timeout: 240_000,
  }, async () => {
    const [first_, second] = [await workspace(), await workspace()];
    await add(first_, 6);
    const steps = await stepwise(4);
    await steps.until(4);
    await add(second, 6);
    for (let done = 5; done <= 8; done += 1) {
      steps.finishOne();
      await steps.until(done);
    }
    assert.deepEqual(steps.order.slice(4), [second, second, first_, first_], 'the newcomer catches up, then in turn');
    await steps.finishAll();
    assert.deepEqual(
      [await queuedOf(first_), await queuedOf(second)].map((n) => (n ?? 0) >= 0),
      [true, true],
    );
    await queue.boss.deleteQueuedJobs('load');
  });

  test('a workspace runs no more at once than its most', { timeout: 240_000 }, async () => {
    const [limited, other] = [await workspace(), await workspace()];
    await add(limited, 5);
    await add(other, 1);
    const steps = await stepwise(4, 2);
    await steps.until(3);
    assert.deepEqual([...steps.order].sort(), [limited, limited, other].sort());
    await steps.finishAll();
    await queue.boss.deleteQueuedJobs('load');
  });

  test('the quota refuses one too many, and nothing of it stays', { timeout: 240_000 }, async () => {
    const id = await workspace();
    await add(id, 3, { queued: 3 });
    await assert.rejects(add(id, 1, { queued: 3 }), (error: unknown) => {
      assert.ok(error instanceof CaudalError);
      assert.deepEqual([error.code, error.status, error.retry_after], ['task_quota_exceeded', 429, 10]);
      return true;
    });
    assert.equal(await queuedOf(id), 3);
    assert.equal((await queue.boss.findJobs('load', { queued: true })).length, 3);
    const compaction = { workspace_id: id, kind: 'compact', input: { dataset_id: newId() }, created_by: null } as const;
    await transaction(db, (tx) => createEnqueue(queue, { queued: 1 })(tx, compaction));
  });
}
