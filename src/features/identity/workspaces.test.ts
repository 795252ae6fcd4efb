import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { needsDatabase } from '../../../test/support/database.ts';
import { type Gateway, identityGateway, type Person, type Reply } from '../../../test/support/identity.ts';

const gateway = (needsDatabase ? undefined : await identityGateway()) as Gateway;

const as = (person: Pick<Person, 'token'>) => (method: string, url: string, body?: unknown) =>
  gateway.call(method, url, body, { token: person.token });

/** Invites, accepts and switches: the guest, now working in the host's workspace. */
async function join(host: Person, guest: Person, role: string): Promise<Person> {
  const invited = await as(host)('POST', `/workspaces/${host.workspace_id}/invitations`, { email: guest.email, role });
  assert.equal(invited.status, 201, JSON.stringify(invited.body));
  const accepted = await as(guest)('POST', '/invitations/accept', { secret: invited.body.secret });
  assert.deepEqual(accepted.body, { workspace_id: host.workspace_id, name: host.username, role });
  const switched = await as(guest)('POST', '/auth/switch', { workspace_id: host.workspace_id });
  return { ...guest, token: switched.body.token };
}

const listed = (reply: Reply, key: string) => reply.body.items.map((item: Record<string, string>) => item[key]).sort();

describe('workspaces', { skip: needsDatabase }, () => {
  test('one’s own; more can be made and renamed; others’ are not there', async () => {
    const ana = await gateway.signUp('ana');
    const bruno = await gateway.signUp('bruno');
    await gateway.audited();
    const made = await as(ana)('POST', '/workspaces', { name: '  Campaña 2026 ' });
    assert.equal(made.status, 201);
    assert.equal(made.body.name, 'Campaña 2026');
    assert.equal(made.body.role, 'owner');
    const renamed = await as(ana)('PATCH', `/workspaces/${made.body.id}`, { name: 'Campaña' });
    assert.equal(renamed.body.name, 'Campaña');
    assert.deepEqual(await gateway.audited(), ['workspace.created', 'workspace.renamed']);
    assert.deepEqual(listed(await as(ana)('GET', '/workspaces'), 'name'), ['Campaña', 'ana']);
    assert.deepEqual(listed(await as(bruno)('GET', '/workspaces'), 'name'), ['bruno']);
    for (const id of [made.body.id, ana.workspace_id, 'nonsense']) {
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['PATCH', '', { name: 'mine' }],
        ['GET', '/members', undefined],
        ['GET', '/invitations', undefined],
        ['POST', '/invitations', { email: 'x@example.org', role: 'owner' }],
        ['PATCH', `/members/${ana.id}`, { role: 'viewer' }],
        ['DELETE', `/members/${ana.id}`, undefined],
      ] as const) {
        const reply = await as(bruno)(method, `/workspaces/${id}${path}`, body);
        assert.equal(reply.status, 404, `${method} ${path}`);
        assert.equal(reply.body.code, 'workspace_not_found');
      }
    }
    assert.equal((await as(bruno)('POST', '/auth/switch', { workspace_id: ana.workspace_id })).status, 404);
  });

  test('who is invited gets a mail, as many as are fair; without a channel the secret is handed over', async () => {
    const host = await gateway.signUp('hostess');
    const path = `/workspaces/${host.workspace_id}/invitations`;
    const invited = await as(host)('POST', path, { email: 'new@example.org', role: 'editor' });
    assert.equal(invited.body.mailed, true);
    const [mail, ...more] = gateway.mails.splice(0);
    assert.equal(more.length, 0);
    assert.equal(mail?.to, 'new@example.org');
    assert.match(mail?.text ?? '', /hostess invites you to work in "hostess" as editor/);
    assert.ok(mail?.text.includes(`https://caudal.example.org/invitation#${invited.body.secret}`));
    const tight = await identityGateway({ limits: { invitations: 1 } }, gateway.database);
    const statuses = [];
    for (const name of ['one', 'two']) {
      const reply = await tight.call(
        'POST',
        path,
        { email: `${name}@example.org`, role: 'viewer' },
        { token: host.token },
      );
      statuses.push(reply.status);
    }
    assert.deepEqual(statuses, [429, 429], 'one was sent before');
    for (const sendMail of [undefined, () => Promise.reject(new Error('refused'))]) {
      const mute = await identityGateway({ sendMail }, gateway.database);
      const reply = await mute.call('POST', path, { email: 'far@example.org', role: 'viewer' }, { token: host.token });
      assert.deepEqual([reply.status, reply.body.mailed], [201, false]);
      assert.match(reply.body.secret, /^\S{20,}$/);
    }
  });

  test('an owner says whether topics come into being by themselves', async () => {
    const person = await gateway.signUp('strict');
    await gateway.audited();
    const path = `/workspaces/${person.workspace_id}`;
    const before = await as(person)('GET', path);
    assert.equal(before.body.auto_topics, true);
    const after = await as(person)('PATCH', path, { auto_topics: false });
    assert.deepEqual([after.status, after.body], [200, { ...before.body, auto_topics: false }]);
    const renamed = await as(person)('PATCH', path, { name: 'stricter' });
    assert.deepEqual([renamed.body.name, renamed.body.auto_topics], ['stricter', false]);
    assert.deepEqual(await gateway.audited(), ['workspace.changed', 'workspace.renamed']);
    for (const body of [{}, { auto_topics: 'no' }, { other: 1 }]) {
      assert.equal((await as(person)('PATCH', path, body)).status, 422, JSON.stringify(body));
    }
  });

  test('a bad name is 422', async () => {
    const person = await gateway.signUp('namer');
    for (const name of ['', ' ', 'a\u0000b', 'a\nb', '\u202Eevil', 'x'.repeat(201)]) {
      const reply = await as(person)('POST', '/workspaces', { name });
      assert.equal(reply.status, 422, JSON.stringify(name));
      assert.equal(reply.body.errors[0].field, 'name');
    }
  });
});

