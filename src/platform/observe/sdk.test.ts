import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { startTelemetry } from './sdk.ts';
import { currentTraceId, withSpan } from './tracing.ts';

/** A server that answers everything with 200 and remembers what came. */
async function listen(t: test.TestContext) {
  const seen: { url: string; headers: NodeJS.Dict<string | string[]>; body: Buffer }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('exports are protobuf, gzipped, and carry the given headers', async (t) => {
  const { seen, origin } = await listen(t);
  const headers = { 'x-caudal-internal': 'secret' };
  const telemetry = startTelemetry({ service: 'caudal-api', instance: 'i1', endpoint: `${origin}/`, headers, env: {} });
  t.after(() => telemetry.shutdown());
  await withSpan('work', {}, async () => undefined);
  await telemetry.flush();
  const [request] = seen;
  assert.equal(request?.url, '/v1/traces');
  assert.equal(request?.headers['content-type'], 'application/x-protobuf');
  assert.equal(request?.headers['content-encoding'], 'gzip');
  assert.equal(request?.headers['x-caudal-internal'], 'secret');
  const body = gunzipSync(request?.body ?? Buffer.alloc(0)).toString('latin1');
  for (const text of ['service.name', 'caudal-api', 'service.instance.id', 'i1', 'service.namespace', 'work']) {
    assert.ok(body.includes(text), text);
  }
});

test('outgoing requests of a span are spans of it, carry its context, and show no query', async (t) => {
  const { seen, origin } = await listen(t);
  const spans = new InMemorySpanExporter();
  const telemetry = startTelemetry({ service: 's', instance: 'i', exporters: { spans, logs: null }, env: {} });
  t.after(() => telemetry.shutdown());
  await (await fetch(`${origin}/alone`)).arrayBuffer();
  const traceId = await withSpan('work', {}, async () => {
    await (await fetch(`${origin}/file?signature=abc`)).arrayBuffer();
    return currentTraceId();
  });
  await telemetry.flush();
  const [outgoing, work] = spans.getFinishedSpans();
  assert.equal(spans.getFinishedSpans().length, 2);
  assert.equal(outgoing?.parentSpanContext?.spanId, work?.spanContext().spanId);
  assert.equal(outgoing?.attributes['url.full'], `${origin}/file`);
  assert.doesNotMatch(JSON.stringify(outgoing?.attributes), /signature/);
  assert.equal(seen[0]?.headers['traceparent'], undefined);
  assert.equal(seen[1]?.headers['traceparent'], `00-${traceId}-${outgoing?.spanContext().spanId}-01`);
});

test('without an intake the work goes on, memory is bounded, and it is said once', async (t) => {
  const problems: string[] = [];
  const telemetry = startTelemetry({
    service: 's',
    instance: 'i',
    // Refused for good, as with a wrong token: what is retried would keep this test waiting.
    exporters: {
      spans: {
        export: (_, done) => done({ code: 1, error: Object.assign(new Error('no'), { code: 401 }) }),
        shutdown: () => Promise.resolve(),
        forceFlush: () => Promise.resolve(),
      },
      logs: null,
    },
    onProblem: (message) => problems.push(message),
    env: { OTEL_BSP_MAX_QUEUE_SIZE: '100', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50' },
  });
  t.after(() => telemetry.shutdown());
  for (let index = 0; index < 1000; index += 1) await withSpan('work', {}, async () => undefined);
  await telemetry.flush();
  assert.equal(problems.length, 1);
});

test('switched off by the standard variable, nothing is set up', async () => {
  const telemetry = startTelemetry({ service: 's', instance: 'i', env: { OTEL_SDK_DISABLED: 'true' } });
  assert.equal(await withSpan('work', {}, async () => currentTraceId()), null);
  await telemetry.flush();
  await telemetry.shutdown();
});
