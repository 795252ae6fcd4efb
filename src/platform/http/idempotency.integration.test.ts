import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pino from 'pino';
import { Type } from 'typebox';
import { newId } from '#kernel/ids.ts';
import { sql } from '#platform/db/db.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { createServer } from './server.ts';

const database = needsDatabase ? undefined : await testDatabase();

describe('Idempotency-Key', { skip: needsDatabase }, async () => {
  const { db } = database as TestDatabase;
  let effects = 0;
  let gate: Promise<void> = Promise.resolve();
  const entered: PromiseWithResolvers<void>[] = [];
  const app = await createServer({
    log: pino({ level: 'silent' }),
    db,
    version: '0',
    limits: { workspace: 1000, anonymous: 1000 },
    authenticate: async () => null,
  });
  const body = Type.Object({ name: Type.String() });
  const config = { access: 'public' } as const;
  app.post('/things', { config, schema: { body } }, async (request, reply) => {
    effects += 1;
    entered.shift()?.resolve();
    await gate;
    return reply
      .status(201)
      .header('Location', `/things/${effects}`)
      .send({ number: effects, name: request.body.name });
  });
  app.post('/secrets', { config: { ...config, idempotent: 'secret' }, schema: { body } }, async (_request, reply) =>
    reply.status(201).send({ secret: 'cdl_once' }),
  );
  after(() => app.close());

  const post = (url: string, key: string, name: string) =>
    app.inject({ method: 'POST', url, headers: { 'idempotency-key': key }, payload: { name } });

  test('the same request twice has one effect and one answer; another body is refused', async () => {
    const first = await post('/things', 'a', 'Ana');
    const again = await post('/things', 'a', 'Ana');
    assert.equal(first.statusCode, 201);
    assert.deepEqual([again.statusCode, again.body, again.headers.location], [201, first.body, first.headers.location]);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.equal(effects, 1);
    const other = await post('/things', 'a', 'Luis');
    assert.deepEqual([other.statusCode, other.json().code], [422, 'idempotency_key_reused']);
  });

  test('a repeat that comes while the first still runs gets its answer', async () => {
    const before = effects;
    const open = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    gate = open.promise;
    entered.push(reached);
    const first = post('/things', 'b', 'Ana').then((answer) => answer.body);
    await reached.promise;
    const second = post('/things', 'b', 'Ana').then((answer) => answer.body);
    open.resolve();
    assert.equal(await second, await first);
    assert.equal(effects, before + 1);
  });

  test('the claim of a process that died is free', async () => {
    const instance = newId();
    await sql`INSERT INTO instances (id, roles, host, pid, version, stopped_at)
              VALUES (${instance}, '{api}', 'here', 1, '0', now())`.execute(db);
    await post('/things', 'c', 'Ana');
    await sql`UPDATE idempotency_keys SET status = NULL, body = NULL, instance_id = ${instance} WHERE key = 'c'`.execute(
      db,
    );
    const before = effects;
    assert.equal((await post('/things', 'c', 'Ana')).statusCode, 201);
    assert.equal(effects, before + 1);
  });

  test('a secret is shown once and not kept', async () => {
    assert.equal((await post('/secrets', 'd', 'Ana')).json().secret, 'cdl_once');
    const again = await post('/secrets', 'd', 'Ana');
    assert.deepEqual([again.statusCode, again.json().code], [409, 'secret_already_shown']);
    const kept = await sql<{ body: Buffer | null }>`SELECT body FROM idempotency_keys WHERE key = 'd'`.execute(db);
    assert.equal(kept.rows[0]?.body, null);
  });
});
