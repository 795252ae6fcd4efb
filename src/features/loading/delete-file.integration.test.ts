import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError, type ErrorCode } from '#kernel/errors.ts';
import { first, sql } from '#platform/db/db.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { compact } from '#platform/lake/compaction.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { newWorkspace } from '../../../test/support/lake.ts';
import { loadingRoom } from '../../../test/support/loading.ts';
import { deleteFile, deleteFileTask } from './delete-file.handler.ts';

const coded = (code: ErrorCode) => (error: unknown) => error instanceof CaudalError && error.code === code;

const LIMITS = { memory_bytes: 500e6, threads: 1 };

test('deleting files', { skip: needsDatabase }, async (t) => {
  const { db, workspace_id, objects, temp_dir, newFile, load, content, gates, start, ended, enqueue } =
    await loadingRoom((room) => ({ delete_file: async () => deleteFileTask({ ...room, ...LIMITS }) }));
  const deps = { db, objects, enqueue, temp_dir, ...LIMITS };
  const remove = (file_id: string) => deleteFile(deps, { workspace_id, file_id, requested_by: null });
  const remains = async (id: string) =>
    first(
      db,
      sql<{ objects: number; sources: number; quarantine: number }>`
        SELECT (SELECT count(*) FROM sources WHERE file_id = ${id} AND deleted_at IS NULL) AS sources,
               (SELECT count(*) FROM quarantine WHERE file_id = ${id}) AS quarantine`,
    );

  await t.test('the object, its rows in every dataset and its quarantine go; old versions too, at once', async () => {
    const dataset = 'shared';
    const kept = await newFile('kept.csv', 'a\n1\n');
    const id = await newFile('gone.csv', 'a\n2\nBAD\n3\n');
    await load({ file_id: kept, dataset });
    await load({ file_id: id, dataset });
    await load({ file_id: id, dataset: 'elsewhere' });
    assert.deepEqual(await remove(id), {});
    assert.deepEqual(await content(dataset), [{ a: '1', _line: '2' }]);
    assert.deepEqual(await content('elsewhere'), []);
    assert.deepEqual(await remains(id), { sources: 0, quarantine: 0 });
    assert.ok(!(await objects.keys('files/')).some((key) => key.endsWith(id)));
    assert.equal((await snapshot(db, { workspace_id, name: dataset, version: 1 })).rows, 1);
    await assert.rejects(snapshot(db, { workspace_id, name: dataset, version: 2 }), coded('version_gone'));
    await assert.rejects(remove(id), coded('file_not_found'));
  });

  await t.test('rows that compaction mixed with others are taken out', async () => {
    const dataset = 'mixed';
    const ids = [];
    for (let i = 0; i < 4; i += 1) {
      const id = await newFile(`m${i}.csv`, `a\n${i}\n`);
      await load({ file_id: id, dataset });
      ids.push(id);
    }
    const { id: dataset_id } = await snapshot(db, { workspace_id, name: dataset });
    const { signal } = new AbortController();
    const options = { target_bytes: 1e9, most_small: 1 };
    await compact(db, deps, { workspace_id, dataset_id, task_id: null, trace_id: null, signal, options });
    await remove(ids[1] ?? '');
    assert.deepEqual(
      (await content(dataset)).map(({ a }) => a),
      ['0', '2', '3'],
    );
  });

  await t.test('a version whose rows were replaced since still goes with its file', async () => {
    const dataset = 'replaced';
    const id = await newFile('old.csv', 'a\n1\n');
    await load({ file_id: id, dataset });
    await load({ file_id: await newFile('new.csv', 'a\n2\n'), dataset, mode: 'replace' });
    assert.equal((await snapshot(db, { workspace_id, name: dataset, version: 1 })).rows, 1);
    await remove(id);
    await assert.rejects(snapshot(db, { workspace_id, name: dataset, version: 1 }), coded('version_gone'));
    assert.deepEqual(await content(dataset), [{ a: '2', _line: '2' }]);
  });

  await t.test('not while it is being loaded, and not by another workspace', async () => {
    const id = await newFile('busy.csv', 'a\n1\n');
    const [reading, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    gates.set('busy.csv', async () => {
      reading.resolve();
      await go.promise;
    });
    const { id: task } = await start({ file_id: id });
    await reading.promise;
    await assert.rejects(remove(id), coded('file_busy'));
    go.resolve();
    assert.equal((await ended(task)).status, 'succeeded');
    const other = { workspace_id: await newWorkspace(db), file_id: id, requested_by: null };
    await assert.rejects(deleteFile(deps, other), coded('file_not_found'));
    await assert.rejects(remove('not-an-id'), coded('file_not_found'));
    assert.equal((await content('busy')).length, 1);
  });

  await t.test('what a worker was left with, it does, and twice is as once', async () => {
    const id = await newFile('later.csv', 'a\n1\n');
    await load({ file_id: id });
    await sql`UPDATE files SET deleted_at = now() WHERE id = ${id}`.execute(db);
    for (const _ of [1, 2]) {
      const task = await enqueue(db, { workspace_id, kind: 'delete_file', input: { file_id: id }, created_by: null });
      assert.equal((await ended(task.id)).status, 'succeeded');
    }
    assert.deepEqual(await content('later'), []);
    assert.ok(!(await objects.keys('files/')).some((key) => key.endsWith(id)));
  });
});