describe('roles', { skip: needsDatabase }, () => {
  const MATRIX: [role: string, call: [string, string, unknown?], status: number][] = [
    ['viewer', ['GET', ''], 200],
    ['viewer', ['GET', '/members'], 200],
    ['viewer', ['GET', '/invitations'], 403],
    ['viewer', ['POST', '/invitations', { email: 'z@example.org', role: 'viewer' }], 403],
    ['viewer', ['PATCH', '', { name: 'mine' }], 403],
    ['editor', ['GET', '/members'], 200],
    ['editor', ['PATCH', '', { name: 'mine' }], 403],
    ['editor', ['POST', '/invitations', { email: 'z@example.org', role: 'owner' }], 403],
    ['owner', ['GET', '/invitations'], 200],
    ['owner', ['PATCH', '', { name: 'ours' }], 200],
  ];
  for (const [index, [role, [method, path, body], status]] of MATRIX.entries()) {
    test(`${role}: ${method} /workspaces/{id}${path} → ${status}`, async () => {
      const host = await gateway.signUp(`host${index}`);
      const guest = await join(host, await gateway.signUp(`guest${index}`), role);
      assert.equal((await as(guest)(method, `/workspaces/${host.workspace_id}${path}`, body)).status, status);
      const { body: me } = await as(guest)('GET', '/auth/me');
      assert.equal(me.role, role);
      assert.equal(me.scopes.includes('admin'), role === 'owner');
      assert.equal((await as(guest)('GET', '/audit')).status, role === 'owner' ? 200 : 403);
    });
  }

  test('a demotion and a removal reach sign-ins and tokens at once', async () => {
    const host = await gateway.signUp('hilda');
    const guest = await join(host, await gateway.signUp('ivan'), 'owner');
    const { body: api } = await as(guest)('POST', '/tokens', { name: 'x', scopes: ['admin'] });
    const member = `/workspaces/${host.workspace_id}/members/${guest.id}`;
    await gateway.audited();

    assert.equal((await as(host)('PATCH', member, { role: 'viewer' })).status, 200);
    assert.equal((await as(guest)('GET', '/audit')).status, 403);
    assert.equal((await as(api)('GET', '/audit')).status, 403);

    assert.equal((await as(host)('DELETE', member)).status, 204);
    assert.equal((await as(guest)('GET', '/auth/me')).status, 401);
    assert.equal((await as(api)('GET', '/auth/me')).status, 401);
    assert.deepEqual(await gateway.audited(), ['member.role_changed', 'member.removed']);
    assert.equal((await as(host)('DELETE', member)).body.code, 'member_not_found');

    const back = await join(host, await signInAgain(guest), 'viewer');
    assert.equal((await as(back)('GET', '/auth/me')).status, 200);
    assert.equal((await as(api)('GET', '/auth/me')).status, 401);
  });

  test('the last owner cannot leave, be removed or be demoted; of two who leave at once one stays', async () => {
    const host = await gateway.signUp('julia');
    const own = `/workspaces/${host.workspace_id}/members/${host.id}`;
    assert.equal((await as(host)('DELETE', own)).body.code, 'last_owner');
    assert.equal((await as(host)('PATCH', own, { role: 'viewer' })).body.code, 'last_owner');
    const guest = await join(host, await gateway.signUp('karl'), 'owner');
    const leave = (person: Person) => as(person)('DELETE', `/workspaces/${host.workspace_id}/members/${person.id}`);
    const both = await Promise.all([leave(host), leave(guest)]);
    assert.deepEqual(both.map((reply) => reply.status).sort(), [204, 409]);
  });

  test('who was removed from their last workspace gets a new one at the next sign-in', async () => {
    const host = await gateway.signUp('lara');
    const guest = await join(host, await gateway.signUp('mario'), 'owner');
    assert.equal((await as(guest)('DELETE', `/workspaces/${host.workspace_id}/members/${host.id}`)).status, 204);
    const again = await signInAgain(host);
    const { body: me } = await as(again)('GET', '/auth/me');
    assert.notEqual(me.workspace_id, host.workspace_id);
    assert.equal(me.role, 'owner');
  });

  async function signInAgain(person: Person): Promise<Person> {
    const { body } = await gateway.call('POST', '/auth/login', { email: person.email, password: 'Secreta123' });
    return { ...person, token: body.token };
  }
});

