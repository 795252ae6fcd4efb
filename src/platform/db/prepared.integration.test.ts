import assert from 'node:assert/strict';
import test from 'node:test';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { type Db, rows, sql, transaction } from './db.ts';

const OFTEN = 8;

/** One connection to a database with a table, and another beside it. */
async function withThings(work: (db: Db, beside: Db) => Promise<void>): Promise<void> {
  const { db } = await testDatabase();
  await sql`CREATE TABLE things (id int, name text)`.execute(db);
  await sql`INSERT INTO things VALUES (1, 'one'), (2, 'two')`.execute(db);
  await db.connection().execute((one) => work(one, db));
}

/** The named statements of the connection that runs this. */
const prepared = (db: Db, like: string) =>
  rows(
    db,
    sql<{ name: string; times: number }>`
      SELECT name, generic_plans + custom_plans AS times FROM pg_prepared_statements WHERE statement LIKE ${like}`,
  );

test('a statement that comes again is prepared, and answers for each value', { skip: needsDatabase }, async () => {
  await withThings(async (db) => {
    const named = (id: number) => rows(db, sql<{ name: string }>`SELECT name FROM things WHERE id = ${id}`);
    for (let n = 0; n < OFTEN; n += 1) {
      assert.deepEqual(await named(1), [{ name: 'one' }]);
      assert.deepEqual(await named(2), [{ name: 'two' }]);
    }
    const [found, ...more] = await prepared(db, 'SELECT name FROM things%');
    assert.equal(more.length, 0);
    assert.ok(found && found.times > OFTEN, JSON.stringify(found));
  });
});

test('what is rare, has no parameters or leaves its columns open is not', { skip: needsDatabase }, async () => {
  await withThings(async (db) => {
    await sql`SELECT 'rare', ${1}::int`.execute(db);
    for (let n = 0; n < OFTEN; n += 1) {
      await sql`SELECT 'open', * FROM things WHERE id = ${1}`.execute(db);
      await sql`SELECT 'bare'`.execute(db);
      await sql`SELECT 'counted', count(*) FROM things WHERE id = ${1}`.execute(db);
    }
    for (const like of ["%'rare'%", "%'open'%", "%'bare'%"]) assert.deepEqual(await prepared(db, like), [], like);
    assert.equal((await prepared(db, "%'counted'%")).length, 1);
  });
});

test('a column of another type: asked again, but never within a transaction', { skip: needsDatabase }, async () => {
  await withThings(async (db, beside) => {
    const ask = (on: Db) => rows(on, sql`SELECT id FROM things WHERE name = ${'one'}`);
    const change = (type: 'int' | 'bigint' | 'text') =>
      sql`ALTER TABLE things ALTER COLUMN id TYPE ${sql.raw(type)}`.execute(beside);
    for (let n = 0; n < OFTEN; n += 1) assert.deepEqual(await ask(db), [{ id: 1 }]);
    await change('text');
    for (let n = 0; n < OFTEN; n += 1) assert.deepEqual(await ask(db), [{ id: '1' }]);
    await sql`ALTER TABLE things ALTER COLUMN id TYPE bigint USING id::bigint`.execute(beside);
    await assert.rejects(
      transaction(db, async (tx) => ask(tx)),
      { code: '0A000' },
    );
    assert.deepEqual(await transaction(db, async (tx) => ask(tx)), [{ id: 1 }], 'its name is forgotten');
  });
});
