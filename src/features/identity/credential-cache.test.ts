import assert from 'node:assert/strict';
import test from 'node:test';
import { CREDENTIAL_TTL_MS, type Credential, createCredentialCache } from './credential-cache.ts';

function setUp() {
  const time = { now: Date.UTC(2026, 0, 1), monotonic: 0, loads: 0 };
  const cache = createCredentialCache({ now: () => new Date(time.now), monotonic: () => time.monotonic });
  const load = async (): Promise<Credential> => {
    time.loads += 1;
    return credential();
  };
  return { time, cache, load };
}

function credential(expires_at: Date | null = null): Credential {
  return {
    principal: {
      kind: 'token',
      user_id: 'u',
      username: 'ana',
      workspace_id: 'w',
      role: 'owner',
      scopes: ['admin'],
      operator: false,
      credential_id: 'c',
    },
    expires_at,
  };
}

test('within its time a credential is read once, also by callers that come together', async () => {
  const { time, cache, load } = setUp();
  await Promise.all([cache.get('k', load), cache.get('k', load)]);
  time.monotonic = CREDENTIAL_TTL_MS - 1;
  await cache.get('k', load);
  assert.equal(time.loads, 1);
  time.monotonic = CREDENTIAL_TTL_MS;
  await cache.get('k', load);
  assert.equal(time.loads, 2);
});

for (const match of [{ credential_id: 'c' }, { user_id: 'u' }]) {
  test(`forgetting ${Object.keys(match)} ends it at once`, async () => {
    const { cache, load } = setUp();
    await cache.get('k', load);
    cache.forget(match);
    assert.equal(await cache.get('k', async () => null), null);
  });
}

test('forgetting another one changes nothing', async () => {
  const { time, cache, load } = setUp();
  await cache.get('k', load);
  cache.forget({ credential_id: 'other' });
  await cache.get('k', load);
  assert.equal(time.loads, 1);
});

test('a load that began before a revocation is not kept', async () => {
  const { cache } = setUp();
  const { promise, resolve } = Promise.withResolvers<Credential | null>();
  const early = cache.get('k', () => promise);
  cache.forget({ credential_id: 'c' });
  const late = cache.get('k', async () => null);
  resolve(credential());
  assert.ok(await early);
  assert.equal(await late, null);
  assert.equal(await cache.get('k', async () => null), null);
});

test('a kept credential still expires to the second', async () => {
  const { time, cache } = setUp();
  const load = async () => credential(new Date(time.now + 1000));
  assert.ok(await cache.get('k', load));
  time.now += 1000;
  assert.equal(await cache.get('k', load), null);
});

test('a refusal and a failure are asked again', async () => {
  const { cache, load } = setUp();
  assert.equal(await cache.get('k', async () => null), null);
  await assert.rejects(
    cache.get('k', async () => {
      throw new Error('database gone');
    }),
  );
  assert.ok(await cache.get('k', load));
});
