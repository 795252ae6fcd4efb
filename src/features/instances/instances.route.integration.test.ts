import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pino from 'pino';
import type { Instance, Pool } from '#contract/instances.ts';
import { newId } from '#kernel/ids.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { readDeaths } from '#platform/deaths.ts';
import { bury } from '#platform/queue/bury.ts';
import { createEnqueue } from '#platform/queue/enqueue.ts';
import { migrateQueue, openQueue } from '#platform/queue/queue.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { instanceRoutes } from './instances.route.ts';

const database = needsDatabase ? undefined : await testDatabase();

describe('who died, doing what', { skip: needsDatabase }, () => deaths(database as TestDatabase));

function deaths({ db, url }: TestDatabase): void {
  const log = pino({ level: 'silent' });
  const workspaces = { ours: newId(), theirs: newId() };

  /** A worker that runs a task of each workspace. */
  async function busyWorker(name: string) {
    await migrateQueue(url);
    const queue = await openQueue({ url, log, supervise: false, works: false });
    after(() => queue.stop());
    const id = newId();
    await sql`INSERT INTO instances (id, name, roles, host, pid, version)
              VALUES (${id}, ${name}, '{worker}', 'host', 7, '0')`.execute(db);
    const tasks: string[] = [];
    for (const workspace_id of Object.values(workspaces)) {
      await sql`INSERT INTO workspaces (id, name) VALUES (${workspace_id}, 'w') ON CONFLICT DO NOTHING`.execute(db);
      const task = { workspace_id, kind: 'compact', input: { dataset_id: newId() }, created_by: null } as const;
      tasks.push((await transaction(db, (tx) => createEnqueue(queue)(tx, task))).id);
    }
    await queue.boss.fetch('upkeep', { batchSize: 2 });
    await sql`UPDATE tasks SET status = 'running', attempt = 1, instance_id = ${id}, started_at = now()
              WHERE id = ANY(${tasks}::uuid[])`.execute(db);
    return { id, tasks, queue };
  }
  const state = async (queue: Awaited<ReturnType<typeof busyWorker>>['queue'], task: string) =>
    (await queue.boss.findJobs('upkeep', { id: task }))[0]?.state;

  test('a death is recorded once, its tasks go back, and each sees where its own went', async () => {
    const gateway = await testGateway(
      db,
      async (app) => void (await app.register(instanceRoutes({ db, limits: { min: 1, max: 4, slots: { load: 2 } } }))),
    );
    const ours = gateway.grant(workspaces.ours);
    const { id, tasks, queue } = await busyWorker('worker-1');
    const [mine = '', other = ''] = tasks;
    const how = { cause: 'killed', signal: 'SIGKILL', noticed_by: 'supervisor 1' } as const;
    assert.deepEqual(await bury(db, queue.boss, [id], how), tasks);
    assert.deepEqual(await bury(db, queue.boss, [id], how), []);
    assert.deepEqual([await state(queue, mine), await state(queue, other)], ['retry', 'retry']);

    // Another takes one of them over, under the dead one's name.
    const next = newId();
    await sql`INSERT INTO instances (id, name, roles, host, pid, version)
              VALUES (${next}, 'worker-1', '{worker}', 'host', 8, '0')`.execute(db);
    await sql`UPDATE tasks SET instance_id = ${next} WHERE id = ${mine}`.execute(db);

    const answer = await gateway.call('GET', '/instances', undefined, ours);
    assert.equal(answer.status, 200);
    const [alive, dead] = answer.body.items as Instance[];
    assert.deepEqual([alive?.id, alive?.state, alive?.death], [next, 'alive', null]);
    assert.deepEqual([dead?.id, dead?.state, dead?.name], [id, 'dead', 'worker-1']);
    const { death } = dead as Instance;
    assert.deepEqual([death?.cause, death?.signal, death?.noticed_by], ['killed', 'SIGKILL', 'supervisor 1']);
    assert.deepEqual([death?.replaced_by, death?.tasks_lost, death?.tasks.length], [next, 2, 1]);
    const { pool } = answer.body as { pool: Pool };
    assert.deepEqual([pool.size, pool.max, pool.busy, pool.capacity], [1, 4, 0, 0], 'upkeep is no load of the pool');
    const [task] = death?.tasks ?? [];
    assert.deepEqual(
      [task?.task_id, task?.kind, task?.status, task?.instance_id, task?.instance],
      [mine, 'compact', 'running', next, 'worker-1'],
    );
    assert.ok(!JSON.stringify(answer.body).includes(workspaces.theirs), 'no other workspace is named');
    const [whole] = await readDeaths(db, { instances: [id] });
    assert.deepEqual(
      whole?.tasks.map(({ task_id, workspace_id }) => [task_id, workspace_id]),
      [
        [mine, workspaces.ours],
        [other, workspaces.theirs],
      ],
    );
  });

  test('who was only silent comes back, and may die again', async () => {
    const { id, tasks, queue } = await busyWorker('worker-2');
    await bury(db, queue.boss, [id], { cause: 'silent', noticed_by: 'worker-9' });
    const [task = ''] = tasks;
    assert.equal(await state(queue, task), 'retry');
    await sql`UPDATE instances SET heartbeat_at = clock_timestamp(), beat = beat + 1 WHERE id = ${id}`.execute(db);
    const [first] = await readDeaths(db, { instances: [id] });
    assert.deepEqual([first?.cause, first?.replaced_by], ['silent', id]);
    await bury(db, queue.boss, [id], { cause: 'exited', exit_code: 3, noticed_by: 'supervisor 1' });
    const causes = (await readDeaths(db, { instances: [id] })).map(({ cause, exit_code }) => [cause, exit_code]);
    assert.deepEqual(causes, [
      ['exited', 3],
      ['silent', null],
    ]);
  });
}
