import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { context, trace } from '@opentelemetry/api';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import fastify from 'fastify';
import type { App } from '#platform/http/app.ts';
import { createLogger } from './log.ts';
import { tracePlugin } from './plugin.ts';
import { startTelemetry } from './sdk.ts';
import { contextOf, currentCarrier, currentTraceId, withSpan } from './tracing.ts';

const WORKSPACE = '019a0000-0000-7000-8000-000000000001';
const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** The SDK with exporters in memory, and an application with the plugin; both end with the test. */
function setUp(t: test.TestContext) {
  const spans = new InMemorySpanExporter();
  const records = new InMemoryLogRecordExporter();
  const telemetry = startTelemetry({
    service: 'caudal-test',
    instance: 'i1',
    exporters: { spans, logs: records },
    env: {},
  });
  const app = fastify() as unknown as App;
  app.decorateRequest('principal', null);
  tracePlugin(app);
  app.addHook('onRequest', async (request) => {
    if (request.headers.authorization) request.principal = { workspace_id: WORKSPACE } as never;
  });
  t.after(async () => {
    await app.close();
    await telemetry.shutdown();
  });
  const ended = async () => {
    await telemetry.flush();
    return spans.getFinishedSpans();
  };
  return { app, ended, records, telemetry };
}

test('a request continues the incoming trace, also when it says it is not sampled', async (t) => {
  const { app, ended } = setUp(t);
  app.get('/files/:id', async () => ({ trace_id: currentTraceId() }));
  const response = await app.inject({
    url: '/files/7?signature=secret',
    headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-00` },
  });
  assert.equal(response.json().trace_id, TRACE);
  assert.equal(response.headers['x-trace-id'], TRACE);
  const [span] = await ended();
  assert.equal(span?.name, 'GET /files/:id');
  assert.equal(span?.parentSpanContext?.spanId, 'b7ad6b7169203331');
  assert.equal(span?.attributes['http.route'], '/files/:id');
  assert.equal(span?.attributes['http.response.status_code'], 200);
  assert.doesNotMatch(JSON.stringify(span?.attributes), /secret/);
});

test('the way in of a one-time link is not in its span', async (t) => {
  const { app, ended } = setUp(t);
  app.get('/auth/link/:secret', async () => 'in');
  await app.inject({ url: '/auth/link/a-way-in' });
  const [span] = await ended();
  assert.equal(span?.attributes['url.path'], '/auth/link/:secret');
  assert.doesNotMatch(JSON.stringify(span?.attributes), /a-way-in/);
});

test('the context survives reading a body from a slow socket', async (t) => {
  const { app, ended } = setUp(t);
  app.post('/rows', async (request) => {
    await withSpan('write', {}, async () => undefined);
    return { trace_id: currentTraceId(), got: request.body };
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = app.server.address();
  assert.ok(address && typeof address === 'object');
  const socket = connect(address.port, '127.0.0.1');
  socket.write(`POST /rows HTTP/1.1\r\nHost: x\r\ntraceparent: 00-${TRACE}-b7ad6b7169203331-01\r\n`);
  socket.write('Content-Type: application/json\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{"a"');
  await once(app.server, 'request').catch(() => undefined);
  setImmediate(() => socket.write(':1}'));
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  assert.match(answer, new RegExp(`"trace_id":"${TRACE}"`));
  const write = (await ended()).find((span) => span.name === 'write');
  assert.equal(write?.spanContext().traceId, TRACE);
});

test('a span and a log line belong to the workspace of the request', async (t) => {
  const { app, ended, records } = setUp(t);
  const lines: string[] = [];
  const log = createLogger({
    level: 'info',
    service: 'caudal-test',
    instance: 'i1',
    destination: { write: (line) => lines.push(line) },
  });
  app.get('/x', async () =>
    withSpan('inner', {}, async () => {
      log.info({ rows: 3, password: 'hunter2' }, 'loaded');
      return 'ok';
    }),
  );
  const response = await app.inject({ url: '/x', headers: { authorization: 'Bearer x' } });
  const spans = await ended();
  assert.deepEqual(
    spans.map((span) => [span.name, span.attributes['caudal.workspace']]),
    [
      ['inner', WORKSPACE],
      ['GET /x', WORKSPACE],
    ],
  );
  const [record] = records.getFinishedLogRecords();
  assert.equal(record?.body, 'loaded');
  assert.equal(record?.attributes['rows'], 3);
  assert.equal(record?.attributes['caudal.workspace'], WORKSPACE);
  assert.equal(record?.attributes['password'], '[redacted]');
  assert.equal(record?.spanContext?.traceId, response.headers['x-trace-id']);
  const line = JSON.parse(lines[0] ?? '{}');
  assert.equal(line.trace_id, response.headers['x-trace-id']);
  assert.equal(line.span_id, spans[0]?.spanContext().spanId);
});

test('an untraced route records nothing, nor does what it calls; it still has a trace id', async (t) => {
  const { app, ended, records } = setUp(t);
  const log = createLogger({ level: 'info', service: 's', instance: 'i', destination: { write: () => undefined } });
  app.post('/v1/traces', { config: { untraced: true } }, async () =>
    withSpan('inner', {}, async () => {
      log.info('an export came');
      return 'ok';
    }),
  );
  const response = await app.inject({ method: 'POST', url: '/v1/traces', payload: { a: 1 } });
  assert.match(String(response.headers['x-trace-id']), /^[0-9a-f]{32}$/);
  assert.deepEqual(await ended(), []);
  assert.deepEqual(records.getFinishedLogRecords(), []);
});

test('an error answer leaves its code on the span; only faults of ours fail it', async (t) => {
  const { app, ended } = setUp(t);
  app.get('/:status', async (request, reply) => {
    const { status } = request.params as { status: string };
    return reply
      .status(Number(status))
      .type('application/problem+json; charset=utf-8')
      .send(JSON.stringify({ code: `code_${status}`, detail: 'why' }));
  });
  await app.inject({ url: '/404' });
  await app.inject({ url: '/503' });
  const spans = await ended();
  assert.deepEqual(
    spans.map((span) => [span.attributes['error.type'], span.status.code]),
    [
      ['code_404', 0],
      ['code_503', 2],
    ],
  );
});

test('a stored carrier is continued: parent and link', async (t) => {
  const { ended } = setUp(t);
  const carrier = await withSpan('sign', {}, async () => currentCarrier());
  await withSpan('process load', { carrier }, async () => undefined);
  const [sign, processed] = await ended();
  assert.equal(processed?.spanContext().traceId, sign?.spanContext().traceId);
  assert.equal(processed?.parentSpanContext?.spanId, sign?.spanContext().spanId);
  assert.equal(processed?.links[0]?.context.spanId, sign?.spanContext().spanId);
  assert.equal(trace.getSpanContext(contextOf(carrier))?.isRemote, true);
});

test('after shutdown OpenTelemetry is silent and can be started again', async (t) => {
  const first = setUp(t);
  await first.telemetry.shutdown();
  assert.equal(await withSpan('nothing', {}, async () => currentTraceId()), null);
  assert.equal(trace.getSpan(context.active()), undefined);
  const second = setUp(t);
  await withSpan('again', {}, async () => undefined);
  assert.equal((await second.ended()).length, 1);
});
