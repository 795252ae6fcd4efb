import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { sql } from '#platform/db/db.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, PASSWORD, type Reply } from '../../../test/support/identity.ts';
import { CREDENTIAL_TTL_MS } from './credential-cache.ts';
import { createSignInLink } from './one-time-links.ts';
import { rotateSigningKey, SESSION_SECONDS } from './signing-keys.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;

const login = (email: string, password = PASSWORD, options = {}) =>
  gateway.call('POST', '/auth/login', { email, password }, options);
const me = (token: string) => gateway.call('GET', '/auth/me', undefined, { token });
const cookieOf = (reply: Reply): string => String(reply.headers['set-cookie']).split(';')[0] ?? '';
const clock = { now: () => gateway.time.now, monotonic: () => gateway.time.monotonic };

describe('signing in', { skip: needsDatabase }, () => {
  test('right e-mail and password: a JWT for a day, and a cookie that no script reads', async () => {
    await gateway.signUp('ana');
    await gateway.audited();
    const reply = await login('ANA@example.org');
    assert.equal(reply.status, 200);
    assert.deepEqual(Object.keys(reply.body).sort(), ['expires_in', 'token']);
    assert.equal(reply.body.expires_in, SESSION_SECONDS);
    assert.match(
      String(reply.headers['set-cookie']),
      /^caudal_session=.+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/,
    );
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.equal((await me(reply.body.token)).body.username, 'ana');
    assert.deepEqual(await gateway.audited(), ['session.opened']);
  });

  const REFUSED: [what: string, email: string, password: string][] = [
    ['a wrong password', 'ana@example.org', 'Secreta124'],
    ['an unknown account', 'nobody@example.org', PASSWORD],
    ['no e-mail address', 'ana', PASSWORD],
    ['nothing at all', '', ''],
  ];
  for (const [what, email, password] of REFUSED) {
    test(`${what}: the same 401, and a line in the log`, async () => {
      const reply = await login(email, password, { address: '192.0.2.77' });
      assert.equal(reply.status, 401);
      assert.equal(reply.body.code, 'invalid_credentials');
      assert.equal(reply.body.detail, 'No account has this e-mail and password.');
      assert.equal(reply.headers['set-cookie'], undefined);
      assert.deepEqual(await gateway.audited(), ['session.refused']);
    });
  }

  test('after five failures the account is closed to that address for 15 minutes, and to no other', async () => {
    await gateway.signUp('bruno');
    const from = { address: '198.51.100.1' };
    for (let i = 0; i < 5; i += 1) assert.equal((await login('bruno@example.org', 'Wrong1234', from)).status, 401);
    const refused = await login('BRUNO@example.org', PASSWORD, from);
    assert.equal(refused.status, 429);
    assert.equal(refused.body.code, 'rate_limited');
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait > 890 && wait <= 900, String(wait));
    assert.equal((await login('bruno@example.org', PASSWORD, { address: '198.51.100.2' })).status, 200);
    assert.equal((await login('ana@example.org', PASSWORD, from)).status, 200);
    await sql`UPDATE rate_limits SET expire = ${Date.now() - 1} WHERE key LIKE 'failures:%'`.execute(
      gateway.database.db,
    );
    assert.equal((await login('bruno@example.org', PASSWORD, from)).status, 200);
  });

  test('a success clears the count; parallel guesses do not overtake it', async () => {
    await gateway.signUp('carla');
    const from = { address: '198.51.100.9' };
    for (let i = 0; i < 4; i += 1) await login('carla@example.org', 'Wrong1234', from);
    assert.equal((await login('carla@example.org', PASSWORD, from)).status, 200);
    const guesses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => login('carla@example.org', `Wrong123${i}`, from)),
    );
    assert.equal(guesses.filter((reply) => reply.status === 401).length, 5);
    assert.equal(guesses.filter((reply) => reply.status === 429).length, 15);
  });

  test('one address over many accounts, and many addresses on one account, are slowed too', async () => {
    const narrow = await identityGateway(
      { limits: { failures_per_account: 2, failures_per_address: 3 } },
      gateway.database,
    );
    const guess = (email: string, address: string) =>
      narrow.call('POST', '/auth/login', { email, password: 'Wrong1234' }, { address });
    const spray = [];
    for (const name of ['x1', 'x2', 'x3', 'x4']) spray.push((await guess(`${name}@example.org`, '203.0.113.1')).status);
    assert.deepEqual(spray, [401, 401, 401, 429]);
    const spread = [];
    for (const host of [11, 12, 13]) spread.push((await guess('x9@example.org', `203.0.113.${host}`)).status);
    assert.deepEqual(spread, [401, 401, 429]);
  });

  test('twenty right sign-ins at once all succeed', async () => {
    await gateway.signUp('dora');
    const replies = await Promise.all(Array.from({ length: 20 }, () => login('dora@example.org')));
    assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([200]));
    assert.equal(new Set(replies.map((reply) => reply.body.token)).size, 20);
  });
});

