import { randomBytes, randomFillSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { ExportTraceServiceRequestSchema } from '../../src/features/telemetry/otlp/generated/otlp_pb.ts';
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

/** Of a trace and of a span. */
const ID_BYTES = 24;
const DURATION_NS = 5_000_000n;

/**
 * The same message with new ids and times each time. They are written over those of the last one: a program that sends
 * spans for its living would spend less on them than protobuf-es, and what is measured here is who receives them.
 */
function exporter(batch: number): () => Uint8Array {
  const resource = { attributes: [text('service.name', 'shop'), text('service.instance.id', 'one')] };
  const spans = Array.from({ length: batch }, (_, index) => ({
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    parentSpanId: randomBytes(index % SPANS_PER_TRACE === 0 ? 0 : 8),
    name: `operation ${index % 40}`,
    kind: 2,
    startTimeUnixNano: randomBytes(8).readBigUInt64LE(),
    endTimeUnixNano: randomBytes(8).readBigUInt64LE(),
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
  const encoded = Buffer.from(toBinary(ExportTraceServiceRequestSchema, message));
  let end = 0;
  const place = (bytes: Uint8Array): number => {
    const at = encoded.indexOf(bytes, end);
    end = at + bytes.length;
    return at;
  };
  const number = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const places = spans.map(({ traceId, spanId, parentSpanId, startTimeUnixNano, endTimeUnixNano }) => ({
    trace: place(traceId),
    span: place(spanId),
    parent: parentSpanId.length > 0 ? place(parentSpanId) : null,
    start: place(number(startTimeUnixNano)),
    end: place(number(endTimeUnixNano)),
  }));
  const fresh = Buffer.alloc(ID_BYTES * batch);
  return () => {
    const now = BigInt(Date.now()) * 1_000_000n;
    randomFillSync(fresh);
    let [root] = places;
    for (const [index, at] of places.entries()) {
      const ids = index * ID_BYTES;
      if (at.parent === null) {
        root = at;
        fresh.copy(encoded, at.trace, ids, ids + 16);
      }
      fresh.copy(encoded, at.span, ids + 16, ids + ID_BYTES);
      if (at.parent !== null && root) {
        encoded.copy(encoded, at.trace, root.trace, root.trace + 16);
        encoded.copy(encoded, at.parent, root.span, root.span + 8);
      }
      encoded.writeBigUInt64LE(now + BigInt(index), at.start);
      encoded.writeBigUInt64LE(now + BigInt(index) + DURATION_NS, at.end);
    }
    return encoded;
  };
}
