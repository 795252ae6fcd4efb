import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { allows, ROLE_SCOPES, ROLES, SCOPES } from '#contract/principal.ts';
import { first, sql } from '#platform/db/db.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, type Person } from '../../../test/support/identity.ts';
import fc from '../../../test/support/laws.ts';
import { withinRole } from './authenticate.ts';
import { CREDENTIAL_TTL_MS } from './credential-cache.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;

const make = (token: string, body: object, headers = {}) => gateway.call('POST', '/tokens', body, { token, headers });
const me = (token: string) => gateway.call('GET', '/auth/me', undefined, { token });

describe('API tokens', { skip: needsDatabase }, () => {
  let ana: Person;
  test('the secret is shown once and stored only as a hash', async () => {
    ana = await gateway.signUp('ana');
    await gateway.audited();
    const reply = await make(ana.token, { name: 'CI', scopes: ['files:write', 'files:read', 'files:read'] });
    assert.equal(reply.status, 201);
    assert.match(reply.body.token, /^cdl_[A-Za-z0-9_-]{43}$/);
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.deepEqual(reply.body.scopes, ['files:read', 'files:write']);
    assert.equal(reply.body.expires_at, null);
    assert.ok(reply.body.token.startsWith(reply.body.prefix));
    assert.deepEqual(await gateway.audited(), ['token.created']);
    const listed = await gateway.call('GET', '/tokens', undefined, { token: ana.token });
    assert.equal(listed.body.items.length, 1);
    assert.equal(JSON.stringify(listed.body).includes(reply.body.token), false);
    const dump = await first(
      gateway.database.db,
      sql<{ all: string }>`SELECT string_agg(t::text, ' ') AS all FROM api_tokens t`,
    );
    assert.equal(dump?.all.includes(reply.body.token.slice(4)), false);
    const mine = await me(reply.body.token);
    assert.equal(mine.body.kind, 'token');
    assert.equal(mine.body.workspace_id, ana.workspace_id);
    assert.deepEqual(mine.body.scopes, ['files:read', 'files:write']);
  });

  const REFUSED: [what: string, body: object, status: number, code: string, field?: string][] = [
    ['no scope', { name: 'x', scopes: [] }, 422, 'invalid_input', 'scopes'],
    ['an unknown scope', { name: 'x', scopes: ['files:read', 'files:eat'] }, 422, 'invalid_input', 'scopes.1'],
    ['a name where none fits', { name: 'x', scopes: ['tasks:read:one'] }, 422, 'invalid_input', 'scopes.0'],
    ['no name', { name: ' ', scopes: ['files:read'] }, 422, 'invalid_input', 'name'],
    [
      'an expiry in the past',
      { name: 'x', scopes: ['files:read'], expires_in: -1 },
      422,
      'invalid_input',
      'expires_in',
    ],
    ['an expiry as text', { name: 'x', scopes: ['files:read'], expires_in: '60' }, 422, 'invalid_input', 'expires_in'],
  ];
  for (const [what, body, status, code, field] of REFUSED) {
    test(`${what}: ${status} ${code}`, async () => {
      const reply = await make(ana.token, body);
      assert.equal(reply.status, status);
      assert.equal(reply.body.code, code);
      assert.equal(reply.body.errors[0].field, field);
      assert.deepEqual(await gateway.audited(), []);
    });
  }

  test('named scopes are kept as they are', async () => {
    const scopes = ['datasets:read:passengers', 'events:write:a:b'];
    assert.deepEqual((await make(ana.token, { name: 'third party', scopes })).body.scopes, scopes);
  });

  test('a repeat with its Idempotency-Key is 409, and makes no second token', async () => {
    const headers = { 'idempotency-key': 'once' };
    const body = { name: 'once', scopes: ['files:read'] };
    assert.equal((await make(ana.token, body, headers)).status, 201);
    const again = await make(ana.token, body, headers);
    assert.equal(again.status, 409);
    assert.equal(again.body.code, 'secret_already_shown');
    const other = await make(ana.token, { ...body, name: 'twice' }, headers);
    assert.equal(other.body.code, 'idempotency_key_reused');
    const { body: listed } = await gateway.call('GET', '/tokens', undefined, { token: ana.token });
    assert.equal(listed.items.filter((item: { name: string }) => item.name === 'once').length, 1);
  });

  test('it expires to the second', async () => {
    const own = await identityGateway({}, gateway.database);
    const { body } = await own.call(
      'POST',
      '/tokens',
      { name: 'x', scopes: ['files:read'], expires_in: 60 },
      { token: ana.token },
    );
    const status = async () => (await own.call('GET', '/auth/me', undefined, { token: body.token })).status;
    assert.equal(await status(), 200);
    own.time.now = new Date(own.time.now.getTime() + 59_000);
    assert.equal(await status(), 200);
    own.time.now = new Date(own.time.now.getTime() + 1_000);
    assert.equal(await status(), 401);
  });

  test('revoked: ends at once here, within five seconds elsewhere', async () => {
    const other = await identityGateway({}, gateway.database);
    const { body } = await make(ana.token, { name: 'leaked', scopes: ['files:read'] });
    const elsewhere = async () => (await other.call('GET', '/auth/me', undefined, { token: body.token })).status;
    assert.equal((await me(body.token)).status, 200);
    assert.equal(await elsewhere(), 200);
    await gateway.audited();
    const revoked = await gateway.call('DELETE', `/tokens/${body.id}`, undefined, { token: ana.token });
    assert.equal(revoked.status, 204);
    assert.deepEqual(await gateway.audited(), ['token.revoked']);
    assert.equal((await me(body.token)).status, 401);
    other.time.monotonic += CREDENTIAL_TTL_MS;
    assert.equal(await elsewhere(), 401);
    const again = await gateway.call('DELETE', `/tokens/${body.id}`, undefined, { token: ana.token });
    assert.equal(again.body.code, 'token_not_found');
  });

  test('somebody else’s token, and what is no id, are 404', async () => {
    const bruno = await gateway.signUp('bruno');
    const { body } = await make(ana.token, { name: 'mine', scopes: ['files:read'] });
    for (const id of [body.id, 'nonsense', '01890a5d-ac96-774b-bcce-b302099a8057']) {
      const reply = await gateway.call('DELETE', `/tokens/${id}`, undefined, { token: bruno.token });
      assert.equal(reply.status, 404);
    }
    assert.equal((await me(body.token)).status, 200);
    const { body: listed } = await gateway.call('GET', '/tokens', undefined, { token: bruno.token });
    assert.deepEqual(listed.items, []);
  });

  test('a token makes tokens only as an administrator, and nothing gives more than it has', async () => {
    const reader = (await make(ana.token, { name: 'r', scopes: ['files:read'] })).body.token;
    const admin = (await make(ana.token, { name: 'a', scopes: ['admin'] })).body.token;
    assert.equal((await make(reader, { name: 'x', scopes: ['files:read'] })).status, 403);
    assert.equal((await make(admin, { name: 'x', scopes: ['admin'] })).status, 201);
    await sql`UPDATE memberships SET role = 'editor' WHERE user_id = ${ana.id}`.execute(gateway.database.db);
    gateway.time.monotonic += CREDENTIAL_TTL_MS;
    assert.deepEqual((await me(admin)).body.scopes, []);
    assert.equal((await make(ana.token, { name: 'x', scopes: ['admin'] })).status, 403);
    assert.equal((await make(ana.token, { name: 'x', scopes: ['datasets:write:one'] })).status, 201);
    assert.equal((await gateway.call('POST', '/auth/logout', undefined, { token: admin })).status, 403);
  });

  test('last use is written, at most once a minute', async () => {
    const own = await identityGateway({}, gateway.database);
    const { token, body } = await own.signUp('carla').then(async (person) => ({
      token: person.token,
      body: (await own.call('POST', '/tokens', { name: 'x', scopes: ['files:read'] }, { token: person.token })).body,
    }));
    const lastUsed = async (): Promise<string | null> =>
      (await own.call('GET', '/tokens', undefined, { token })).body.items[0].last_used_at;
    const use = async (secondsLater: number) => {
      own.time.now = new Date(own.time.now.getTime() + secondsLater * 1000);
      own.time.monotonic += secondsLater * 1000;
      await own.call('GET', '/auth/me', undefined, { token: body.token });
      return lastUsed();
    };
    assert.equal(await lastUsed(), null);
    const once = await use(0);
    assert.equal(once, own.time.now.toISOString());
    assert.equal(await use(59), once);
    assert.equal(await use(6), own.time.now.toISOString());
  });

  test('pages are whole and in order', async () => {
    const dora = await gateway.signUp('dora');
    for (let i = 0; i < 5; i += 1) await make(dora.token, { name: `t${i}`, scopes: ['files:read'] });
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await gateway.call('GET', `/tokens?limit=2&cursor=${cursor}`, undefined, { token: dora.token });
      names.push(...body.items.map((item: { name: string }) => item.name));
      cursor = body.next_cursor;
    }
    assert.deepEqual(names, ['t4', 't3', 't2', 't1', 't0']);
    const bad = await gateway.call('GET', '/tokens?cursor=nonsense', undefined, { token: dora.token });
    assert.equal(bad.body.code, 'bad_cursor');
  });
});

test('a token never does more than its role: no scope beyond, none lost', () => {
  const scope = fc.oneof(fc.constantFrom(...SCOPES), fc.constantFrom('datasets:read:x', 'events:write:a:b'));
  fc.assert(
    fc.property(fc.array(scope), fc.constantFrom(...ROLES), (scopes, role) => {
      const left = withinRole(scopes, role);
      for (const needed of SCOPES) {
        if (allows(left, needed, 'x')) assert.ok(allows(ROLE_SCOPES[role], needed, 'x'));
        if (role === 'owner') assert.equal(allows(left, needed, 'x'), allows(scopes, needed, 'x'));
      }
    }),
  );
});
