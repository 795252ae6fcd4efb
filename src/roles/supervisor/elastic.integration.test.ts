import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { heldLock } from '#platform/db/held-lock.ts';
import { migrateQueue } from '#platform/queue/queue.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { type ElasticPool, joinPool } from './elastic.ts';

const log = pino({ level: 'silent' });
const database = needsDatabase ? undefined : await testDatabase();

describe('supervisors share a pool', { skip: needsDatabase }, () => sharing(database as TestDatabase));

function sharing({ db, url }: TestDatabase): void {
  const pools: ElasticPool[] = [];
  after(async () => {
    for (const pool of pools) await pool.stop();
  });

  async function join() {
    const pool = await joinPool({
      url,
      log,
      rules: { min: 2, max: 5, up_after_ms: 1_000, down_after_ms: 1_500 },
      slots: { load: 1 },
      decided: () => undefined,
    });
    pools.push(pool);
    const supervisor = { workers: -1, stop: () => pool.stop() };
    pool.follow((workers) => {
      supervisor.workers = workers;
    });
    return supervisor;
  }
  const settle = (all: { workers: number }[], expected: number[]) =>
    eventually(async () => {
      const now = all.map(({ workers }) => workers).sort();
      return JSON.stringify(now) === JSON.stringify(expected) || undefined;
    });

  test('the least alone, halves together, more under load, all of it when one leaves, and less again', {
    timeout: 240_000,
  }, async () => {
    await migrateQueue(url);
    const one = await join();
    await settle([one], [2]);
    const two = await join();
    await settle([one, two], [1, 1]);

    const workspace = newId();
    const instance = newId();
    await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'w')`.execute(db);
    await sql`INSERT INTO instances (id, roles, host, pid, version, load, heartbeat_at)
              VALUES (${instance}, '{worker}', 'h', 1, 'v', '{"queues": {"load": {"slots": 1, "busy": 1}}}', now() + interval '1 hour')`.execute(
      db,
    );
    for (let task = 0; task < 4; task += 1) {
      await sql`INSERT INTO tasks (id, workspace_id, kind, status, input, instance_id)
                VALUES (${newId()}, ${workspace}, 'load', 'running', '{}', ${instance})`.execute(db);
    }
    await settle([one, two], [2, 3]);
    await one.stop();
    await settle([two], [5]);
    await sql`DELETE FROM tasks`.execute(db);
    await settle([two], [2]);
    const logged = await rows(
      db,
      sql<{ action: string; target: string }>`SELECT action, target FROM audit_log ORDER BY id`,
    );
    const changes = logged.map(({ action, target }) => `${action} ${target}`);
    assert.deepEqual([changes[0]?.split(' ')[0], changes.at(-1)], ['pool.grown', 'pool.shrunk 2'], changes.join(', '));
  });

  test('one holds the lock at a time, and its end frees it at once', { timeout: 240_000 }, async () => {
    const [first, second] = [heldLock(url, 'telemetry', log), heldLock(url, 'telemetry', log)];
    assert.deepEqual([await first.held(), await second.held(), await first.held()], [true, false, true]);
    await first.release();
    await eventually(async () => (await second.held()) || undefined);
    assert.equal(await first.held(), false);
    await first.release();
    await second.release();
  });
}
