import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { readDeaths } from '#platform/deaths.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { buryUnborn } from './unborn.ts';

test('a process that died before its first heartbeat is not missed; one that lived is told of elsewhere', {
  skip: needsDatabase,
}, async () => {
  const { db } = await testDatabase();
  const how = { cause: 'exited', exit_code: 1, signal: null, noticed_by: 'supervisor' } as const;
  const ended = { pid: 4711, name: 'api-2', role: 'api', lived: 1_500 };
  assert.equal(await buryUnborn(db, ended, how), true);
  const [death] = await readDeaths(db);
  assert.deepEqual(
    [death?.name, death?.roles, death?.pid, death?.cause, death?.exit_code],
    ['api-2', ['api'], 4711, 'exited', 1],
  );
  assert.equal(death?.replaced_at, null);
  const lived = Date.parse(death?.died_at ?? '') - Date.parse(death?.started_at ?? '');
  assert.equal(lived, 1_500);

  const add = (id: string, pid: number) =>
    sql`INSERT INTO instances (id, name, roles, host, pid, version) VALUES (${id}, 'api-2', ARRAY['api'], ${hostname()}, ${pid}, '1')`.execute(
      db,
    );
  const next = newId();
  await add(next, 4712);
  assert.equal((await readDeaths(db))[0]?.replaced_by, next, 'what was started in its place');
  // It stopped in order and then ended badly: the supervisor knows, and there is nothing to tell.
  await sql`UPDATE instances SET stopped_at = now() WHERE id = ${next}`.execute(db);
  assert.equal(await buryUnborn(db, { ...ended, pid: 4712 }, how), false);
  // A process of long ago had the same number.
  await add(newId(), 4713);
  await sql`UPDATE instances SET heartbeat_at = now() - interval '1 hour' WHERE pid = 4713`.execute(db);
  assert.equal(await buryUnborn(db, { ...ended, pid: 4713 }, how), true);
  assert.equal((await rows(db, sql`SELECT 1 FROM instance_deaths`)).length, 2);
});
