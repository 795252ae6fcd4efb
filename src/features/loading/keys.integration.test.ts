import assert from 'node:assert/strict';
import test from 'node:test';
import { balances } from '#contract/accounting.ts';
import type { OnConflict } from '#contract/datasets.ts';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { compact } from '#platform/lake/compaction.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import fc from '../../../test/support/laws.ts';
import { loadingRoom } from '../../../test/support/loading.ts';
import { deleteFile } from './delete-file.handler.ts';
import { replayTask } from './replay.handler.ts';

test('keys of rows that files bring', { skip: needsDatabase }, async (t) => {
  const room = await loadingRoom((deps) => ({ replay: async () => replayTask(deps) }));
  const { db, workspace_id, objects, temp_dir, newFile, load, fileOf, content, start, ended, enqueue } = room;
  const tools = { objects, temp_dir, memory_bytes: 300e6, threads: 1 };
  let made = 0;

  const newDataset = async (on_conflict: OnConflict, columns = ['k']) => {
    made += 1;
    const name = `keyed_${made}`;
    const declared = [
      { name: 'k', type: 'integer' },
      { name: 'v', type: 'text' },
    ];
    const key = { columns, on_conflict };
    const { id } = await transaction(db, (tx) => createDataset(tx, { workspace_id, name, declared, key }));
    return { id, name };
  };
  const csv = (pairs: [key: number | string, value: string][]): string =>
    `k,v\n${pairs.map((pair) => `${pair.join(',')}\n`).join('')}`;
  const loaded = async (dataset: string, text: string, more: object = {}) => {
    const id = await newFile('rows.csv', text);
    const task = await load({ file_id: id, dataset, ...more });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    return { id, account: (await fileOf(id)).loads[0]?.accounting };
  };
  const counts = (account: { accepted: number; quarantined: number; duplicates: number } | undefined) =>
    account && [account.accepted, account.quarantined, account.duplicates];
  const pairs = async (name: string) => (await content(name)).map(({ k, v }) => `${k ?? ''}${v}`);
  const keysOf = async (id: string) => {
    const row = await first(db, sql<{ n: number }>`SELECT count(*) AS n FROM dataset_keys WHERE dataset_id = ${id}`);
    return row?.n;
  };
  const rowsOf = async (name: string) => (await snapshot(db, { workspace_id, name })).rows;

  await t.test(
    'reject: the first row of a key stays, in a file and against what is there; both are counted',
    async () => {
      const { id, name } = await newDataset('reject');
      const one = await loaded(
        name,
        csv([
          [1, 'a'],
          [2, 'b'],
          [1, 'c'],
          ['', 'd'],
          ['', 'e'],
        ]),
      );
      assert.deepEqual(counts(one.account), [4, 0, 1]);
      const two = await loaded(
        name,
        csv([
          [2, 'f'],
          [3, 'g'],
          ['x', 'h'],
          [3, 'i'],
        ]),
      );
      assert.deepEqual(counts(two.account), [1, 1, 2]);
      assert.deepEqual(await pairs(name), ['1a', '2b', 'd', 'e', '3g']);
      assert.deepEqual([await keysOf(id), await rowsOf(name)], [3, 5]);
      const none = await loaded(name, csv([[1, 'z']]));
      assert.deepEqual(counts(none.account), [0, 0, 1]);
      assert.equal((await fileOf(none.id)).state, 'loaded');
    },
  );

  await t.test('a repeated load of a file is not refused by its own keys; replace begins anew', async () => {
    const { id, name } = await newDataset('reject');
    const one = await loaded(
      name,
      csv([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    await loaded(name, csv([[3, 'c']]));
    const again = await load({ file_id: one.id, dataset: name });
    assert.equal(again.status, 'succeeded', JSON.stringify(again.error));
    assert.deepEqual(counts((await fileOf(one.id)).loads[0]?.accounting), [2, 0, 0]);
    assert.deepEqual((await pairs(name)).sort(), ['1a', '2b', '3c']);
    await load({ file_id: one.id, dataset: name, mode: 'append' });
    assert.deepEqual(counts((await fileOf(one.id)).loads[0]?.accounting), [0, 0, 2]);
    await loaded(
      name,
      csv([
        [3, 'new'],
        [3, 'twice'],
      ]),
      { mode: 'replace' },
    );
    assert.deepEqual([await pairs(name), await keysOf(id)], [['3new'], 1]);
  });

  await t.test('replace: the newest row of a key stays; earlier versions read as they were', async () => {
    const { id, name } = await newDataset('replace');
    await loaded(
      name,
      csv([
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
        ['', 'd'],
      ]),
    );
    const two = await loaded(
      name,
      csv([
        [2, 'B'],
        [4, 'e'],
        [4, 'E'],
        ['', 'f'],
      ]),
    );
    assert.deepEqual(counts(two.account), [3, 0, 1]);
    assert.deepEqual(await pairs(name), ['1a', '3c', 'd', '2B', '4E', 'f']);
    await loaded(
      name,
      csv([
        [1, 'A'],
        [2, 'BB'],
      ]),
    );
    assert.deepEqual(await pairs(name), ['3c', 'd', '4E', 'f', '1A', '2BB']);
    assert.deepEqual([await keysOf(id), await rowsOf(name)], [4, 6]);
    for (const [version, rowCount] of [
      [1, 4],
      [2, 6],
      [3, 6],
    ] as const) {
      assert.equal((await snapshot(db, { workspace_id, name, version })).rows, rowCount);
    }
    assert.deepEqual(await room.content(name, 1).then((all) => all.map(({ v }) => v)), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await room.content(name, 2).then((all) => all.map(({ v }) => v)), ['a', 'c', 'd', 'B', 'E', 'f']);
    const merged = await compact(db, tools, {
      ...{ workspace_id, dataset_id: id, task_id: null, trace_id: null, signal: new AbortController().signal },
      options: { target_bytes: 1e9, most_small: 1, most_deleted: 1 },
    });
    assert.ok(merged >= 2);
    const after = await snapshot(db, { workspace_id, name });
    assert.deepEqual(
      after.segments.map(({ rows: count, deleted }) => [count, deleted.length]),
      [[6, 0]],
    );
    assert.deepEqual(await pairs(name), ['3c', 'd', '4E', 'f', '1A', '2BB']);
    await loaded(name, csv([[3, 'C']]));
    assert.deepEqual(await pairs(name), ['d', '4E', 'f', '1A', '2BB', '3C']);
  });

  await t.test('a segment of which all rows were replaced is gone; a deleted file frees its keys', async () => {
    const { id, name } = await newDataset('replace');
    const one = await loaded(
      name,
      csv([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    const two = await loaded(
      name,
      csv([
        [1, 'A'],
        [2, 'B'],
        [5, 'x'],
      ]),
    );
    assert.equal((await snapshot(db, { workspace_id, name })).segments.length, 1);
    const remove = { db, objects, enqueue, temp_dir, memory_bytes: 300e6, threads: 1 };
    await deleteFile(remove, { workspace_id, file_id: two.id, requested_by: null });
    assert.deepEqual([await pairs(name), await keysOf(id)], [[], 0]);
    await loaded(name, csv([[1, 'again']]));
    assert.deepEqual(await pairs(name), ['1again']);
    await deleteFile(remove, { workspace_id, file_id: one.id, requested_by: null });
    assert.deepEqual(await pairs(name), ['1again']);
  });

  await t.test('a repeated load that replaces its own rows and those of others at once', async () => {
    const { name } = await newDataset('replace');
    const one = await loaded(
      name,
      csv([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    await loaded(
      name,
      csv([
        [2, 'B'],
        [3, 'c'],
      ]),
    );
    await compact(db, tools, {
      ...{ workspace_id, dataset_id: (await snapshot(db, { workspace_id, name })).id, task_id: null, trace_id: null },
      signal: new AbortController().signal,
      options: { target_bytes: 1e9, most_small: 1 },
    });
    await load({ file_id: one.id, dataset: name });
    assert.deepEqual((await pairs(name)).sort(), ['1a', '2b', '3c']);
  });

  await t.test('a replayed record whose key is taken leaves the quarantine as a duplicate', async () => {
    const { id, name } = await newDataset('reject');
    await loaded(
      name,
      csv([
        ['x1', 'a'],
        ['x2', 'b'],
        [1, 'c'],
      ]),
    );
    const input = { dataset_id: id, ids: null, fix: { k: `replace(k, 'x', '')` } };
    const queued = await transaction(db, (tx) =>
      enqueue(tx, { workspace_id, kind: 'replay', input, created_by: null }),
    );
    const task = await ended(queued.id);
    assert.deepEqual([task.output?.['replayed'], task.output?.['duplicates']], [1, 1], JSON.stringify(task));
    assert.deepEqual((await pairs(name)).sort(), ['1c', '2b']);
    const open = await first(
      db,
      sql<{ n: number }>`SELECT count(*) AS n FROM quarantine WHERE dataset_id = ${id} AND state = 'open'`,
    );
    assert.equal(open?.n, 0);
  });

  await t.test('many files at once: one row per key, and every account balances', async () => {
    for (const on_conflict of ['reject', 'replace'] as const) {
      const { id, name } = await newDataset(on_conflict);
      const files = await Promise.all(
        [0, 1, 2].map((n) => newFile(`f${n}.csv`, csv(Array.from({ length: 50 }, (_, k) => [k + n * 25, `f${n}`])))),
      );
      const tasks = await Promise.all(files.map((file_id) => start({ file_id, dataset: name })));
      for (const { id: task } of tasks) assert.equal((await ended(task)).status, 'succeeded');
      const found = await pairs(name);
      assert.equal(new Set((await content(name)).map(({ k }) => k)).size, found.length);
      assert.deepEqual([found.length, await keysOf(id), await rowsOf(name)], [100, 100, 100]);
    }
  });

  await t.test('law: the dataset is what a map would be, the accounts balance, whatever is loaded', async () => {
    const key = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 8 }) },
      { weight: 1, arbitrary: fc.constantFrom('', 'x') },
    );
    const batch = fc.array(key, { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<OnConflict>('reject', 'replace'),
        fc.array(batch, { minLength: 1, maxLength: 4 }),
        async (on_conflict, batches) => {
          const { id, name } = await newDataset(on_conflict);
          const expected = new Map<number | symbol, string>();
          for (const [number, keys] of batches.entries()) {
            const list = keys.map((k, index): [number | string, string] => [k, `${number}-${index}`]);
            const { account } = await loaded(name, csv(list));
            assert.ok(account && balances(account) && account.read === keys.length);
            for (const [k, v] of list) {
              if (k === 'x') continue;
              const place = typeof k === 'number' ? k : Symbol('no key');
              if (on_conflict === 'replace' || !expected.has(place)) expected.set(place, v);
            }
          }
          const found = (await content(name)).map(({ v }) => String(v)).sort();
          assert.deepEqual(found, [...expected.values()].sort());
          assert.equal(await keysOf(id), [...expected.keys()].filter((k) => typeof k === 'number').length);
          const bad = await rows(
            db,
            sql`SELECT 1 FROM sources WHERE dataset_id = ${id} AND read <> accepted + quarantined + duplicates`,
          );
          assert.deepEqual(bad, []);
        },
      ),
      { numRuns: 4 },
    );
  });
});
