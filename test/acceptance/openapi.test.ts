import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SCOPES } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import { type Schema, sampleOf } from '../../src/cli/postman/sample.ts';
import { startCaudal } from './caudal.ts';
import { type Answer, type CallOptions, createClient, problemCode, signUp, tokenWith } from './client.ts';
import { numbersCsv } from './numbers.ts';
import { type Call, callsOf, type OpenApi } from './openapi-document.ts';

const caudal = await startCaudal({ CAUDAL_RATE_LIMIT_ANONYMOUS: '1000/s' });
const operator = createClient(caudal.url, caudal.admin.token);
const document: OpenApi = await operator.get('/openapi.json');
const calls = callsOf(document);
const nameOf = ({ method, path }: Call) => `${method} ${path}`;

/** What the workspace of the operator holds: nobody else may see any of it. */
async function furnish() {
  const bad = `${numbersCsv(20)}21,Pasto,1,2026-01-10,"x",too,many\n`;
  const file = await operator.load('secret.csv', bad, { dataset: 'secret' });
  assert.equal(file.state, 'loaded', JSON.stringify(file.error));
  const upload = await operator.call('POST', '/uploads', { body: { filename: 'open.csv', size: 5 } });
  const token = await operator.call('POST', '/tokens', { body: { name: 'theirs', scopes: ['files:read'] } });
  const me = await operator.get('/auth/me');
  const invitation = await operator.call('POST', `/workspaces/${me.workspace_id}/invitations`, {
    body: { email: 'friend@example.com', role: 'viewer' },
  });
  const body = { dataset: 'hushed' };
  const subscription = await operator.call('POST', '/topics/secret/subscriptions', { body });
  assert.equal(subscription.status, 201, subscription.text);
  const webhook = { url: 'https://example.com/hook', secret: 'known to two, not to three' };
  const webhooks = await operator.call('POST', '/topics/secret/subscriptions', { body: { webhook } });
  assert.equal(webhooks.status, 201, webhooks.text);
  return {
    subscription_id: subscription.body.id,
    webhook_id: webhooks.body.id,
    file_id: file.id,
    upload_id: upload.body.upload_id,
    task_id: file.task_id ?? '',
    trace_id: file.trace_id ?? '',
    token_id: token.body.id,
    workspace_id: me.workspace_id,
    user_id: me.id ?? me.user_id,
    invitation_id: invitation.body.id,
  };
}

const things = await furnish();
const stranger = await signUp(operator, 'stranger');

describe('the OpenAPI document', () => {
  test('is 3.1 and covers the contract', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.ok(document.info.title && document.info.version);
    assert.ok(calls.length > 50, `${calls.length} operations`);
    for (const path of ['/uploads', '/files/{id}', '/datasets/{name}/rows', '/sql', '/tasks', '/auth/login']) {
      assert.ok(document.paths[path], path);
    }
  });

  test('every operation has a summary, tags, a unique id, documented answers and errors', () => {
    const ids = calls.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length, 'ids are unique');
    const wrong = calls.flatMap((call) => {
      const { operationId, summary, tags, responses = {} } = call.operation;
      const problem = responses['default']?.$ref;
      const answers = Object.keys(responses).filter((status) => /^[1-5](\d\d|XX)$/.test(status));
      const known = problem === '#/components/responses/Problem' && /^[A-Za-z0-9_]+$/.test(operationId ?? '');
      return summary && tags?.length && known && answers.length > 0 ? [] : [nameOf(call)];
    });
    assert.deepEqual(wrong, []);
    const content = document.components.responses['Problem']?.content ?? {};
    assert.deepEqual(Object.keys(content), ['application/problem+json']);
  });

  test('path parameters are declared, required, and nothing else is', () => {
    for (const call of calls) {
      const inPath = [...call.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]).sort();
      const declared = (call.operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      assert.deepEqual(declared.map(({ name }) => name).sort(), inPath, nameOf(call));
      assert.ok(
        declared.every(({ required }) => required === true),
        nameOf(call),
      );
    }
  });

  test('every schema is JSON Schema 2020-12: known types, references that lead somewhere', () => {
    const TYPES = ['object', 'array', 'string', 'integer', 'number', 'boolean', 'null'];
    let seen = 0;
    const walk = (value: unknown, at: string): void => {
      if (Array.isArray(value)) {
        for (const [index, each] of value.entries()) walk(each, `${at}/${index}`);
        return;
      }
      if (typeof value !== 'object' || value === null) return;
      const schema = value as Schema & { nullable?: unknown };
      if (typeof schema.$ref === 'string') {
        const target = schema.$ref
          .slice(2)
          .split('/')
          .reduce<unknown>((here, step) => (here as Record<string, unknown> | undefined)?.[step], document);
        assert.ok(target, `${at}: ${schema.$ref}`);
      }
      assert.notEqual(typeof schema.nullable, 'boolean', `${at}: nullable is OpenAPI 3.0`);
      if (typeof schema.type === 'string' && ('properties' in schema || 'items' in schema || 'enum' in schema)) {
        seen += 1;
        assert.ok(TYPES.includes(schema.type), `${at}: ${schema.type}`);
      }
      for (const [key, each] of Object.entries(value)) walk(each, `${at}/${key}`);
    };
    walk(document, '#');
    assert.ok(seen > 100, `${seen} schemas were looked at`);
  });
});

