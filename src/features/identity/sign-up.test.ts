import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, PASSWORD } from '../../../test/support/identity.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;

describe('signing up', { skip: needsDatabase }, () => {
  test('somebody is there already', async () => {
    await gateway.signUp('ana');
    assert.deepEqual(await gateway.audited(), ['account.created', 'session.opened']);
  });

  const body = (changes: object) => ({
    username: 'bruno',
    email: 'bruno@example.org',
    password: PASSWORD,
    password_2: PASSWORD,
    ...changes,
  });

  const REFUSED: [what: string, changes: object, status: number, code: string, fields: string[]][] = [
    ['username taken', { username: 'ana' }, 409, 'already_taken', ['username']],
    ['username taken in another case', { username: 'ANA' }, 409, 'already_taken', ['username']],
    ['username taken in full-width letters', { username: 'ａｎａ' }, 409, 'already_taken', ['username']],
    ['e-mail taken in another case', { email: 'Ana@EXAMPLE.org' }, 409, 'already_taken', ['email']],
    ['both taken', { username: 'Ana', email: 'ana@example.org' }, 409, 'already_taken', ['username', 'email']],
    ['the administrator’s name', { username: 'Operator' }, 409, 'already_taken', ['username']],
    ['no password worth the name', { password: 'abc', password_2: 'abc' }, 422, 'weak_password', ['password']],
    ['no digit', { password: 'SecretaABC', password_2: 'SecretaABC' }, 422, 'weak_password', ['password']],
    ['passwords differ', { password_2: 'Secreta124' }, 422, 'invalid_input', ['password_2']],
    ['no e-mail address', { email: 'bruno' }, 422, 'invalid_input', ['email']],
    [
      'several faults',
      { email: 'x', username: '?', password_2: '' },
      422,
      'invalid_input',
      ['username', 'email', 'password_2'],
    ],
    ['a field missing', { email: undefined }, 422, 'invalid_input', ['email']],
    ['a number for a name', { username: 7 }, 422, 'invalid_input', ['username']],
    ['an endless password', { password: 'aA1'.repeat(1000) }, 422, 'invalid_input', ['password']],
    ['a NUL byte', { username: 'b\u0000' }, 422, 'invalid_input', ['username']],
    ['half a surrogate pair', { username: 'b\ud800' }, 422, 'invalid_input', ['username']],
  ];

  for (const [what, changes, status, code, fields] of REFUSED) {
    test(`${what} → ${status} ${code}`, async () => {
      const reply = await gateway.call('POST', '/auth/signup', body(changes));
      assert.equal(reply.status, status, JSON.stringify(reply.body));
      assert.equal(reply.body.code, code);
      const named = reply.body.errors.map((error: { field: string }) => error.field);
      assert.deepEqual([...new Set(named)], fields);
      assert.equal(JSON.stringify(reply.body).includes(PASSWORD), false);
      assert.deepEqual(await gateway.audited(), []);
    });
  }

  test('admin with admin@gmail.com is free, gets a workspace, and owns it', async () => {
    const reply = await gateway.call('POST', '/auth/signup', body({ username: 'admin', email: 'admin@gmail.com' }));
    assert.equal(reply.status, 201);
    assert.deepEqual(Object.keys(reply.body).sort(), ['email', 'id', 'username', 'workspace_id']);
    assert.deepEqual(await gateway.audited(), ['account.created']);
    const login = await gateway.call('POST', '/auth/login', { email: 'ADMIN@gmail.com', password: PASSWORD });
    const me = await gateway.call('GET', '/auth/me', undefined, { token: login.body.token });
    assert.equal(me.body.role, 'owner');
    assert.equal(me.body.operator, false);
    assert.equal(me.body.workspace_id, reply.body.workspace_id);
    assert.deepEqual(me.body.workspaces, [{ id: reply.body.workspace_id, name: 'admin', role: 'owner' }]);
  });

  test('twenty at once with one name: one account', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        gateway.call('POST', '/auth/signup', body({ username: 'carla', email: 'c@example.org' })),
      ),
    );
    assert.deepEqual(
      replies
        .map((reply) => reply.status)
        .sort()
        .slice(0, 2),
      [201, 409],
    );
    assert.equal(replies.filter((reply) => reply.status === 409).length, 19);
  });

  test('a repeat with its Idempotency-Key gets the first answer, and no hash of a password is kept', async () => {
    const headers = { 'idempotency-key': 'sign-up-1' };
    const first = await gateway.call('POST', '/auth/signup', body({}), { headers });
    const again = await gateway.call('POST', '/auth/signup', body({}), { headers });
    assert.equal(first.status, 201);
    assert.equal(again.status, 201);
    assert.deepEqual(again.body, first.body);
    const other = await gateway.call('POST', '/auth/signup', body({ email: 'other@example.org' }), { headers });
    assert.equal(other.body.code, 'idempotency_key_reused');
  });

  test('sign-ups per address are limited; another address goes on', async () => {
    const narrow = await identityGateway({ limits: { sign_ups: 1 } }, gateway.database);
    const sign = (name: string, address: string) =>
      narrow.call('POST', '/auth/signup', body({ username: name, email: `${name}@example.org` }), { address });
    assert.equal((await sign('d1', '2001:db8::1')).status, 201);
    const refused = await sign('d2', '2001:db8::2');
    assert.equal(refused.status, 429);
    assert.equal(refused.body.code, 'rate_limited');
    assert.ok(Number(refused.headers['retry-after']) > 3000);
    assert.equal((await sign('d3', '2001:db8:0:1::1')).status, 201);
  });
});