describe('invitations', { skip: needsDatabase }, () => {
  test('the secret works once, for the invited address only', async () => {
    const host = await gateway.signUp('nora');
    const guest = await gateway.signUp('olga');
    const stranger = await gateway.signUp('pablo');
    await gateway.audited();
    const path = `/workspaces/${host.workspace_id}/invitations`;
    const { body } = await as(host)('POST', path, { email: 'OLGA@example.org', role: 'editor' });
    assert.deepEqual(listed(await as(host)('GET', path), 'email'), ['OLGA@example.org']);
    assert.equal(JSON.stringify((await as(host)('GET', path)).body).includes(body.secret), false);
    const accept = (person: Person) => as(person)('POST', '/invitations/accept', { secret: body.secret });
    assert.equal((await accept(stranger)).status, 403);
    const twice = await Promise.all([accept(guest), accept(guest)]);
    assert.deepEqual(twice.map((reply) => reply.status).sort(), [200, 410]);
    assert.deepEqual(await gateway.audited(), ['invitation.created', 'invitation.accepted']);
    assert.deepEqual(listed(await as(host)('GET', `/workspaces/${host.workspace_id}/members`), 'username'), [
      'nora',
      'olga',
    ]);
    const again = await as(host)('POST', path, { email: guest.email, role: 'viewer' });
    assert.equal(again.status, 409);
    assert.equal(again.body.errors[0].field, 'email');
  });

  test('withdrawn, replaced and expired ones are 410', async () => {
    const own = await identityGateway({}, gateway.database);
    const host = await own.signUp('quim');
    const guest = await own.signUp('rosa');
    const call = (person: Person, method: string, url: string, body?: unknown) =>
      own.call(method, url, body, { token: person.token });
    const path = `/workspaces/${host.workspace_id}/invitations`;
    const invite = async () => (await call(host, 'POST', path, { email: guest.email, role: 'viewer' })).body;
    const accept = async (secret: string) => (await call(guest, 'POST', '/invitations/accept', { secret })).body.code;

    const replaced = await invite();
    const withdrawn = await invite();
    assert.equal((await call(host, 'DELETE', `${path}/${withdrawn.id}`)).status, 204);
    assert.equal((await call(host, 'DELETE', `${path}/${withdrawn.id}`)).status, 404);
    const expired = await invite();
    assert.equal(await accept(replaced.secret), 'invitation_invalid');
    assert.equal(await accept(withdrawn.secret), 'invitation_invalid');
    own.time.now = new Date(own.time.now.getTime() + 7 * 86_400_000);
    const late = (await own.call('POST', '/auth/login', { email: guest.email, password: 'Secreta123' })).body;
    const reply = await own.call('POST', '/invitations/accept', { secret: expired.secret }, { token: late.token });
    assert.equal(reply.body.code, 'invitation_invalid');
  });

  test('an API token invites only as an administrator of its own workspace, and accepts nothing', async () => {
    const host = await gateway.signUp('saul');
    const other = (await as(host)('POST', '/workspaces', { name: 'other' })).body;
    const make = async (scopes: string[]) => (await as(host)('POST', '/tokens', { name: 't', scopes })).body;
    const [admin, reader] = [await make(['admin']), await make(['files:read'])];
    const body = { email: 'tina@example.org', role: 'viewer' };
    const path = (id: string) => `/workspaces/${id}/invitations`;
    assert.equal((await as(admin)('POST', path(host.workspace_id), body)).status, 201);
    assert.equal((await as(reader)('POST', path(host.workspace_id), body)).status, 403);
    assert.equal((await as(admin)('POST', path(other.id), body)).status, 404);
    assert.equal((await as(reader)('POST', '/workspaces', { name: 'x' })).status, 403);
    assert.equal((await as(admin)('POST', '/invitations/accept', { secret: 'x' })).status, 403);
  });
});
