import assert from 'node:assert/strict';
import test from 'node:test';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { loadingRoom } from '../../../test/support/loading.ts';
import { replayTask } from './replay.handler.ts';

test('replay', { skip: needsDatabase }, async (t) => {
  const { db, workspace_id, enqueue, ended, newFile, load, content } = await loadingRoom((room) => ({
    replay: async () => replayTask(room),
  }));
  const datasetId = async (name: string) => {
    const row = await first(db, sql<{ id: string }>`SELECT id FROM datasets WHERE name = ${name}`);
    assert.ok(row);
    return row.id;
  };
  const replay = async (
    name: string,
    fix?: Record<string, string>,
    more: { types?: Record<string, string>; ids?: string[] } = {},
  ) => {
    const input = {
      dataset_id: await datasetId(name),
      ids: more.ids ?? null,
      ...(fix ? { fix } : {}),
      ...(more.types ? { types: more.types } : {}),
    };
    return ended(
      (await transaction(db, (tx) => enqueue(tx, { workspace_id, kind: 'replay', input, created_by: null }))).id,
    );
  };
  const open = async (name: string) =>
    rows(
      db,
      sql<{ id: string; state: string; replayed_by: string | null }>`
        SELECT id, state, replayed_by FROM quarantine WHERE dataset_id = ${await datasetId(name)} ORDER BY id`,
    );
  const balanced = async (name: string) =>
    rows(
      db,
      sql<{ kind: string; read: number; accepted: number; quarantined: number; replay_of: string | null }>`
        SELECT kind, read, accepted, quarantined, replay_of FROM sources WHERE dataset_id = ${await datasetId(name)} ORDER BY id`,
    );

  await t.test('ragged records are fixed by expressions over their fields; each is replayed once', async () => {
    const id = await newFile('people.csv', 'name,age\nAna,30\nBAD Luis,41,x\nBAD Eva\n');
    await load({ file_id: id });
    const without = await replay('people');
    assert.deepEqual(
      [without.status, without.output?.['replayed'], without.output?.['remaining']],
      ['succeeded', 0, 2],
    );
    const task = await replay('people', { name: `replace(_fields[1], 'BAD ', '')` });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    assert.equal(task.output?.['replayed'], 2);
    assert.deepEqual(await content('people'), [
      { name: 'Ana', age: '30', _line: '2' },
      { name: 'Luis', age: '41', _line: '3' },
      { name: 'Eva', age: null, _line: '4' },
    ]);
    const [file, again] = await balanced('people');
    assert.deepEqual([file?.read, file?.accepted, file?.quarantined], [3, 1, 2]);
    assert.deepEqual([again?.kind, again?.read, again?.accepted, again?.quarantined], ['replay', 2, 2, 0]);
    assert.ok((await open('people')).every(({ state, replayed_by }) => state === 'replayed' && replayed_by));
    assert.equal((await replay('people', { name: '_raw' })).output?.['replayed'], 0);
    await load({ file_id: id });
    assert.equal((await content('people')).length, 1);
  });

  await t.test('a declared dataset checks the fixed records by its rules; what does not fit waits on', async () => {
    await transaction(db, (tx) =>
      createDataset(tx, {
        workspace_id,
        name: 'prices',
        declared: [
          { name: 'item', type: 'text', required: true },
          { name: 'price', type: 'decimal(8,2)', min: 0 },
          { name: 'unit', type: 'text', default: 'kg' },
        ],
      }),
    );
    await load({
      file_id: await newFile('prices.csv', 'item,price\na,1.50\nb,"2,75"\nc,gratis\nd,-1\n'),
      dataset: 'prices',
    });
    const task = await replay('prices', { price: `replace(price, ',', '.')` });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    assert.deepEqual([task.output?.['replayed'], task.output?.['remaining']], [1, 2]);
    assert.deepEqual(
      ((task.output?.['problems'] ?? []) as { reason: string; value: string }[]).map(({ reason, value }) => [
        reason,
        value,
      ]),
      [
        ['not a valid decimal(8,2)', 'gratis'],
        ['below 0', '-1'],
      ],
    );
    assert.deepEqual(await content('prices'), [
      { item: 'a', price: '1.50', unit: 'kg', _line: '2' },
      { item: 'b', price: '2.75', unit: 'kg', _line: '3' },
    ]);
  });

  await t.test('some records by id, read as another type', async () => {
    await load({ file_id: await newFile('codes.csv', 'code\n1\nBAD7\nBAD8\n') });
    const [one] = await open('codes');
    const task = await replay('codes', undefined, { types: { code: 'text' }, ids: [one?.id ?? ''] });
    assert.equal(task.output?.['replayed'], 1);
    assert.deepEqual(
      (await content('codes')).map(({ code }) => code),
      ['1', 'BAD7'],
    );
  });

  await t.test('two replays at once take each record once', async () => {
    await load({ file_id: await newFile('race.csv', 'a\nx\nBAD1\nBAD2\n') });
    const tasks = await Promise.all([replay('race'), replay('race')]);
    assert.ok(tasks.some(({ status }) => status === 'succeeded'));
    assert.deepEqual((await content('race')).map(({ a }) => a).sort(), ['BAD1', 'BAD2', 'x']);
  });

  await t.test('hostile and mistaken fixes are refused with a reason, and nothing changes', async () => {
    await load({ file_id: await newFile('hostile.csv', 'a\nx\nBAD1\n') });
    const refused: [fix: string, code: string][] = [
      ["(SELECT content FROM read_text('/etc/passwd'))", 'sql_refused'],
      ['nothing', 'sql_error'],
      ['CAST(a AS INTEGER)', 'sql_error'],
    ];
    for (const [fix, code] of refused) {
      const task = await replay('hostile', { a: fix });
      assert.deepEqual([fix, task.status, task.error?.code], [fix, 'failed', code]);
    }
    assert.equal((await replay('hostile', { b: 'a' })).error?.code, 'column_not_found');
    assert.deepEqual((await content('hostile')).length, 1);
    assert.equal((await replay('hostile', { a: 'lower(a)' })).output?.['replayed'], 1);
  });
});