describe('signing out', { skip: needsDatabase }, () => {
  test('the token ends at once here, within five seconds elsewhere; other sign-ins stay', async () => {
    const { token } = await gateway.signUp('eva');
    const other = (await login('eva@example.org')).body.token;
    const elsewhere = await identityGateway({}, gateway.database);
    assert.equal((await elsewhere.call('GET', '/auth/me', undefined, { token })).status, 200);
    await gateway.audited();

    const reply = await gateway.call('POST', '/auth/logout', undefined, { token });
    assert.equal(reply.status, 204);
    assert.match(String(reply.headers['set-cookie']), /^caudal_session=; Path=\/; Max-Age=0/);
    assert.deepEqual(await gateway.audited(), ['session.closed']);
    const after = await me(token);
    assert.equal(after.status, 401);
    assert.equal(after.body.code, 'invalid_token');
    assert.equal((await me(other)).status, 200);

    elsewhere.time.monotonic += CREDENTIAL_TTL_MS;
    assert.equal((await elsewhere.call('GET', '/auth/me', undefined, { token })).status, 401);
  });

  test('without a sign-in there is nothing to end', async () => {
    assert.equal((await gateway.call('POST', '/auth/logout')).status, 401);
  });
});

describe('tokens of a sign-in', { skip: needsDatabase }, () => {
  test('expire', async () => {
    const narrow = await identityGateway({}, gateway.database);
    const { token } = await narrow.signUp('fina');
    narrow.time.now = new Date(narrow.time.now.getTime() + SESSION_SECONDS * 1000);
    narrow.time.monotonic += SESSION_SECONDS * 1000;
    assert.equal((await narrow.call('GET', '/auth/me', undefined, { token })).status, 401);
  });

  test('survive two rotations of the key, also on an instance that has not heard of them', async () => {
    const { token } = await gateway.signUp('gil');
    const other = await identityGateway({}, gateway.database);
    await rotateSigningKey(gateway.database.db, clock);
    const kid = await rotateSigningKey(gateway.database.db, clock);
    gateway.time.monotonic += 61_000;
    const fresh = (await login('gil@example.org')).body.token;
    assert.equal(JSON.parse(Buffer.from(fresh.split('.')[0], 'base64url').toString()).kid, kid);
    other.time.monotonic += 6_000;
    for (const each of [token, fresh]) {
      assert.equal((await me(each)).status, 200);
      assert.equal((await other.call('GET', '/auth/me', undefined, { token: each })).status, 200);
    }
  });

  test('forgeries are refused', async () => {
    const { token } = await gateway.signUp('hugo');
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const kid = JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
    const forged = [
      `${header}.${encode({ ...claims, exp: claims.exp + 1 })}.${signature}`,
      `${encode({ alg: 'none', kid })}.${payload}.`,
      `${encode({ alg: 'HS256', kid })}.${payload}.${signature}`,
      `${encode({ alg: 'EdDSA', kid: 'made-up' })}.${payload}.${signature}`,
      `${encode({ alg: 'EdDSA' })}.${payload}.${signature}`,
      'cdl_tooshort',
      `cdl_${'A'.repeat(43)}`,
      'a.b.c',
      '',
    ];
    for (const token of forged) {
      const reply = await gateway.call('GET', '/auth/me', undefined, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(reply.status, 401, token);
      assert.equal(reply.body.code, 'invalid_token');
    }
  });

  test('validate says what a token is for, and 401 for what is none', async () => {
    const person = await gateway.signUp('ines');
    const reply = await gateway.call('POST', '/auth/validate', { token: person.token });
    assert.equal(reply.status, 200);
    assert.deepEqual(Object.keys(reply.body).sort(), ['expires_at', 'scopes', 'username', 'valid', 'workspace_id']);
    assert.equal(reply.body.valid, true);
    assert.equal(reply.body.username, 'ines');
    assert.equal(reply.body.workspace_id, person.workspace_id);
    assert.ok(reply.body.scopes.includes('admin'));
    const bad = await gateway.call('POST', '/auth/validate', { token: 'nonsense' });
    assert.equal(bad.status, 401);
    assert.equal(bad.body.valid, false);
  });
});

describe('the cookie', { skip: needsDatabase }, () => {
  const site = (name: string) => ({ 'sec-fetch-site': name });
  const CASES: [what: string, method: string, url: string, headers: Record<string, string>, status: number][] = [
    ['reads', 'GET', '/auth/me', {}, 200],
    ['reads, from another site', 'GET', '/auth/me', site('cross-site'), 200],
    ['changes, from our page', 'POST', '/auth/switch', site('same-origin'), 422],
    ['changes, from our page by Origin', 'POST', '/auth/switch', { origin: 'http://localhost:80' }, 422],
    ['changes, from another site', 'POST', '/auth/switch', site('cross-site'), 403],
    ['changes, from a neighbour', 'POST', '/auth/switch', site('same-site'), 403],
    ['changes, from another Origin', 'POST', '/auth/switch', { origin: 'https://evil.example' }, 403],
    ['changes, from nobody knows where', 'POST', '/auth/switch', {}, 403],
    ['deletes, from another site', 'DELETE', '/tokens/1', site('cross-site'), 403],
  ];

  let cookie = '';
  test('is given at sign-in', async () => {
    await gateway.signUp('juan');
    cookie = cookieOf(await login('juan@example.org', PASSWORD, { headers: site('same-origin') }));
    assert.match(cookie, /^caudal_session=/);
  });

  for (const [what, method, url, headers, status] of CASES) {
    test(`${what}: ${status}`, async () => {
      const body = method === 'POST' ? {} : undefined;
      const reply = await gateway.call(method, url, body, { headers: { ...headers, cookie: `a=b; ${cookie}` } });
      assert.equal(reply.status, status, JSON.stringify(reply.body));
      if (status === 403) assert.equal(reply.body.code, 'csrf');
    });
  }

  test('is marked Secure only where people come by https', async () => {
    const plain = await identityGateway({ publicUrl: 'http://127.0.0.1:5050' }, gateway.database);
    const reply = await plain.call('POST', '/auth/login', { email: 'juan@example.org', password: PASSWORD });
    assert.match(String(reply.headers['set-cookie']), /SameSite=Lax$/);
  });

  test('is not given to a form on another site, which would sign its victim in as somebody else', async () => {
    const reply = await login('juan@example.org', PASSWORD, { headers: site('cross-site') });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['set-cookie'], undefined);
  });

  test('a stale cookie counts as none; a stale bearer does not keep anybody from signing in', async () => {
    const stale = { headers: { cookie: 'caudal_session=a.b.c' } };
    assert.equal((await gateway.call('GET', '/auth/me', undefined, stale)).body.code, 'unauthenticated');
    assert.equal((await login('juan@example.org', PASSWORD, { ...stale, token: 'stale' })).status, 200);
  });

  test('ends with its session', async () => {
    const headers = { cookie, ...site('same-origin') };
    assert.equal((await gateway.call('POST', '/auth/logout', undefined, { headers })).status, 204);
    assert.equal((await gateway.call('GET', '/auth/me', undefined, { headers })).status, 401);
  });
});

