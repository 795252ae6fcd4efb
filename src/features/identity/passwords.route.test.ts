import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, PASSWORD, type Person } from '../../../test/support/identity.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;
const NEW = 'Distinta456';

const login = (email: string, password: string) => gateway.call('POST', '/auth/login', { email, password });
const me = (token: string) => gateway.call('GET', '/auth/me', undefined, { token });

describe('changing the password', { skip: needsDatabase }, () => {
  const change = (person: Person, body: object, headers = {}) =>
    gateway.call('POST', '/auth/password', body, { token: person.token, headers });

  test('ends every sign-in and starts a new one; API tokens stay', async () => {
    const ana = await gateway.signUp('ana');
    const other = (await login(ana.email, PASSWORD)).body.token;
    const { body: api } = await gateway.call('POST', '/tokens', { name: 'x', scopes: ['admin'] }, { token: ana.token });
    await gateway.audited();
    const reply = await change(ana, { current_password: PASSWORD, password: NEW, password_2: NEW });
    assert.equal(reply.status, 200);
    assert.deepEqual(await gateway.audited(), ['password.changed']);
    for (const [token, status] of [
      [ana.token, 401],
      [other, 401],
      [reply.body.token, 200],
      [api.token, 200],
    ] as const) {
      assert.equal((await me(token)).status, status);
    }
    assert.equal((await login(ana.email, PASSWORD)).status, 401);
    assert.equal((await login(ana.email, NEW)).status, 200);
  });

  const REFUSED: [what: string, body: object, status: number, code: string][] = [
    ['wrong now', { current_password: 'Wrong1234', password: NEW, password_2: NEW }, 401, 'invalid_credentials'],
    ['weak', { current_password: PASSWORD, password: 'weak', password_2: 'weak' }, 422, 'weak_password'],
    ['not repeated', { current_password: PASSWORD, password: NEW, password_2: 'x' }, 422, 'invalid_input'],
    ['missing', { password: NEW, password_2: NEW }, 422, 'invalid_input'],
  ];
  for (const [what, body, status, code] of REFUSED) {
    test(`${what}: ${status} ${code}, and nothing ends`, async () => {
      const person = await gateway.signUp(`p-${what.replaceAll(' ', '-')}`);
      await gateway.audited();
      const reply = await change(person, body);
      assert.equal(reply.status, status);
      assert.equal(reply.body.code, code);
      assert.equal((await me(person.token)).status, 200);
      assert.deepEqual(await gateway.audited(), []);
    });
  }

  test('guesses of the current one are counted as failed sign-ins', async () => {
    const person = await gateway.signUp('guessed');
    const guess = { current_password: 'Wrong1234', password: NEW, password_2: NEW };
    const statuses = [];
    for (let i = 0; i < 6; i += 1) statuses.push((await change(person, guess)).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
  });
});

describe('a forgotten password', { skip: needsDatabase }, () => {
  const ask = (email: string, from: Gateway = gateway) => from.call('POST', '/auth/password/reset', { email });
  const confirm = (secret: string, password = NEW) =>
    gateway.call('POST', '/auth/password/reset/confirm', { secret, password, password_2: password });
  const lastSecret = () => new URL(/https:\S+/.exec(gateway.mails.at(-1)?.text ?? '')?.[0] ?? '').hash.slice(1);

  test('the mail’s secret sets a new one, once, and ends every sign-in', async () => {
    const eva = await gateway.signUp('eva');
    await gateway.audited();
    const asked = await ask('EVA@example.org');
    assert.equal(asked.status, 202);
    assert.equal(gateway.mails.at(-1)?.to, 'eva@example.org');
    assert.match(gateway.mails.at(-1)?.text ?? '', /^https:\/\/caudal\.example\.org\/reset-password#/m);
    const secret = lastSecret();
    assert.equal((await confirm(secret, 'weak')).body.code, 'weak_password');
    const both = await Promise.all([confirm(secret), confirm(secret)]);
    assert.deepEqual(both.map((reply) => reply.status).sort(), [204, 410]);
    assert.deepEqual(await gateway.audited(), ['password.reset_asked', 'password.reset']);
    assert.equal((await me(eva.token)).status, 401);
    assert.equal((await login(eva.email, NEW)).status, 200);
  });

  test('an unknown address gets the same answer and no mail', async () => {
    const before = gateway.mails.length;
    assert.deepEqual((await ask('nobody@example.org')).body, { accepted: true });
    assert.equal(gateway.mails.length, before);
  });

  test('a secret holds for an hour', async () => {
    const own = await identityGateway({}, gateway.database);
    const fina = await own.signUp('fina');
    await ask(fina.email, own);
    const secret = new URL(/https:\S+/.exec(own.mails[0]?.text ?? '')?.[0] ?? '').hash.slice(1);
    own.time.now = new Date(own.time.now.getTime() + 3_600_000);
    const late = await own.call('POST', '/auth/password/reset/confirm', { secret, password: NEW, password_2: NEW });
    assert.equal(late.body.code, 'link_invalid');
  });

  test('three mails an hour, then 429', async () => {
    await gateway.signUp('gil');
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await ask('gil@example.org')).status);
    assert.deepEqual(statuses, [202, 202, 202, 429]);
  });

  test('without a mail channel: 503 that says so', async () => {
    const mute = await identityGateway({ sendMail: undefined }, gateway.database);
    const reply = await ask('eva@example.org', mute);
    assert.equal(reply.status, 503);
    assert.equal(reply.body.code, 'mail_unavailable');
  });

  test('a channel that fails: 503 and a time to retry', async () => {
    const failing = async (): Promise<void> => {
      throw new Error('connection refused');
    };
    const broken = await identityGateway({ sendMail: failing }, gateway.database);
    const reply = await ask('eva@example.org', broken);
    assert.equal(reply.body.code, 'mail_unavailable');
    assert.equal(reply.headers['retry-after'], '60');
  });
});
