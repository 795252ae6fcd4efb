import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { toBinary } from '@bufbuild/protobuf';
import pino from 'pino';
import type { Principal } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import type { App } from '#platform/http/app.ts';
import { createServer } from '#platform/http/server.ts';
import { tracePlugin } from '#platform/observe/plugin.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory, testDiskStore } from '../../../test/support/object-store.ts';
import { spansExport } from '../../../test/support/telemetry.ts';
import { runSender, startTelemetryProcess } from '../../../test/support/telemetry-process.ts';
import { telemetryGateway } from './gateway.ts';
import { intakeAuthorizer, intakeRoutes } from './intake.route.ts';
import { logRoutes } from './logs.route.ts';
import { decodeExport } from './otlp/decode.ts';
import { ExportTraceServiceRequestSchema } from './otlp/generated/otlp_pb.ts';
import { telemetryRelations } from './relations.ts';
import { serviceRoutes } from './services.route.ts';
import { telemetryRoutes } from './telemetry.route.ts';

const SECRET = 'between us';
const INTERNAL = { 'x-caudal-internal': SECRET };

function person(workspace_id: string, operator = false, scopes = ['telemetry:read', 'telemetry:write']): Principal {
  return {
    kind: 'token',
    user_id: newId(),
    username: 'somebody',
    workspace_id,
    role: 'editor',
    scopes,
    operator,
    credential_id: newId(),
  };
}

const ALICE = newId();
const BOB = newId();
const PEOPLE: Record<string, Principal> = {
  alice: person(ALICE),
  bob: person(BOB),
  operator: person(newId(), true),
  reader: person(ALICE, false, ['telemetry:read']),
};
const as = (name: string) => ({ authorization: `Bearer ${name}` });

