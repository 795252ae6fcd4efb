import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from '../../../../test/support/laws.ts';
import { decodeExport, type OtlpSignal } from './decode.ts';
import { flatten } from './flatten.ts';
import {
  type ExportTraceServiceRequest,
  ExportTraceServiceRequestSchema,
  type ResourceSpansSchema,
  type SpanSchema,
} from './generated/otlp_pb.ts';

const SHARED = process.env['CAUDAL_SHARED_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data');
const EXAMPLES = join(SHARED, 'observability/otlp');
const SENDER = { kind: 'workspace', workspace_id: '019a0000-0000-7000-8000-000000000001' } as const;
const NOW = 1_763_688_797_000_000_000n;

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

/** An export with every kind of field: nested values, events, links, a status, two resources. */
function fullExport(): ExportTraceServiceRequest {
  const text = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue', value } } }) as const;
  const span = (id: string): MessageInitShape<typeof SpanSchema> => ({
    traceId: bytes('5b8efff798038103d269b633813fc60c'),
    spanId: bytes(id),
    parentSpanId: bytes('eee19b7ec3c1b173'),
    name: 'GET /files/:id — ¿qué?',
    kind: 2,
    startTimeUnixNano: NOW,
    endTimeUnixNano: NOW + 5_000_000n,
    attributes: [
      text('http.route', '/files/:id'),
      { key: 'big', value: { value: { case: 'intValue', value: 2n ** 60n } as const } },
      {
        key: 'nested',
        value: {
          value: { case: 'kvlistValue', value: { values: [text('__proto__', 'a key like any other')] } } as const,
        },
      },
    ],
    events: [{ timeUnixNano: NOW, name: 'exception', attributes: [text('exception.type', 'Error')] }],
    links: [{ traceId: bytes('0af7651916cd43dd8448eb211c80319c'), spanId: bytes('b7ad6b7169203331'), attributes: [] }],
    status: { code: 2, message: 'refused' },
  });
  const group = (name: string, ids: string[]): MessageInitShape<typeof ResourceSpansSchema> => ({
    resource: { attributes: [text('service.name', name)] },
    scopeSpans: [{ scope: { name: 'lib', version: '1' }, spans: ids.map(span) }],
  });
  return create(ExportTraceServiceRequestSchema, {
    resourceSpans: [group('one', ['eee19b7ec3c1b174', 'eee19b7ec3c1b175']), group('two', ['eee19b7ec3c1b176'])],
  });
}

test("the protocol's own JSON examples are accepted whole", { skip: !existsSync(EXAMPLES) }, () => {
  const read = (signal: OtlpSignal, file: string) => {
    const request = decodeExport(signal, 'json', readFileSync(join(EXAMPLES, file)));
    return flatten(request, SENDER, NOW);
  };
  const traces = read('traces', 'trace.json');
  assert.equal(traces.rejected, 0);
  const [span] = traces.rows.spans;
  assert.equal(span?.trace_id, '5b8efff798038103d269b633813fc60c');
  assert.equal(span?.parent_span_id, 'eee19b7ec3c1b173');
  assert.equal(span?.name, "I'm a server span");
  assert.equal(span?.kind, 'server');
  assert.equal(span?.service, 'my.service');
  assert.equal(span?.dur_ns, 1_000_000_000n);
  const logs = read('logs', 'logs.json');
  assert.equal(logs.rejected, 0);
  assert.equal(logs.rows.logs[0]?.body, 'Example log record');
  assert.equal(logs.rows.logs[0]?.severity, 10);
  assert.equal(JSON.parse(String(logs.rows.logs[0]?.attrs))['boolean.attribute'], true);
  const events = read('logs', 'events.json');
  assert.equal(events.rows.logs[0]?.event_name, 'browser.page_view');
  const metrics = read('metrics', 'metrics.json');
  assert.equal(metrics.rejected, 0);
  assert.deepEqual(
    metrics.rows.series.map((series) => series.type),
    ['sum', 'gauge', 'histogram', 'exponential_histogram'],
  );
});

test('protobuf comes back as it was sent', () => {
  const { rows, rejected } = flatten(
    decodeExport('traces', 'protobuf', toBinary(ExportTraceServiceRequestSchema, fullExport())),
    SENDER,
    NOW,
  );
  assert.equal(rejected, 0);
  assert.deepEqual(
    rows.spans.map((span) => [span.service, span.span_id]),
    [
      ['one', 'eee19b7ec3c1b174'],
      ['one', 'eee19b7ec3c1b175'],
      ['two', 'eee19b7ec3c1b176'],
    ],
  );
  const span = rows.spans[0];
  assert.equal(span?.http_route, '/files/:id');
  assert.equal(span?.status, 'error');
  assert.equal(
    span?.attrs,
    '{"http.route":"/files/:id","big":"1152921504606846976","nested":{"__proto__":"a key like any other"}}',
  );
  assert.match(String(span?.links), /0af7651916cd43dd8448eb211c80319c/);
});