/** What stands for a path parameter: of the operator's own things where there is one. */
const REAL: [path: RegExp, value: string][] = [
  [/^\/uploads\/\{id\}/, things.upload_id],
  [/^\/files\/\{id\}/, things.file_id],
  [/^\/tasks\/\{id\}/, things.task_id],
  [/^\/tokens\/\{id\}/, things.token_id],
  [/^\/workspaces\/\{id\}/, things.workspace_id],
  [/^\/topics\/\{topic\}\/subscriptions\/\{id\}\/de(liveries|ad-letters)/, things.webhook_id],
  [/^\/topics\/\{topic\}\/subscriptions\/\{id\}/, things.subscription_id],
];
const BY_NAME: Record<string, string> = {
  name: 'secret',
  topic: 'secret',
  trace_id: things.trace_id,
  user_id: things.user_id,
  invitation_id: things.invitation_id,
};

/** Bodies that the least sample of a schema is not enough for. */
const BODIES: Record<string, unknown> = {
  'POST /datasets/{name}/load': { file_id: things.file_id },
  'POST /datasets/{name}/quarantine/replay': { all: true },
  'POST /uploads/{id}/complete': { parts: [] },
  'PATCH /datasets/{name}': { description: 'taken over' },
  'PATCH /workspaces/{id}': { name: 'taken over' },
  'POST /topics/{topic}/events': { name: 'x' },
  'POST /topics/{topic}/subscriptions/{id}/replay': { from: '2026-01-01T00:00:00Z' },
  'POST /topics/{topic}/subscriptions': { dataset: 'taken' },
};
/** A topic comes into being on first use: so it would be the other workspace's own, under the same name. */
const MAKES_ITS_OWN = ['POST /topics/{topic}/events', 'POST /topics/{topic}/subscriptions'];
for (const suffix of ['', '.json', '.ndjson', '.csv', '.parquet', '.xlsx']) {
  BODIES[`POST /sql${suffix}`] = { query: 'SELECT * FROM secret' };
}

/** A tail goes on for ever; one with an end is refused. */
const QUERIES: Record<string, string> = { 'GET /telemetry/logs/tail': '?to=2026-01-01T00:00:00Z' };

function requestOf(call: Call, value: (name: string) => string): { path: string; options: CallOptions } {
  const filled = call.path.replace(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(value(name)));
  const path = filled + (QUERIES[nameOf(call)] ?? '');
  const schema = Object.values(call.operation.requestBody?.content ?? {})[0]?.schema;
  // No schema, or one that says nothing: no body.
  const body = BODIES[nameOf(call)] ?? sampleOf(schema) ?? undefined;
  return { path, options: body === undefined ? {} : { body } };
}

const real = (call: Call) => (name: string) =>
  BY_NAME[name] ?? REAL.find(([path]) => path.test(call.path))?.[1] ?? newId();

function ask(call: Call, token: string | null, value: (name: string) => string): Promise<Answer> {
  const { path, options } = requestOf(call, value);
  return operator.call(call.method, path, { ...options, token, signal: AbortSignal.timeout(120_000) });
}

const kindOf = ({ operation }: Call) => operation['x-caudal-access']?.kind;
/** Event streams answer for as long as the task lives; ours have ended. */
const guarded = calls.filter((call) => kindOf(call) === 'scope' || kindOf(call) === 'authenticated');
const scoped = calls.filter((call) => kindOf(call) === 'scope');
const REQUIRED = calls.filter((call) => call.path.startsWith('/v1/'));