test('telemetry over processes', { skip: needsDatabase, timeout: 300_000 }, async (t) => {
  const database = await testDatabase();
  const root = await temporaryDirectory();
  const objects = await testDiskStore(database.db, { root: join(root, 'objects') });
  const process = await startTelemetryProcess({
    databaseUrl: database.url,
    directory: join(root, 'telemetry'),
    objects: join(root, 'objects'),
    internalSecret: SECRET,
    flushEveryMs: 3_600_000,
  });
  const gateway = telemetryGateway({ db: database.db, internalSecret: SECRET });
  const app = (await createServer({
    log: pino({ level: 'silent' }),
    db: database.db,
    version: '0.0.0',
    limits: { workspace: 1e6, anonymous: 1e6 },
    authenticate: async (request) => PEOPLE[request.headers.authorization?.slice(7) ?? ''] ?? null,
    trace: tracePlugin,
  })) as App;
  await app.register(intakeRoutes({ intake: gateway, authorizeIntake: intakeAuthorizer(SECRET) }));
  await app.register(telemetryRoutes({ reader: gateway }));
  await app.register(logRoutes({ reader: gateway }));
  await app.register(serviceRoutes({ reader: gateway }));
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const get = async (name: string, url: string) => {
    const response = await app.inject({ url, headers: as(name) });
    return { status: response.statusCode, body: response.json() };
  };

  await t.test('a trace over two processes: carrier, spans, logs, in the shape of the contract', async () => {
    const attributes = { 'caudal.workspace': ALICE };
    const carrier = await runSender({
      service: 'caudal-api',
      endpoint: process.origin,
      headers: INTERNAL,
      attributes,
    });
    const next = { service: 'caudal-worker', endpoint: origin, headers: INTERNAL, attributes, carrier };
    const continued = await runSender(next);
    const traceId = carrier['traceparent']?.split('-')[1] ?? '';
    assert.equal(continued['traceparent']?.split('-')[1], traceId);

    const { status, body } = await get('alice', `/telemetry/traces/${traceId}`);
    assert.equal(status, 200);
    assert.equal(body.trace_id, traceId);
    const by = (name: string) => body.spans.find((span: { name: string }) => span.name === name);
    const [api, worker] = [by('caudal-api work'), by('caudal-worker work')];
    assert.equal(body.spans.length, 4);
    assert.equal(api.parent_span_id, null);
    assert.equal(worker.parent_span_id, api.span_id);
    assert.equal(worker.links[0].span_id, api.span_id);
    assert.equal(worker.kind, 'consumer');
    assert.deepEqual(Object.keys(api).sort(), [
      'attributes',
      'duration_ns',
      'events',
      'instance',
      'kind',
      'links',
      'name',
      'parent_span_id',
      'service',
      'span_id',
      'start',
      'status',
      'status_message',
    ]);
    assert.equal(api.instance, 'caudal-api-1');
    assert.match(api.start, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    assert.deepEqual(
      body.logs.map((line: { body: string; span_id: string; attributes: { rows: number } }) => [
        line.body,
        line.attributes.rows,
      ]),
      [
        ['caudal-api did its step', 3],
        ['caudal-worker did its step', 3],
      ],
    );
    assert.equal((await get('bob', `/telemetry/traces/${traceId}`)).status, 404);
    assert.equal((await get('operator', `/telemetry/traces/${traceId}`)).status, 404);
  });

  await t.test('what carries no workspace is for the operator alone', async () => {
    const carrier = await runSender({ service: 'caudal-telemetry', endpoint: process.origin, headers: INTERNAL });
    const traceId = carrier['traceparent']?.split('-')[1];
    assert.equal((await get('operator', `/telemetry/traces/${traceId}`)).body.spans.length, 2);
    assert.equal((await get('alice', `/telemetry/traces/${traceId}`)).body.code, 'trace_not_found');
  });

  const post = (headers: Record<string, string>, payload: Buffer | string, signal = 'traces') =>
    app.inject({ method: 'POST', url: `/v1/${signal}`, headers, payload });
  const exported = (trace: string, more: object[] = []) =>
    Buffer.from(
      spansExport([{ trace, span: 'aaaaaaaaaaaaaaaa', name: 'by token', service: 'shop' }, ...(more as never[])]).body,
    );
  const json = { 'content-type': 'application/json' };
  const protobuf = { 'content-type': 'application/x-protobuf' };

  await t.test("anybody's program sends protobuf or JSON, gzip or not, and finds it at once", async () => {
    const bodies: [string, Record<string, string>, (body: Buffer) => Buffer][] = [
      ['1'.repeat(32), json, (body) => body],
      ['2'.repeat(32), { ...json, 'content-encoding': 'gzip' }, gzipSync],
      ['3'.repeat(32), protobuf, binaryOf],
      ['4'.repeat(32), { ...protobuf, 'content-encoding': 'gzip' }, (body) => gzipSync(binaryOf(body))],
    ];
    for (const [trace, headers, encode] of bodies) {
      const answer = await post({ ...as('alice'), ...headers }, encode(exported(trace)));
      assert.equal(answer.statusCode, 200, answer.body);
      assert.equal(answer.headers['content-type'], headers['content-type']);
      assert.equal(answer.body, headers['content-type'] === 'application/json' ? '{}' : '');
      const { body } = await get('alice', `/telemetry/traces/${trace}?at=2025-11-21T01:00:00Z`);
      assert.equal(body.spans[0].attributes['caudal.workspace'], undefined);
      assert.equal(body.spans[0].service, 'shop');
    }
  });

  await t.test('invalid items: partial success in the words of the request', async () => {
    const body = exported('5'.repeat(32), [{ trace: '0'.repeat(32), span: 'bbbbbbbbbbbbbbbb' }]);
    const answer = await post({ ...as('alice'), ...json }, body);
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.json().partialSuccess.rejectedSpans, '1');
    assert.match(answer.json().partialSuccess.errorMessage, /trace_id/);
  });

  await t.test('who may not send, and what is not OTLP', async () => {
    const good = exported('6'.repeat(32));
    const cases: [string, number, string, Promise<Awaited<ReturnType<typeof post>>>][] = [
      ['nobody', 401, 'unauthenticated', post(json, good)],
      ['a reader', 403, 'forbidden', post({ ...as('reader'), ...json }, good)],
      ['a wrong secret', 401, 'unauthenticated', post({ ...json, 'x-caudal-internal': 'guess' }, good)],
      ['truncated', 400, 'otlp_malformed', post({ ...as('alice'), ...protobuf }, binaryOf(good).subarray(0, -3))],
      [
        'half a gzip',
        400,
        'otlp_malformed',
        post({ ...as('alice'), ...json, 'content-encoding': 'gzip' }, gzipSync(good).subarray(0, -9)),
      ],
      ['brotli', 415, 'unsupported_media_type', post({ ...as('alice'), ...json, 'content-encoding': 'br' }, good)],
      ['text', 415, 'unsupported_media_type', post({ ...as('alice'), 'content-type': 'text/plain' }, 'x')],
      [
        'a bomb',
        413,
        'payload_too_large',
        post({ ...as('alice'), ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(70 << 20))),
      ],
      ['a forged workspace', 401, 'unauthenticated', post({ ...json, 'x-caudal-workspace': ALICE }, good)],
    ];
    for (const [name, status, code, pending] of cases) {
      const answer = await pending;
      assert.deepEqual([answer.statusCode, answer.json().code], [status, code], name);
    }
    assert.equal((await get('alice', `/telemetry/traces/${'6'.repeat(32)}`)).status, 404);
  });

  await t.test('search', async () => {
    const day = 1_700_000_000_000_000_000n;
    const spans = Array.from({ length: 5 }, (_, index) => ({
      trace: String(index + 1)
        .repeat(2)
        .padStart(32, 'ab'),
      span: 'aaaaaaaaaaaaaaaa',
      name: index % 2 === 0 ? 'checkout' : 'browse',
      service: 'searched',
      start: day + BigInt(index) * 1_000_000_000n,
      ms: (index + 1) * 10,
      error: index === 3,
      attributes: { 'order/id~': index, shop: "o'hara" },
    }));
    await gateway.accept(spansExport(spans), { kind: 'workspace', workspace_id: ALICE });
    const search = async (query: string, who = 'alice') => {
      const { status, body } = await get(who, `/telemetry/traces?service=searched&${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body.items.map((item: { trace_id: string }) => spans.findIndex((span) => span.trace === item.trace_id));
    };
    assert.deepEqual(await search(''), [4, 3, 2, 1, 0]);
    assert.deepEqual(await search('', 'bob'), []);
    assert.deepEqual(await search('operation=browse'), [3, 1]);
    assert.deepEqual(await search('status=error'), [3]);
    assert.deepEqual(await search('min_duration_ms=30&max_duration_ms=40'), [3, 2]);
    assert.deepEqual(await search("attribute=order/id~%3D2&attribute=shop%3Do'hara"), [2]);
    assert.deepEqual(await search('from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:23Z'), [3, 2]);
    const first = await get('alice', '/telemetry/traces?service=searched&limit=2');
    assert.deepEqual(await search(`limit=2&cursor=${first.body.next_cursor}`), [2, 1]);
    const last = await get('alice', '/telemetry/traces?service=searched&limit=5');
    assert.equal(last.body.next_cursor, null);
    assert.deepEqual(first.body.items[0], {
      trace_id: spans[4]?.trace,
      root_service: 'searched',
      root_name: 'checkout',
      start: '2023-11-14T22:13:24.000000000Z',
      duration_ns: 50_000_000,
      spans: 1,
      errors: 0,
      services: ['searched'],
    });
    assert.equal((await get('alice', '/telemetry/traces?cursor=x')).body.code, 'bad_cursor');
    assert.equal((await get('alice', '/telemetry/traces?from=yesterday')).body.errors[0].field, 'from');
    assert.equal((await get('alice', '/telemetry/traces?attribute=x')).status, 422);
  });

  await t.test('logs: by text, service, severity, trace, page by page', async () => {
    const all = await get('alice', '/telemetry/logs?query=DID%20ITS');
    assert.deepEqual(
      all.body.items.map((line: { service: string }) => line.service),
      ['caudal-worker', 'caudal-api'],
    );
    const { trace_id } = all.body.items[0];
    const count = async (query: string) => (await get('alice', `/telemetry/logs?${query}`)).body.items.length;
    assert.equal(await count(`trace_id=${trace_id}&severity=info&service=caudal-api`), 1);
    assert.equal(await count(`trace_id=${trace_id}&severity=warn,error`), 0);
    assert.equal(await count('query=%25'), 0);
    const first = await get('alice', '/telemetry/logs?limit=1');
    const second = await get('alice', `/telemetry/logs?limit=1&cursor=${first.body.next_cursor}`);
    assert.deepEqual(
      [...first.body.items, ...second.body.items].map((line: { service: string }) => line.service),
      ['caudal-worker', 'caudal-api'],
    );
    assert.equal(second.body.next_cursor, null);
    assert.equal((await get('alice', '/telemetry/logs?severity=loud')).status, 422);
  });

  await t.test('lines as facets, over time, and by pattern', async () => {
    const lines = Array.from({ length: 12 }, (_, index) => ({
      timeUnixNano: String(1_700_000_000_000_000_000n + BigInt(index) * 10_000_000_000n),
      severityNumber: index < 10 ? 9 : 17,
      body: { stringValue: index < 10 ? `order ${index} of "c${index}" took ${index}.5 ms` : 'payment refused' },
    }));
    const scopeLogs = [{ logRecords: lines }];
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'lined' } }] };
    const body = Buffer.from(JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }));
    assert.equal((await post({ ...as('alice'), ...json }, body, 'logs')).statusCode, 200);
    const range = 'service=lined&from=2023-11-14T22:13:20Z&to=2023-11-14T22:15:20Z';
    const facets = (await get('alice', `/telemetry/logs/facets?${range}`)).body;
    assert.deepEqual(facets.severity, [
      { value: 'info', count: 10 },
      { value: 'error', count: 2 },
    ]);
    assert.deepEqual(facets.service, [{ value: 'lined', count: 12 }]);
    const histogram = (await get('alice', `/telemetry/logs/histogram?${range}&parts=2`)).body;
    assert.equal(histogram.step_ms, 60_000);
    assert.deepEqual(
      histogram.items.map(({ counts }: { counts: object }) => counts),
      [{ info: 4 }, { info: 6 }, { error: 2 }],
    );
    const patterns = (await get('alice', `/telemetry/logs/patterns?${range}`)).body.items;
    assert.deepEqual(
      patterns.map((each: { pattern: string; count: number; severity: string }) => [
        each.pattern,
        each.count,
        each.severity,
      ]),
      [
        ['order <n> of <text> took <n> ms', 10, 'info'],
        ['payment refused', 2, 'error'],
      ],
    );
    assert.deepEqual((await get('bob', `/telemetry/logs/patterns?${range}`)).body.items, []);
  });

  await t.test('services, who calls whom, and one service by operation', async () => {
    const at = 1_700_000_000_000_000_000n;
    const calls = Array.from({ length: 20 }, (_, index) => {
      const trace = `${String(index).padStart(2, '0')}${'e'.repeat(30)}`;
      const start = at + BigInt(index) * 1_000_000_000n;
      return [
        { trace, span: 'aaaaaaaaaaaaaaaa', service: 'front', name: 'GET /', start, ms: 40 },
        {
          ...{
            trace,
            span: 'bbbbbbbbbbbbbbbb',
            parent: 'aaaaaaaaaaaaaaaa',
            service: 'back',
            name: 'GET /stock',
            start,
          },
          ...{ ms: 20, kind: 2, error: index % 4 === 0 },
        },
      ];
    }).flat();
    await gateway.accept(spansExport(calls), { kind: 'workspace', workspace_id: ALICE });
    const range = 'from=2023-11-14T22:13:00Z&to=2023-11-14T22:15:00Z';
    const { items, edges } = (await get('alice', `/telemetry/services?${range}`)).body;
    const back = items.find(({ service }: { service: string }) => service === 'back');
    assert.equal(items[0], back, 'most failing first');
    assert.deepEqual([back.requests, back.errors, back.error_ratio, back.rate], [20, 5, 0.25, 20 / 120]);
    assert.ok(Math.abs(back.p95_ms - 20) < 1.9, `${back.p95_ms}`);
    const edge = edges.find(({ to_service }: { to_service: string }) => to_service === 'back');
    assert.deepEqual([edge.from_service, edge.calls, edge.errors], ['front', 20, 5]);
    const one = (await get('alice', `/telemetry/services/back?${range}`)).body;
    assert.deepEqual(
      one.operations.map((each: { name: string; kind: string; requests: number }) => [
        each.name,
        each.kind,
        each.requests,
      ]),
      [['GET /stock', 'server', 20]],
    );
    assert.equal(one.points.length, 1);
    assert.equal((await get('bob', `/telemetry/services/back?${range}`)).status, 404);
  });

  await t.test('telemetry as SQL: flushed first, and only the own segments', async () => {
    const relations = telemetryRelations({ db: database.db, objects, reader: gateway });
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create();
    t.after(() => instance.closeSync());
    const services = async (principal: Principal | undefined) => {
      assert.ok(principal);
      const [spans, ...rest] = await relations(principal, ['spans', 'titanic', 'spans']);
      assert.ok(spans);
      assert.equal(rest.length, 0);
      const connection = await instance.connect();
      const found = await connection.runAndReadAll(`SELECT DISTINCT service FROM (${spans.select_sql}) ORDER BY 1`);
      await spans.release();
      connection.closeSync();
      return found.getRows().flat();
    };
    assert.deepEqual(await services(PEOPLE['alice']), [
      'back',
      'caudal-api',
      'caudal-worker',
      'front',
      'searched',
      'shop',
    ]);
    assert.deepEqual(await services(PEOPLE['bob']), []);
    assert.deepEqual(await services(PEOPLE['operator']), ['caudal-telemetry']);
    await assert.rejects(services(person(ALICE, false, ['datasets:read'])), { code: 'forbidden' });
  });

  await t.test('without a telemetry process: 503 and when to come back', async () => {
    await process.stop();
    const answer = await post({ ...as('alice'), ...json }, exported('7'.repeat(32)));
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal((await get('alice', `/telemetry/traces/${'1'.repeat(32)}`)).status, 503);
  });
});

function binaryOf(body: Buffer): Buffer {
  return Buffer.from(toBinary(ExportTraceServiceRequestSchema, decodeExport('traces', 'json', body)));
}