test('every strict prefix is refused, or is the first resources whole', () => {
  const body = toBinary(ExportTraceServiceRequestSchema, fullExport());
  const groups = fullExport().resourceSpans;
  let whole = 0;
  for (let length = 0; length < body.length; length += 1) {
    let decoded: ExportTraceServiceRequest;
    try {
      decoded = decodeExport('traces', 'protobuf', body.subarray(0, length));
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'otlp_malformed');
      continue;
    }
    whole += 1;
    assert.deepEqual(decoded.resourceSpans, groups.slice(0, decoded.resourceSpans.length));
  }
  assert.equal(whole, groups.length, 'nothing, and the first resource alone');
});

/** Where a byte changed, the body is refused, or it decodes and its own encoding says the same thing again. */
test('a body with a lying byte is refused or read consistently, and never breaks the decoder', () => {
  const body = toBinary(ExportTraceServiceRequestSchema, fullExport());
  let refused = 0;
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const lying = Uint8Array.from(body);
      lying[at] = (lying[at] as number) ^ change;
      let decoded: ExportTraceServiceRequest;
      try {
        decoded = decodeExport('traces', 'protobuf', lying);
      } catch (error) {
        refused += 1;
        return (error as { code?: string }).code === 'otlp_malformed';
      }
      const again = fromBinary(ExportTraceServiceRequestSchema, toBinary(ExportTraceServiceRequestSchema, decoded));
      assert.deepEqual(again, decoded);
      return true;
    }),
    { numRuns: 2000, seed: 7 },
  );
  assert.ok(refused > 500, `${refused} of 2000 refused`);
});

test('a length that reaches into a sibling is refused though the body is long enough', () => {
  // resource_spans { scope_spans { spans { name: "ab" } } } with the name's length raised over its span's end.
  const good = Buffer.from('0a08' + '1206' + '1204' + '2a026162' + '0a00', 'hex');
  assert.doesNotThrow(() => decodeExport('traces', 'protobuf', good));
  const lying = Buffer.from(good);
  lying[7] = 0x04;
  assert.doesNotThrow(() => fromBinary(ExportTraceServiceRequestSchema, lying), 'protobuf-es alone takes it');
  assert.throws(() => decodeExport('traces', 'protobuf', lying), { code: 'otlp_malformed' });
});

test('what is not OTLP is refused', () => {
  const json = (text: string) => () => decodeExport('traces', 'json', Buffer.from(text));
  const binary = (hex: string) => () => decodeExport('traces', 'protobuf', Buffer.from(hex, 'hex'));
  const deep = (levels: number) =>
    `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(levels)}${']}}'.repeat(levels)}}]}]}]}`;
  const cases: [string, () => unknown][] = [
    ['no JSON', json('{')],
    ['an array', json('[]')],
    ['null', json('null')],
    ['wrong types', json('{"resourceSpans":7}')],
    ['a name that is a number', json('{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":5}]}]}]}')],
    ['bytes that are no UTF-8', () => decodeExport('traces', 'json', Buffer.from([0x22, 0xff, 0x22]))],
    ['nested beyond measure', () => decodeExport('logs', 'json', Buffer.from(deep(100_000)))],
    ['a varint without end', binary('ffffffffffffffffffffff')],
    ['field number zero of an unknown wire type', binary('07')],
    ['a group', binary('0b0c')],
    ['a length of 4 GB', binary('0affffffff0f')],
    ['text instead of protobuf', () => decodeExport('traces', 'protobuf', Buffer.from('{"resourceSpans":[]}'))],
  ];
  for (const [name, attempt] of cases) assert.throws(attempt, { code: 'otlp_malformed' }, name);
});

test('invalid items are refused one by one', () => {
  const span = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174', name: 'good' };
  const spans = [
    span,
    { ...span, traceId: '00000000000000000000000000000000' },
    { ...span, spanId: 'zz' },
    { ...span, endTimeUnixNano: '18446744073709551615' },
  ];
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
  const { rows, rejected, reason } = flatten(decodeExport('traces', 'json', body), SENDER, NOW);
  assert.deepEqual(
    rows.spans.map((each) => each.name),
    ['good'],
  );
  assert.equal(rejected, 3);
  assert.match(String(reason), /trace_id must be 16 bytes/);
});

test('a status code that is an object is none, and the span is kept', () => {
  const ids = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174' };
  const attributes = [{ key: 'http.response.status_code', value: { kvlistValue: { values: [] } } }];
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, attributes }] }] }] }));
  const { rows } = flatten(decodeExport('traces', 'json', body), SENDER, NOW);
  assert.equal(rows.spans[0]?.http_status, null);
  assert.equal(rows.spans[0]?.attrs, '{"http.response.status_code":{}}');
});
