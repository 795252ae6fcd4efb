import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, PASSWORD } from '../../../test/support/identity.ts';
import { sweepIdentity } from './identity.ts';
import { createSignInLink } from './one-time-links.ts';
import { createOperator, operatorId } from './operator.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;

describe('the operator', { skip: needsDatabase }, () => {
  test('is made once, however many processes start', async () => {
    const { db } = gateway.database;
    assert.equal(await operatorId(db), undefined);
    const made = (await Promise.all([1, 2, 3].map(() => createOperator(db, systemClock)))).filter(
      (each) => each !== null,
    );
    assert.equal(made.length, 1);
    const [operator] = made;
    assert.ok(operator);
    assert.equal(await createOperator(db, systemClock), null);
    assert.equal(await operatorId(db), operator.user_id);
    assert.equal(operator.username, 'operator');

    const login = await gateway.call('POST', '/auth/login', { email: operator.email, password: operator.password });
    for (const token of [operator.token, login.body.token]) {
      const { body } = await gateway.call('GET', '/auth/me', undefined, { token });
      assert.equal(body.operator, true);
      assert.equal(body.workspace_id, operator.workspace_id);
      assert.ok(body.scopes.includes('admin'));
    }
  });

  test('sees refused sign-ins of unknown accounts; others do not', async () => {
    await gateway.call('POST', '/auth/login', { email: 'nobody@example.org', password: PASSWORD });
    const ana = await gateway.signUp('ana');
    const refused = async (token: string) =>
      (await gateway.call('GET', '/audit?action=session.refused', undefined, { token })).body.items;
    const { db } = gateway.database;
    const { path } = await createSignInLink(db, (await operatorId(db)) ?? '', systemClock);
    const cookie = String((await gateway.call('GET', path)).headers['set-cookie']).split(';')[0] ?? '';
    const { body } = await gateway.call('GET', '/audit?action=session.refused', undefined, { headers: { cookie } });
    assert.equal(body.items.length, 1);
    assert.equal(body.items[0].actor, 'unknown');
    assert.deepEqual(await refused(ana.token), []);
  });
});

describe('the audit log', { skip: needsDatabase }, () => {
  test('who, what, when, from where; newest first, in pages, by action, of one’s own workspace', async () => {
    const bruno = await gateway.signUp('bruno');
    const carla = await gateway.signUp('carla');
    const call = (url: string, token = bruno.token) => gateway.call('GET', url, undefined, { token });
    const { body: api } = await gateway.call(
      'POST',
      '/tokens',
      { name: 'CI', scopes: ['admin'] },
      { token: bruno.token, address: '203.0.113.9' },
    );
    await gateway.call('POST', '/tokens', { name: 'by token', scopes: ['files:read'] }, { token: api.token });

    const { body } = await call('/audit');
    assert.deepEqual(
      body.items.map((item: { action: string }) => item.action),
      ['token.created', 'token.created', 'session.opened', 'account.created'],
    );
    const [byToken, byUser] = body.items;
    assert.equal(byUser.actor, 'bruno');
    assert.equal(byUser.user_id, bruno.id);
    assert.equal(byUser.target, api.id);
    assert.equal(byUser.address, '203.0.113.9');
    assert.deepEqual(byUser.detail, { name: 'CI', scopes: ['admin'], expires_at: null });
    assert.equal(byToken.detail.token_id, api.id);
    assert.ok(Math.abs(Date.parse(byUser.at) - Date.now()) < 60_000);
    assert.equal(JSON.stringify(body).includes(api.token), false);

    const first = (await call('/audit?action=token.created&limit=1')).body;
    const second = (await call(`/audit?action=token.created&limit=1&cursor=${first.next_cursor}`)).body;
    assert.deepEqual([first.items[0], second.items[0]], [byToken, byUser]);
    assert.equal(second.next_cursor, null);
    assert.equal((await call(`/audit?user_id=${carla.id}`)).body.items.length, 0);
    assert.equal((await call('/audit', carla.token)).body.items.length, 2);
    assert.equal((await gateway.call('GET', '/audit')).status, 401);
    assert.equal((await call('/audit?limit=0')).status, 422);
    assert.equal((await call('/audit?user_id=x')).status, 422);
  });
});

test('sweeping takes what has expired and nothing else', { skip: needsDatabase }, async () => {
  const { db } = gateway.database;
  const dora = await gateway.signUp('dora');
  await sweepIdentity(db, systemClock);
  assert.equal((await gateway.call('GET', '/auth/me', undefined, { token: dora.token })).status, 200);
  const later = { ...systemClock, now: () => new Date(Date.now() + 3 * 86_400_000) };
  await sweepIdentity(db, later);
  gateway.time.monotonic += 60_000;
  assert.equal((await gateway.call('GET', '/auth/me', undefined, { token: dora.token })).status, 401);
});
