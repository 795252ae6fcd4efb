import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { newId } from '#kernel/ids.ts';
import { rows, sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { eventsRoom } from '../../../test/support/events.ts';

describe('publishing', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const room = await eventsRoom();
  const { call, grant, db, workspace_id } = room;
  room.startDrains();
  room.startDrains();

  const publish = (topic: string, body: unknown, headers: Record<string, string> = {}, query = '') =>
    room.send('POST', `/topics/${topic}/events${query}`, body, headers);

  test('one object, waited for: the row is there, under its topic’s name', async () => {
    const answer = await publish('people', { name: 'Ana', email: 'ana@example.org' }, {}, '?wait=true');
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const { batch_id, ...counts } = answer.body;
    assert.deepEqual(counts, { accepted: 1, inserted: 1, quarantined: 0 });
    const [row] = await room.content('people');
    assert.deepEqual(
      { name: row?.['name'], email: row?.['email'], _line: row?.['_line'] },
      { name: 'Ana', email: 'ana@example.org', _line: '1' },
    );
  });

  test('array, NDJSON and gzip; digits as they were; a batch is a source', async () => {
    const array = '[{"n": 1, "big": 12345678901234567890},\n {"n": 2, "big": 1}]';
    const first = await publish('formats', array, { 'content-type': 'application/json' });
    assert.equal(first.status, 202);
    assert.equal(first.body.accepted, 2);
    const lines = gzipSync('{"n":3}\n\n{"n":4,"deep":{"a":[1,2]}}\n');
    const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    const second = await publish('formats', lines, headers, '?wait=true');
    assert.deepEqual(second.body.inserted, 2, JSON.stringify(second.body));
    const content = await room.content('formats', 'n, big, deep, _line, _source');
    assert.deepEqual(
      content.map(({ _source, ...row }) => row),
      [
        { n: '1', big: '12345678901234567890', deep: null, _line: '1' },
        { n: '2', big: '1', deep: null, _line: '2' },
        { n: '3', big: null, deep: null, _line: '3' },
        { n: '4', big: null, deep: '{"a":[1,2]}', _line: '4' },
      ],
    );
    assert.equal(new Set(content.map(({ _source }) => _source)).size, 2);
  });

  test('an Idempotency-Key makes a retry safe, waiting or not', async () => {
    const headers = { 'idempotency-key': 'once' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => publish('once', [{ a: 1 }], headers)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
    assert.equal(new Set(answers.map(({ body }) => body.batch_id)).size, 1);
    assert.equal((await publish('once', [{ a: 2 }], headers)).body.code, 'idempotency_key_reused');
    const waited = { 'idempotency-key': 'waited' };
    const one = await publish('once', [{ a: 3 }], waited, '?wait=true');
    const again = await publish('once', [{ a: 3 }], waited, '?wait=true');
    assert.deepEqual(again.body, one.body);
    assert.equal(again.status, 200);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.deepEqual(
      (await room.content('once', 'a')).map(({ a }) => a),
      ['1', '3'],
    );
  });

  test('bad bodies are answered with the field that is wrong; nothing of them is kept', async () => {
    const json = { 'content-type': 'application/json' };
    const cases: [
      body: string | Buffer,
      headers: Record<string, string>,
      status: number,
      code: string,
      field?: string,
    ][] = [
      ['{"name": "Ana", "age": }', json, 400, 'invalid_json', 'age'],
      ['[{"a":1}, 7]', json, 422, 'invalid_input', '1'],
      ['{"a":1}\n{"b": x}', { 'content-type': 'application/x-ndjson' }, 422, 'malformed_json', '1.b'],
      [`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, json, 422, 'json_too_deep'],
      ['a=1', { 'content-type': 'text/csv' }, 415, 'unsupported_media_type'],
      [JSON.stringify({ a: 'x'.repeat(1_100_000) }), json, 413, 'payload_too_large'],
      [gzipSync(Buffer.alloc(5_000_000, 0x20)), { ...json, 'content-encoding': 'gzip' }, 413, 'payload_too_large'],
      ['not gzip', { ...json, 'content-encoding': 'gzip' }, 400, 'bad_request'],
    ];
    for (const [body, headers, status, code, field] of cases) {
      const answer = await publish('bad', body, headers);
      assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
      if (field) assert.equal(answer.body.errors[0].field, field);
    }
    assert.equal((await call('GET', '/topics/bad')).body.code, 'topic_not_found');
    assert.equal((await publish('no/slash', [{}])).status, 404);
    assert.equal((await publish(encodeURIComponent('a b'), [{}])).body.code, 'invalid_input');
  });

  test('`__proto__` and formulas are values like any other', async () => {
    await publish(
      'odd',
      '[{"__proto__": {"admin": true}, "f": "=1+1", "constructor": 1}]',
      { 'content-type': 'application/json' },
      '?wait=true',
    );
    assert.deepEqual(await room.content('odd', 'f, "constructor", CAST("__proto__" AS VARCHAR) AS p'), [
      { f: '=1+1', constructor: '1', p: '{"admin":true}' },
    ]);
  });

  test('a record that would be one column too many is quarantined, the others come in', async () => {
    const wide = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`c${at}`, at]));
    const answer = await publish('wide', [{ a: 1 }, wide, { a: 2 }], {}, '?wait=true');
    assert.deepEqual([answer.body.accepted, answer.body.inserted, answer.body.quarantined], [3, 2, 1]);
    const [kept] = await rows(
      db,
      sql<{ line: number; reason: string; raw: string }>`
      SELECT q.line, q.reason, q.raw FROM quarantine q JOIN datasets d ON d.id = q.dataset_id WHERE d.name = 'wide'`,
    );
    assert.equal(kept?.line, 2);
    assert.match(kept?.reason ?? '', /more than 50 columns/);
    assert.deepEqual(JSON.parse(kept?.raw ?? ''), wide);
  });

  test('a declared dataset keeps its rules: unknown fields, types, required values', async () => {
    const declared = [
      { name: 'name', type: 'text', required: true },
      { name: 'age', type: 'integer', min: 0 },
    ];
    await transaction(db, (tx) => createDataset(tx, { workspace_id, name: 'strict', declared }));
    const records = [
      { name: 'Ana', age: 41 },
      { name: 'Luis' },
      { age: 3 },
      { name: 'Eva', age: 'old' },
      { name: 'Zoe', age: -1 },
      { name: 'Bea', shoe: 38 },
      { NAME: 'Teo', age: 7 },
    ];
    const answer = await publish('strict', records, {}, '?wait=true');
    assert.deepEqual([answer.body.inserted, answer.body.quarantined], [3, 4], JSON.stringify(answer.body));
    assert.deepEqual(await room.content('strict', 'name, age, _line'), [
      { name: 'Ana', age: '41', _line: '1' },
      { name: 'Luis', age: null, _line: '2' },
      { name: 'Teo', age: '7', _line: '7' },
    ]);
    const refused = await rows(
      db,
      sql<{ line: number; column_name: string }>`
      SELECT q.line, q.column_name FROM quarantine q JOIN datasets d ON d.id = q.dataset_id
      WHERE d.name = 'strict' ORDER BY q.line`,
    );
    assert.deepEqual(refused, [
      { line: 3, column_name: 'name' },
      { line: 4, column_name: 'age' },
      { line: 5, column_name: 'age' },
      { line: 6, column_name: 'shoe' },
    ]);
    const account = await rows(
      db,
      sql<{ read: number; accepted: number; quarantined: number }>`
      SELECT s.read, s.accepted, s.quarantined FROM sources s JOIN datasets d ON d.id = s.dataset_id WHERE d.name = 'strict'`,
    );
    assert.deepEqual(account, [{ read: 7, accepted: 3, quarantined: 4 }]);
  });

  test('topics and subscriptions are those of the workspace; a fan-out reaches every dataset', async () => {
    await publish('orders', [{ id: 1 }], {}, '?wait=true');
    const made = await call('POST', '/topics/orders/subscriptions', { dataset: 'orders_copy' });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(
      (await call('POST', '/topics/orders/subscriptions', { dataset: 'orders_copy' })).body.code,
      'subscription_exists',
    );
    assert.equal((await call('POST', '/topics/orders/subscriptions', {})).status, 422);
    const hook = { webhook: { url: 'https://example.org/hook', secret: 'a-secret-of-sixteen' } };
    const webhook = await call('POST', '/topics/orders/subscriptions', hook);
    assert.deepEqual(
      [webhook.body.kind, webhook.body.webhook_url, webhook.body.position],
      ['webhook', 'https://example.org/hook', 1],
    );
    assert.ok(!JSON.stringify(webhook.body).includes('a-secret'));
    await publish('orders', [{ id: 2 }, { id: 3 }], {}, '?wait=true');
    assert.equal((await room.content('orders')).length, 3);
    assert.equal((await room.content('orders_copy')).length, 2);
    const { body } = await call('GET', '/topics/orders');
    assert.equal(body.events, 3);
    assert.deepEqual(
      body.subscriptions.map(({ backlog }: { backlog: number }) => backlog),
      [0, 0, 2],
    );
    assert.ok(body.rate.events > 0 && body.last_hour.events === 3);
    const other = grant(newId());
    assert.equal((await call('GET', '/topics/orders', undefined, other)).body.code, 'topic_not_found');
    assert.deepEqual((await call('GET', '/topics', undefined, other)).body.items, []);
    assert.equal((await call('DELETE', `/topics/orders/subscriptions/${webhook.body.id}`)).status, 204);
    assert.equal(
      (await call('DELETE', `/topics/orders/subscriptions/${webhook.body.id}`)).body.code,
      'subscription_not_found',
    );
    const narrow = grant(workspace_id, ['events:write:orders']);
    assert.equal((await room.send('POST', '/topics/orders/events', { id: 4 }, {}, narrow)).status, 202);
    assert.equal((await room.send('POST', '/topics/people/events', { id: 4 }, {}, narrow)).status, 403);
    assert.equal((await call('GET', '/topics', undefined, narrow)).status, 403);
  });

  test('a workspace that forbids it makes neither topic nor dataset', async () => {
    await sql`UPDATE workspaces SET auto_topics = false WHERE id = ${workspace_id}`.execute(db);
    assert.equal((await publish('unasked', { a: 1 })).body.code, 'topic_not_found');
    assert.equal((await call('POST', '/topics/unasked/subscriptions', { dataset: 'unasked' })).status, 201);
    assert.equal((await publish('unasked', { a: 1 }, {}, '?wait=true')).body.inserted, 1);
    await sql`UPDATE workspaces SET auto_topics = true WHERE id = ${workspace_id}`.execute(db);
  });

  test('a dataset that was deleted comes back with the next event', async () => {
    await publish('phoenix', { a: 1 }, {}, '?wait=true');
    await sql`UPDATE datasets SET deleted_at = now() WHERE name = 'phoenix'`.execute(db);
    assert.equal((await publish('phoenix', { a: 2 }, {}, '?wait=true')).body.inserted, 1);
    assert.deepEqual(await room.content('phoenix', 'a'), [{ a: '2' }]);
  });
});
