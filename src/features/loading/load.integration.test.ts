import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { loadingRoom } from '../../../test/support/loading.ts';

test('loading', { skip: needsDatabase }, async (t) => {
  const { db, workspace_id, objects, root, temp_dir, gates, newFile, start, load, fileOf, content, ended } =
    await loadingRoom();

  await t.test('a file becomes a dataset named after it, with its account', async () => {
    const id = await newFile('People 2020.csv', 'name,age\nAna,30\nBAD\nLuis,41\n');
    const task = await load({ file_id: id });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    const file = await fileOf(id);
    assert.equal(file.state, 'loaded');
    const [one] = file.loads;
    assert.deepEqual(
      [one?.dataset, one?.version, one?.rows, one?.quarantined, one?.columns],
      ['people_2020', 1, 2, 1, 2],
    );
    assert.deepEqual(await content('people_2020'), [
      { name: 'Ana', age: '30', _line: '2' },
      { name: 'Luis', age: '41', _line: '3' },
    ]);
    const source = await first(
      db,
      sql<Record<string, unknown>>`
        SELECT s.id, s.accepted, s.file_id, q.raw FROM sources s JOIN quarantine q ON q.source_id = s.id
        WHERE s.file_id = ${id}`,
    );
    assert.deepEqual(source, { id: one?.source_id, accepted: 2, file_id: id, raw: 'BAD' });
  });

  await t.test('two files into one table; the later one widens it', async () => {
    const dataset = 'cities';
    await load({ file_id: await newFile('c1.csv', 'city,n\nCali,1\n'), dataset });
    await load({ file_id: await newFile('c2.csv', 'city,n,zone\nPasto,1.5,sur\n'), dataset });
    assert.deepEqual(await content(dataset), [
      { city: 'Cali', n: 1, zone: null, _line: '2' },
      { city: 'Pasto', n: 1.5, zone: 'sur', _line: '2' },
    ]);
  });

  await t.test(
    'a taken name without a request gets a number and a note; loading again stays where it was',
    async () => {
      await load({ file_id: await newFile('taken.csv', 'a\n1\n') });
      const second = await newFile('taken.csv', 'a\n2\n');
      await load({ file_id: second });
      const [one] = (await fileOf(second)).loads;
      assert.equal(one?.dataset, 'taken_2');
      assert.match(one?.note ?? '', /"taken" existed already/);
      await load({ file_id: second });
      assert.deepEqual(await content('taken_2'), [{ a: '2', _line: '2' }]);
      assert.deepEqual(await content('taken'), [{ a: '1', _line: '2' }]);
    },
  );

  await t.test(
    'loading a file again never doubles its rows, unless append is asked for; replace replaces all',
    async () => {
      const dataset = 'again';
      const other = await newFile('other.csv', 'a\n7\n');
      const id = await newFile('again.csv', 'a\n1\n2\n');
      await load({ file_id: other, dataset });
      await load({ file_id: id, dataset });
      await load({ file_id: id, dataset });
      assert.equal((await content(dataset)).length, 3);
      await load({ file_id: id, dataset, mode: 'append' });
      assert.equal((await content(dataset)).length, 5);
      await load({ file_id: id, dataset, mode: 'replace' });
      assert.deepEqual(await content(dataset), [
        { a: '1', _line: '2' },
        { a: '2', _line: '3' },
      ]);
      assert.equal((await snapshot(db, { workspace_id, name: dataset, version: 1 })).rows, 1);
    },
  );

  await t.test('several tables: one dataset each, or all into the one that was named', async () => {
    const text = '#TABLE Ene\na\n1\n#TABLE Feb!\na,b\n2,x\n';
    const id = await newFile('Book.xlsx', text);
    await load({ file_id: id });
    assert.deepEqual((await fileOf(id)).loads.map(({ table, dataset }) => [table, dataset]).sort(), [
      ['Ene', 'book_ene'],
      ['Feb!', 'book_feb'],
    ]);
    await load({ file_id: await newFile('Book.xlsx', text), dataset: 'months' });
    assert.equal((await content('months')).length, 2);
    assert.equal((await snapshot(db, { workspace_id, name: 'months' })).version, 1);
  });

  await t.test('a declared dataset quarantines what breaks its rules and keeps the account balanced', async () => {
    await transaction(db, (tx) =>
      createDataset(tx, {
        workspace_id,
        name: 'declared',
        declared: [
          { name: 'id', type: 'integer', required: true, min: 1 },
          { name: 'code', type: 'text', pattern: '[A-Z]{2}' },
          { name: 'kind', type: 'text', enum: ['a', 'b'], default: 'a' },
          { name: 'price', type: 'decimal(8,2)' },
        ],
      }),
    );
    const text = 'id,code,price\n1,AB,1.50\n,AB,1\n0,AB,1\nx,AB,1\n2,abc,1\n3,CD,1.999\n4,EF,\n1.5,EF,2\n';
    const id = await newFile('d.csv', text);
    const task = await load({ file_id: id, dataset: 'declared' });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    assert.deepEqual(await content('declared'), [
      { id: '1', code: 'AB', kind: 'a', price: '1.50', _line: '2' },
      { id: '4', code: 'EF', kind: 'a', price: null, _line: '8' },
    ]);
    const refused = await rows(
      db,
      sql<{ line: number; column_name: string; reason: string; value: string }>`
        SELECT line, column_name, reason, value FROM quarantine WHERE file_id = ${id} ORDER BY line`,
    );
    assert.deepEqual(
      refused.map(({ line, column_name, reason, value }) => [line, column_name, reason, value]),
      [
        [3, 'id', 'required, but empty', null],
        [4, 'id', 'below 1', '0'],
        [5, 'id', 'not a valid integer', 'x'],
        [6, 'code', 'does not match the declared pattern', 'abc'],
        [7, 'price', 'not a valid decimal(8,2)', '1.999'],
        [9, 'id', 'not a valid integer', '1.5'],
      ],
    );
    const unfit = await load({ file_id: await newFile('e.csv', 'other\n1\n'), dataset: 'declared' });
    assert.equal(unfit.error?.code, 'schema_mismatch');
    assert.match(unfit.error?.message ?? '', /"other" is not declared\. "id" is required/);
  });

  await t.test('a failed load says why, keeps the file, and can be tried again', async () => {
    const id = await newFile('broken.csv', 'CORRUPT');
    const task = await load({ file_id: id });
    assert.equal(task.status, 'failed');
    const file = await fileOf(id);
    assert.deepEqual(
      [file.state, file.error],
      ['failed', { code: 'corrupt_file', message: 'The file is damaged.', hint: 'Send it again.' }],
    );
    assert.ok((await objects.keys('files/')).includes(`files/${workspace_id}/${id}`));
    const path = join(root, 'mended');
    await writeFile(path, 'a\n1\n');
    await objects.putFile(`files/${workspace_id}/${id}`, path);
    assert.equal((await load({ file_id: id })).status, 'succeeded');
    assert.deepEqual([(await fileOf(id)).state, (await fileOf(id)).error], ['loaded', null]);
  });

  await t.test('a cancelled load gives the file back as stored and leaves nothing behind', async () => {
    const id = await newFile('slow.csv', 'a\n1\n');
    const reading = Promise.withResolvers<void>();
    gates.set('slow.csv', (signal) => {
      reading.resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const { id: task } = await start({ file_id: id });
    await reading.promise;
    assert.equal((await fileOf(id)).state, 'loading');
    await sql`UPDATE tasks SET cancel_requested_at = now() WHERE id = ${task}`.execute(db);
    assert.equal((await ended(task)).status, 'cancelled');
    assert.equal((await fileOf(id)).state, 'stored');
    await assert.rejects(
      snapshot(db, { workspace_id, name: 'slow' }),
      (error) => error instanceof CaudalError && error.code === 'dataset_not_found',
    );
    await eventually(async () => ((await readdir(temp_dir)).length === 0 ? true : undefined));
  });

  await t.test('a worker frozen while another takes over cannot commit', async () => {
    const id = await newFile('frozen.csv', 'a\n1\n');
    const frozen = Promise.withResolvers<void>();
    const thawed = Promise.withResolvers<void>();
    gates.set('frozen.csv', async () => {
      frozen.resolve();
      await thawed.promise;
    });
    const { id: task } = await start({ file_id: id });
    await frozen.promise;
    await sql`UPDATE tasks SET fence = fence + 1, status = 'succeeded' WHERE id = ${task}`.execute(db);
    thawed.resolve();
    await eventually(async () => ((await readdir(temp_dir)).length === 0 ? true : undefined));
    await assert.rejects(snapshot(db, { workspace_id, name: 'frozen' }));
  });

  await t.test('from a URL: downloaded once, then loaded; what cannot be fetched fails with the reason', async () => {
    const good = await newFile('remote.csv', undefined, 'loading');
    assert.equal(
      (await load({ file_id: good, url: 'https://example.org/remote.csv', dataset: 'remote' })).status,
      'succeeded',
    );
    assert.deepEqual(await content('remote'), [{ a: '1', b: 'x', _line: '2' }]);
    const bad = await newFile('missing', undefined, 'loading');
    assert.equal((await load({ file_id: bad, url: 'https://example.org/missing' })).error?.code, 'download_failed');
    assert.equal((await fileOf(bad)).state, 'failed');
  });

  await t.test('eight loads at once into one dataset', async () => {
    const files = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        newFile(`p${i}.csv`, `n\n${Array.from({ length: 50 }, (_, k) => i * 50 + k).join('\n')}\n`),
      ),
    );
    const tasks = await Promise.all(files.map((file_id) => load({ file_id, dataset: 'parallel' })));
    assert.deepEqual(new Set(tasks.map(({ status }) => status)), new Set(['succeeded']));
    const numbers = (await content('parallel')).map(({ n }) => Number(n));
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 400 }, (_, i) => i),
    );
  });
});
