import { randomFillSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { ExportTraceServiceRequestSchema, type Span } from '../../src/features/telemetry/otlp/generated/otlp_pb.ts';
import { answer } from './child.ts';

/** Sends spans as an SDK does: protobuf, gzip, a few exports at a time, again after a 503. */
export interface Spans {
  url: string;
  token: string;
  batch: number;
  connections: number;
  ms: number;
}

export interface SpansResult {
  /** Acknowledged. */
  spans: number;
  per_second: number;
  /** Of one export, compressed and not. */
  sent_bytes: number;
  unpacked_bytes: number;
  /** Exports that were told to come later. */
  refused: number;
}

const compress = promisify(gzip);
const SPANS_PER_TRACE = 10;
const NOT_NOW = 503;

answer<Spans, SpansResult>(async ({ url, token, batch, connections, ms }) => {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/x-protobuf',
    'content-encoding': 'gzip',
  };
  const result: SpansResult = { spans: 0, per_second: 0, sent_bytes: 0, unpacked_bytes: 0, refused: 0 };
  const began = performance.now();
  const until = began + ms;
  const sender = async (): Promise<void> => {
    const next = exporter(batch);
    while (performance.now() < until) {
      const unpacked = next();
      const body = await compress(unpacked);
      Object.assign(result, { sent_bytes: body.length, unpacked_bytes: unpacked.length });
      for (let stored = false; !stored && performance.now() < until; ) {
        const answered = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body });
        await answered.arrayBuffer();
        if (!answered.ok && answered.status !== NOT_NOW) throw new Error(`intake: ${answered.status}`);
        stored = answered.ok;
        if (stored) result.spans += batch;
        else {
          result.refused += 1;
          await delay(100);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, sender));
  return { ...result, per_second: result.spans / ((performance.now() - began) / 1000) };
});

const text = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } });

/** The same message with new ids and times each time. */
function exporter(batch: number): () => Uint8Array {
  const resource = { attributes: [text('service.name', 'shop'), text('service.instance.id', 'one')] };
  const spans = Array.from({ length: batch }, (_, index) => ({
    traceId: new Uint8Array(16),
    spanId: new Uint8Array(8),
    parentSpanId: new Uint8Array(index % SPANS_PER_TRACE === 0 ? 0 : 8),
    name: `operation ${index % 40}`,
    kind: 2,
    attributes: [
      text('http.request.method', 'GET'),
      text('http.route', '/orders/{id}'),
      text('url.path', `/orders/${index}`),
      text('customer', `c-${(index * 7919) % 200_000}`),
    ],
  }));
  const message = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'http' }, spans }] }],
  });
  const made: Span[] = message.resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
  return () => {
    const now = BigInt(Date.now()) * 1_000_000n;
    let root = made[0];
    for (const [index, span] of made.entries()) {
      randomFillSync(span.spanId);
      if (index % SPANS_PER_TRACE === 0) {
        root = span;
        randomFillSync(span.traceId);
      } else if (root) {
        span.traceId.set(root.traceId);
        span.parentSpanId.set(root.spanId);
      }
      span.startTimeUnixNano = now + BigInt(index);
      span.endTimeUnixNano = now + BigInt(index) + 5_000_000n;
    }
    return toBinary(ExportTraceServiceRequestSchema, message);
  };
}
