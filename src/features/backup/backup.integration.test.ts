import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { migrateQueue, openQueue } from '#platform/queue/queue.ts';
import { type House, house, newDirectory } from '../../../test/support/backup.ts';
import { columnOf, inhabit, objectDigests, tableDigest } from '../../../test/support/catalogue.ts';
import { needsDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory } from '../../../test/support/object-store.ts';
import { backup } from './backup.ts';
import { readManifest } from './manifest.ts';
import { restore } from './restore.ts';
import { catalogueTables, TABLE_RULES } from './tables.ts';

async function digests(db: Db, pool: TestDatabase['pool']): Promise<Record<string, string>> {
  const client = await pool.connect();
  try {
    const found: Record<string, string> = {};
    for (const { name } of await catalogueTables(client)) {
      const rule = TABLE_RULES[name]?.keep ?? 'true';
      const where = name === 'tasks' ? `status NOT IN ('queued', 'running')` : rule;
      if (where !== false) found[name] = await tableDigest(db, name, where);
    }
    return found;
  } finally {
    client.release();
  }
}

const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, String(error));
  return true;
};

describe('backup and restore', { skip: needsDatabase }, () => {
  test('a restore has the same tables and objects; unfinished tasks are queued; sessions are over', async () => {
    const before = await house();
    const lived = await inhabit(before.database.db, before.store);
    const to = await newDirectory();
    const made = await backup(before.making, { to });
    assert.deepEqual(made.missing, []);
    assert.equal(made.objects, 4);
    assert.equal((await stat(to)).mode & 0o777, 0o700);
    assert.equal((await stat(join(to, 'catalogue/users.copy'))).mode & 0o777, 0o600);

    const after = await house();
    // From the very beginning: no schema yet, as on a new machine.
    await after.database.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const restored = await restore(after.restoring, { from: to });
    const unfinished = [lived.tasks['queued'], lived.tasks['running']];
    assert.deepEqual(
      { ...restored, made_at: made.made_at },
      {
        made_at: made.made_at,
        program: '1.2.3',
        tables: made.tables,
        rows: made.rows,
        objects: 4,
        bytes: made.bytes,
        tasks: 2,
        missing: [],
      },
    );
    const { db, pool } = after.database;
    assert.deepEqual(await digests(db, pool), await digests(before.database.db, before.database.pool));
    assert.deepEqual(await objectDigests(after.store), await objectDigests(before.store));
    assert.deepEqual(Object.keys(await objectDigests(after.store)), lived.objects);
    assert.deepEqual(after.delivered.sort(), unfinished.sort());
    const queued = await columnOf(
      db,
      sql<{
        value: string;
      }>`SELECT id AS value FROM tasks WHERE status = 'queued' AND instance_id IS NULL AND fence = 3`,
    );
    assert.deepEqual(queued.sort(), unfinished);
    for (const table of ['sessions', 'instances', 'idempotency_keys'])
      assert.match(await tableDigest(db, table, 'true'), /^0 /);
    assert.deepEqual(
      await columnOf(db, sql<{ value: string }>`SELECT filename AS value FROM files ORDER BY filename`),
      ['año.csv', 'gone.csv'],
    );
  });

  test('life goes on after a restore: commit order continues behind the restored segments', async () => {
    const before = await house();
    const { dataset } = await inhabit(before.database.db, before.store);
    const to = await newDirectory();
    await backup(before.making, { to });
    const { database, restoring } = await house();
    await restore(restoring, { from: to });
    const highest = await first(database.db, sql<{ position: number }>`SELECT max(position) AS position FROM segments`);
    const next = await first(
      database.db,
      sql<{ position: number }>`
        INSERT INTO segments (id, dataset_id, object_key, rows, bytes, source_ids, columns, added_version)
        VALUES (${newId()}, ${dataset}, 'lake/next', 0, 0, '{}', '[]', 3) RETURNING position`,
    );
    assert.equal(next?.position, (highest?.position ?? 0) + 1);
  });

  test('the real queue gets the unfinished tasks in the restore’s own transaction', async () => {
    const before = await house();
    const { tasks } = await inhabit(before.database.db, before.store);
    const to = await newDirectory();
    await backup(before.making, { to });
    const { database, restoring } = await house();
    await migrateQueue(database.url);
    const log = pino({ level: 'silent' });
    const queue = await openQueue({ url: database.url, log, supervise: false, works: false });
    try {
      await restore({ ...restoring, deliver: queue.send }, { from: to });
      const jobs = await columnOf(
        database.db,
        sql<{ value: string }>`SELECT id::text AS value FROM pgboss.job ORDER BY id`,
      );
      assert.deepEqual(jobs, [tasks['queued'], tasks['running']].sort());
    } finally {
      await queue.stop();
    }
  });

  test('a backup goes into an empty directory only', async () => {
    const { making } = await house();
    const to = await temporaryDirectory();
    await writeFile(join(to, 'mine.txt'), 'x');
    await assert.rejects(backup(making, { to }), code('backup_target_not_empty'));
    assert.deepEqual(await readdir(to), ['mine.txt']);
  });

  test('an object that is lost is reported, and the rest is backed up', async () => {
    const { database, store, making } = await house();
    const { objects } = await inhabit(database.db, store);
    const [lost, short] = objects as [string, string];
    await store.delete(lost);
    await store.put(short, Buffer.from('short'));
    const to = await newDirectory();
    const made = await backup(making, { to });
    assert.deepEqual(made.missing, [lost, short]);
    assert.equal(made.objects, 2);
    const after = await house();
    assert.deepEqual((await restore(after.restoring, { from: to })).missing, [lost, short]);
  });

  test('what is deleted while it is being copied is in neither catalogue nor objects', async () => {
    const { database, store, making } = await house();
    const { dataset } = await inhabit(database.db, store);
    const [victim] = await rows(
      database.db,
      sql<{ id: string; object_key: string }>`SELECT id, object_key FROM segments WHERE removed_version IS NOT NULL`,
    );
    assert.ok(victim);
    let copied = 0;
    const read: ObjectStore['read'] = async (key, range) => {
      copied += 1;
      if (key === victim.object_key && (await store.stat(key).catch(() => null))) {
        await sql`DELETE FROM segments WHERE id = ${victim.id}`.execute(database.db);
        await store.delete(key);
      }
      return store.read(key, range);
    };
    const to = await newDirectory();
    const made = await backup({ ...making, objects: { read } }, { to });
    assert.deepEqual(made.missing, []);
    assert.equal(made.objects, 3);
    assert.equal(copied, 4, 'what was copied for the first snapshot serves the second');
    const after = await house();
    await restore(after.restoring, { from: to });
    const left = await columnOf(
      after.database.db,
      sql<{ value: string }>`SELECT object_key AS value FROM segments WHERE dataset_id = ${dataset}`,
    );
    assert.equal(left.includes(victim.object_key), false);
  });

  const OCCUPIED: [what: string, occupy: (target: House) => Promise<unknown>][] = [
    ['a row', ({ database }) => sql`INSERT INTO workspaces (id, name) VALUES (${newId()}, 'x')`.execute(database.db)],
    ['an object', ({ store }) => store.put('files/a/b', Buffer.from('x'))],
    ['a newer schema', ({ database }) => sql`INSERT INTO schema_migrations VALUES (9999, 'x', 1)`.execute(database.db)],
  ];
  for (const [what, occupy] of OCCUPIED) {
    test(`nothing is restored beside ${what}`, async () => {
      const before = await house();
      await inhabit(before.database.db, before.store);
      const to = await newDirectory();
      await backup(before.making, { to });
      const target = await house();
      await occupy(target);
      const seen = await objectDigests(target.store);
      await assert.rejects(restore(target.restoring, { from: to }), code('restore_target_not_empty'));
      assert.deepEqual(await objectDigests(target.store), seen);
      assert.match(await tableDigest(target.database.db, 'users', 'true'), /^0 /);
    });
  }

  const DAMAGE: [what: string, harm: (directory: string, key: string) => Promise<unknown>, expected: string][] = [
    ['no manifest', (at) => rm(join(at, 'manifest.json')), 'backup_damaged'],
    ['a manifest of something else', (at) => writeFile(join(at, 'manifest.json'), '{}'), 'backup_damaged'],
    ['a table that grew', (at) => appendFile(join(at, 'catalogue/users.copy'), 'x\n'), 'backup_damaged'],
    ['a table that is gone', (at) => rm(join(at, 'catalogue/tasks.copy')), 'backup_damaged'],
    ['a shorter list of objects', (at) => truncate(join(at, 'objects.ndjson'), 200), 'backup_damaged'],
    ['an object with one bit changed', (at, key) => flip(join(at, 'objects', key)), 'backup_damaged'],
    ['an object that is gone', (at, key) => rm(join(at, 'objects', key)), 'backup_damaged'],
    ['a schema of tomorrow', (at) => edit(at, (manifest) => manifest.migrations.push(9999)), 'backup_too_new'],
    ['a format of tomorrow', (at) => edit(at, (manifest) => Object.assign(manifest, { format: 2 })), 'backup_too_new'],
    [
      'a table that climbs out',
      (at) => edit(at, (manifest) => Object.assign(manifest.tables[0] ?? {}, { name: '../x' })),
      'backup_damaged',
    ],
  ];
  test('what is damaged is refused, leaves no row, and the mended backup can be restored over what was begun', async (t) => {
    const before = await house();
    const { objects } = await inhabit(before.database.db, before.store);
    const target = await house();
    for (const [what, harm, expected] of DAMAGE) {
      await t.test(what, async () => {
        const to = await newDirectory();
        await backup(before.making, { to });
        await harm(to, objects[3] ?? '');
        await assert.rejects(restore(target.restoring, { from: to }), code(expected));
        assert.match(await tableDigest(target.database.db, 'users', 'true'), /^0 /);
      });
    }
    const whole = await newDirectory();
    await backup(before.making, { to: whole });
    await restore(target.restoring, { from: whole });
    assert.deepEqual(await objectDigests(target.store), await objectDigests(before.store));
  });
});

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function edit(
  directory: string,
  change: (manifest: Awaited<ReturnType<typeof readManifest>>) => unknown,
): Promise<void> {
  const manifest = await readManifest(directory);
  change(manifest);
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
}