describe('who may call what', () => {
  test('every operation says it', () => {
    assert.deepEqual(calls.filter((call) => !kindOf(call)).map(nameOf), []);
    assert.ok(guarded.length > 40, `${guarded.length} guarded operations`);
    const PUBLIC = calls.filter((call) => kindOf(call) === 'public').map(nameOf);
    assert.deepEqual(PUBLIC.sort(), [
      'GET /auth/link/{secret}',
      'GET /forms/{slug}',
      'GET /forms/{slug}/receipt',
      'GET /healthz',
      'GET /livez',
      'GET /metrics',
      'GET /metrics/targets',
      'GET /readyz',
      'POST /auth/login',
      'POST /auth/password/reset',
      'POST /auth/password/reset/confirm',
      'POST /auth/signup',
      'POST /auth/validate',
      'POST /forms/{slug}',
    ]);
  });

  for (const call of calls) {
    const kind = kindOf(call);
    test(`nobody: ${nameOf(call)}`, async () => {
      const answer = await ask(call, null, real(call));
      assert.ok(answer.status < 500 || answer.body.code === 'mail_unavailable', answer.text);
      if (kind === 'scope' || kind === 'authenticated' || call.path.startsWith('/v1/')) {
        assert.equal(answer.status, 401, answer.text);
        problemCode(answer);
      } else if (kind === 'signed') assert.ok([403, 404, 422].includes(answer.status), `${answer.status}`);
    });
  }

  for (const call of guarded) {
    test(`another workspace: ${nameOf(call)}`, async () => {
      if (/^\/auth\/(logout|switch|password)/.test(call.path)) return;
      // Publishing makes an endpoint in the caller's own workspace.
      if (nameOf(call) === 'PUT /endpoints/{name}') return;
      const makes = MAKES_ITS_OWN.includes(nameOf(call));
      const answer = await ask(call, stranger.token, makes ? () => 'own' : real(call));
      const leaked = Object.values(things).filter((id) => id && answer.text.includes(id));
      const echoed = new Set([real(call)('id'), real(call)('user_id'), real(call)('trace_id'), ...requestIds(call)]);
      assert.deepEqual(
        leaked.filter((id) => answer.status < 300 || !echoed.has(id)),
        [],
        answer.text,
      );
      if (makes) assert.ok(answer.status < 300, answer.text);
      else if (call.path.includes('{')) {
        assert.equal(answer.status, 404, answer.text);
        problemCode(answer);
      } else if (call.path.startsWith('/sql')) assert.equal(answer.status, 422, answer.text);
      else assert.ok(answer.status < 500, answer.text);
    });
  }

  for (const call of scoped) {
    const { scope = '', named, some } = call.operation['x-caudal-access'] ?? {};
    test(`too small a scope: ${nameOf(call)}`, async () => {
      const others = SCOPES.filter((each) => each !== scope && each !== 'admin');
      const token = await tokenWith(operator, others);
      const answer = await ask(call, token, real(call));
      assert.equal(answer.status, 403, answer.text);
      assert.equal(problemCode(answer), 'forbidden');
      if (!named) return;
      const elsewhere = await tokenWith(operator, [`${scope}:other`]);
      assert.equal((await ask(call, elsewhere, real(call))).status, 403);
    });

    test(`the right scope: ${nameOf(call)}`, async () => {
      const destructive = call.method !== 'GET' && call.method !== 'HEAD';
      const scopes = [[scope]];
      if (named) scopes.push([`${scope}:${destructive ? 'missing' : 'secret'}`]);
      if (some) scopes.push([`${scope}:secret`]);
      for (const each of scopes) {
        const token = await tokenWith(operator, each);
        const missing = (name: string) => (name === (named ?? 'name') ? 'missing' : newId());
        const answer = await ask(call, token, destructive ? missing : real(call));
        assert.ok(
          ![401, 403].includes(answer.status) && answer.status < 500,
          `${each}: ${answer.status} ${answer.text}`,
        );
      }
    });
  }

  for (const call of REQUIRED) {
    test(`telemetry of others: ${nameOf(call)}`, async () => {
      const small = await tokenWith(operator, ['telemetry:read']);
      assert.equal((await ask(call, small, real(call))).status, 403);
      const right = await tokenWith(operator, ['telemetry:write']);
      const answer = await operator.call(call.method, call.path, { token: right, body: {} });
      assert.ok(answer.status < 500 && ![401, 403].includes(answer.status), answer.text);
    });
  }

  test('a token cannot give more than it has, nor see a dataset beside its own', async () => {
    const small = createClient(caudal.url, await tokenWith(operator, ['datasets:read:other']));
    const more = await small.call('POST', '/tokens', { body: { name: 'more', scopes: ['admin'] } });
    assert.equal(more.status, 403, more.text);
    assert.deepEqual((await small.get('/datasets')).items, []);
    const query = await small.call('POST', '/sql', { body: { query: 'SELECT * FROM secret' } });
    assert.equal(query.status, 422, query.text);
  });

  test('after all of it the operator still has everything', async () => {
    assert.deepEqual(await operator.sql('SELECT count(*) AS n FROM secret'), [{ n: 20 }]);
    assert.equal((await operator.get(`/files/${things.file_id}`)).state, 'loaded');
    assert.equal((await operator.get(`/uploads/${things.upload_id}`)).state, 'open');
    assert.equal((await operator.get('/datasets/secret')).description, null);
  });
});

/** Ids that the request itself carries: a 404 may name what it was asked for. */
function requestIds(call: Call): string[] {
  return Object.values(things).filter((id) => JSON.stringify(requestOf(call, real(call))).includes(id));
}
