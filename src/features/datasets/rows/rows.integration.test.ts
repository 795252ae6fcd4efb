import assert from 'node:assert/strict';
import test from 'node:test';
import { first, sql } from '#platform/db/db.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { needsDatabase } from '../../../../test/support/database.ts';
import { eventsRoom } from '../../../../test/support/events.ts';

const COLUMNS = [
  { name: 'national_id', type: 'text', pattern: '\\d{4,12}' },
  { name: 'name', type: 'text', required: true },
  { name: 'age', type: 'integer', min: 0 },
];

test('rows straight into datasets', { skip: needsDatabase }, async (t) => {
  const room = await eventsRoom();
  const { call, send, db, workspace_id, content, grant } = room;
  room.startDrains();
  let made = 0;
  const newDataset = async (more: object = { key: ['national_id'] }, columns: object[] | null = COLUMNS) => {
    made += 1;
    const name = `rows_${made}`;
    const answer = await call('POST', '/datasets', { name, ...(columns ? { columns } : {}), ...more });
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return { name, id: answer.body.id as string };
  };
  const add = (name: string, body: object, query = '?wait=true', headers: Record<string, string> = {}) =>
    send('POST', `/datasets/${name}/rows${query}`, body, headers);
  const keysOf = async (id: string) => {
    const row = await first(db, sql<{ n: number }>`SELECT count(*) AS n FROM dataset_keys WHERE dataset_id = ${id}`);
    return row?.n;
  };

  await t.test('one row: durable at once, readable when the caller waits; its id is its source and line', async () => {
    const { name } = await newDataset();
    const waited = await add(name, { national_id: '1001', name: 'Ana', age: '7' });
    assert.equal(waited.status, 200, JSON.stringify(waited.body));
    const { accepted, inserted, quarantined, duplicates, ids } = waited.body;
    assert.deepEqual([accepted, inserted, quarantined, duplicates], [1, 1, 0, 0]);
    const [row] = await content(name);
    assert.deepEqual(ids, [`${row?.['_source']}:${row?.['_line']}`]);
    assert.deepEqual([row?.['national_id'], row?.['name'], row?.['age']], ['1001', 'Ana', '7']);
    const quick = await add(name, { name: 'no key' }, '');
    assert.deepEqual([quick.status, quick.body.accepted, quick.body.duplicates], [202, 1, 0]);
  });

  await t.test('one bad row is refused with every field, one whose key is taken with the key', async () => {
    const { name, id } = await newDataset();
    const bad = await add(name, { national_id: 'x', age: -1, extra: 1 }, '');
    assert.deepEqual([bad.status, bad.body.code], [422, 'invalid_input']);
    assert.deepEqual(
      bad.body.errors.map(({ field, code }: { field: string; code: string }) => [field, code]),
      [
        ['extra', 'unknown_column'],
        ['national_id', 'pattern'],
        ['name', 'required'],
        ['age', 'min'],
      ],
    );
    assert.equal((await add(name, { national_id: '1234', name: 'a' }, '')).status, 202);
    const twice = await add(name, { national_id: '1234', name: 'b' }, '');
    assert.deepEqual(
      [twice.status, twice.body.code, twice.body.errors[0].field],
      [409, 'duplicate_key', 'national_id'],
    );
    assert.equal(await keysOf(id), 1);
  });

  await t.test(
    'of many rows the bad go to quarantine and the repeated are counted, in the source as well',
    async () => {
      const { name, id } = await newDataset();
      await add(name, { national_id: '1111', name: 'first' });
      const rows = [
        { national_id: '1111', name: 'taken' },
        { national_id: '2222', name: 'b' },
        { national_id: '2222', name: 'again' },
        { national_id: '3333' },
        { national_id: '4444', name: 'd', age: 'old' },
        { name: 'no key' },
      ];
      const many = await add(name, rows);
      assert.equal(many.status, 200, JSON.stringify(many.body));
      const { accepted, inserted, quarantined, duplicates, ids } = many.body;
      assert.deepEqual([accepted, inserted, quarantined, duplicates, ids.length], [6, 2, 2, 2, 2]);
      assert.deepEqual(
        (await content(name)).map((row) => row['name']),
        ['first', 'b', 'no key'],
      );
      assert.equal(await keysOf(id), 2);
      const source = await first(
        db,
        sql<{ read: number; accepted: number; quarantined: number; duplicates: number; kind: string }>`
        SELECT kind, read, accepted, quarantined, duplicates FROM sources WHERE dataset_id = ${id}`,
      );
      assert.deepEqual(source, { kind: 'rows', read: 6, accepted: 2, quarantined: 2, duplicates: 2 });
      assert.equal((await add(name, { national_id: '3333', name: 'free' }, '')).status, 202);
    },
  );

  await t.test('forty at once with one key: one is taken, the others hear that it is', async () => {
    const { name, id } = await newDataset();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => add(name, { national_id: '7777', name: `n${n}` })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array.from({ length: 39 }, () => 409)]);
    assert.equal((await content(name)).length, 1);
    assert.equal(await keysOf(id), 1);
  });

  await t.test('an Idempotency-Key gives the first answer again, also while the first is on its way', async () => {
    const { name } = await newDataset();
    const row = { national_id: '5555', name: 'once' };
    const headers = { 'idempotency-key': 'k1' };
    const answers = await Promise.all([1, 2, 3].map(() => add(name, row, '', headers)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202, 202],
    );
    assert.equal(new Set(answers.map(({ body }) => body.batch_id)).size, 1);
    assert.equal((await add(name, { ...row, name: 'other' }, '', headers)).body.code, 'idempotency_key_reused');
    assert.equal((await add(name, row, '')).status, 409);
  });

  await t.test('without a key to refuse, rows of many requests share transactions; a repeat adds nothing', async () => {
    const { name, id } = await newDataset({});
    const row = (n: number) => ({ national_id: `${1000 + n}`, name: `n${n}` });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => add(name, row(n % 40), '', { 'idempotency-key': `shared-${n % 40}` })),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
    assert.equal(new Set(answers.map(({ body }) => body.batch_id)).size, 40);
    const last = await add(name, row(40));
    assert.deepEqual([last.status, last.body.inserted], [200, 1]);
    const taken = await first(
      db,
      sql<{ rows: number; transactions: number }>`
        SELECT count(*) AS rows, count(DISTINCT b.xmin::text) AS transactions
        FROM event_batches b JOIN topics t ON t.id = b.topic_id WHERE t.dataset_id = ${id}`,
    );
    assert.equal(taken?.rows, 41);
    assert.ok((taken?.transactions ?? 41) < 41, `${taken?.transactions} transactions`);
    assert.deepEqual(
      (await content(name)).map((each) => each['national_id']).sort(),
      Array.from({ length: 41 }, (_, n) => `${1000 + n}`),
    );
    const [first_row] = last.body.ids;
    assert.ok((await content(name)).some((each) => `${each['_source']}:${each['_line']}` === first_row));
    await call('DELETE', `/datasets/${name}`);
    assert.equal((await add(name, row(1), '')).body.code, 'dataset_not_found');
  });

  await t.test('replace: the newer row takes the place of the older', async () => {
    const { name, id } = await newDataset({ key: ['national_id'], on_conflict: 'replace' });
    for (const value of ['a', 'b', 'c']) {
      assert.equal((await add(name, { national_id: '1000', name: value })).status, 200);
    }
    const many = await add(name, [
      { national_id: '2000', name: 'x' },
      { national_id: '2000', name: 'y' },
      { national_id: '1000', name: 'd' },
    ]);
    assert.deepEqual([many.body.inserted, many.body.duplicates], [2, 1]);
    assert.deepEqual(
      (await content(name)).map((row) => row['name']),
      ['y', 'd'],
    );
    assert.deepEqual([(await snapshot(db, { workspace_id, name })).rows, await keysOf(id)], [2, 2]);
  });

  await t.test('keys of long numbers keep their digits', async () => {
    const { name } = await newDataset({ key: ['n'] }, [{ name: 'n', type: 'integer' }]);
    const raw = (text: string) =>
      send('POST', `/datasets/${name}/rows?wait=true`, text, { 'content-type': 'application/json' });
    assert.equal((await raw('{"n": 9007199254740993}')).status, 200);
    assert.equal((await raw('{"n": 9007199254740992}')).status, 200);
    assert.equal((await raw('{"n": "9007199254740993"}')).status, 409);
    assert.deepEqual(
      (await content(name)).map((row) => row['n']),
      ['9007199254740993', '9007199254740992'],
    );
  });

  await t.test('a dataset without declared columns takes any record; walls as everywhere', async () => {
    const { name } = await newDataset({}, null);
    assert.equal((await add(name, { a: 1, b: { c: [] } })).body.inserted, 1);
    const stranger = grant('00000000-0000-7000-8000-000000000000');
    const path = `/datasets/${name}/rows`;
    assert.equal((await call('POST', path, { a: 1 }, stranger)).status, 404);
    assert.equal((await call('POST', path, { a: 1 }, null)).status, 401);
    assert.equal((await call('POST', path, { a: 1 }, grant(workspace_id, ['datasets:read']))).status, 403);
    assert.equal((await call('POST', '/datasets/nothing/rows', { a: 1 })).body.code, 'dataset_not_found');
    assert.equal((await add(name, [])).status, 422);
  });
});