describe('a sign-in link', { skip: needsDatabase }, () => {
  test('signs in once, for the console; HEAD does not spend it', async () => {
    const person = await gateway.signUp('kai');
    await gateway.audited();
    const { path } = await createSignInLink(gateway.database.db, person.id, clock);
    assert.equal((await gateway.call('HEAD', path)).status, 204);
    const uses = await Promise.all([1, 2, 3].map(() => gateway.call('GET', path)));
    assert.deepEqual(uses.map((use) => use.status).sort(), [303, 410, 410]);
    const used = uses.find((use) => use.status === 303) as Reply;
    assert.equal(used.headers['location'], '/');
    const mine = await gateway.call('GET', '/auth/me', undefined, { headers: { cookie: cookieOf(used) } });
    assert.equal(mine.body.username, 'kai');
    assert.deepEqual(await gateway.audited(), ['session.opened']);
  });

  test('expires after a day, and a made-up one is 410', async () => {
    const person = await gateway.signUp('lea');
    const { path } = await createSignInLink(gateway.database.db, person.id, {
      ...clock,
      now: () => new Date(gateway.time.now.getTime() - 86_400_000),
    });
    for (const url of [path, '/auth/link/nonsense']) {
      const reply = await gateway.call('GET', url);
      assert.equal(reply.status, 410);
      assert.equal(reply.body.code, 'link_invalid');
    }
  });
});
