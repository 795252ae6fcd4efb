import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { PROMOTED } from '../../src/features/telemetry/otlp/flatten-spans.ts';
import {
  type AnyValueSchema,
  ExportTraceServiceRequestSchema,
  type KeyValueSchema,
  type ResourceSpansSchema,
  type SpanSchema,
} from '../../src/features/telemetry/otlp/generated/otlp_pb.ts';
import { WORKSPACE } from '../../src/features/telemetry/otlp/origin.ts';
import fc from './laws.ts';

export type Value = MessageInitShape<typeof AnyValueSchema>;
export type Pair = MessageInitShape<typeof KeyValueSchema>;
export type Span = MessageInitShape<typeof SpanSchema>;

const NOW = 1_763_688_797_000_000_000n;

export const encodeExport = (resourceSpans: MessageInitShape<typeof ResourceSpansSchema>[]): Uint8Array =>
  toBinary(ExportTraceServiceRequestSchema, create(ExportTraceServiceRequestSchema, { resourceSpans }));

const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> => fc.array(arbitrary, { maxLength });

const TEXT = fc.oneof(
  fc.constantFrom(
    '',
    'GET',
    'GET /files/:id',
    '¿qué?',
    '"quoted"\\',
    'a\nb\u0000\u001f\u007f',
    '\ufeffmark',
    '\u2028',
    '🦆',
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 90 }),
);
const INTEGER_LIKE = ['0', '7', '10', '4294967294', '4294967295', '01', '1.5', '-1'];
const KEY = fc.oneof(
  fc.constantFrom(...PROMOTED, WORKSPACE),
  fc.constantFrom('', 'a', 'b', '__proto__', 'constructor', 'toJSON', 'ключ', 'a"b', ...INTEGER_LIKE),
  TEXT,
);
const UUID = fc.constantFrom('019A0000-0000-7000-8000-00000000000F', '019a0000-0000-7000-8000-000000000002');
const INT64 = fc.oneof(
  fc.constantFrom(
    0n,
    200n,
    404n,
    -1n,
    2n ** 53n - 1n,
    2n ** 53n,
    -(2n ** 53n),
    2n ** 49n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const NUMBER = fc.oneof(fc.constantFrom(0, -0, 200, 1e21, 1e-7, Number.NaN, Infinity, -Infinity), fc.double());
const BYTES = fc.uint8Array({ maxLength: 9 });
const COUNT = fc.constantFrom(0, 1, 300, 2 ** 31, 2 ** 32 - 1);
const TIME = fc.oneof(
  fc.constantFrom(0n, 1n, NOW, NOW + 5n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: NOW, max: NOW + 10n ** 12n }),
);

const one = <C extends string, V>(name: C, value: fc.Arbitrary<V>) =>
  value.map((held) => ({ value: { case: name, value: held } }) as Value);
const { attributes: ATTRIBUTES } = fc.letrec<{ value: Value; attributes: Pair[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    one('stringValue', fc.oneof(TEXT, UUID)),
    one('intValue', INT64),
    one('doubleValue', NUMBER),
    one('boolValue', fc.boolean()),
    one('bytesValue', BYTES),
    fc.constant({} as Value),
    one(
      'arrayValue',
      some(tie('value')).map((values) => ({ values })),
    ),
    one(
      'kvlistValue',
      tie('attributes').map((values) => ({ values })),
    ),
  ),
  attributes: some(
    fc.record({ key: KEY, value: fc.option(tie('value'), { nil: undefined }) }) as fc.Arbitrary<Pair>,
    5,
  ),
}));

const id = (length: number) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(1, 2, 3).map((byte) => new Uint8Array(length).fill(byte)) },
    { weight: 2, arbitrary: fc.uint8Array({ minLength: length, maxLength: length }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(new Uint8Array(length), new Uint8Array(0), new Uint8Array(length + 1).fill(1)),
    },
  );
const SPAN: fc.Arbitrary<Span> = fc.record({
  traceId: id(16),
  spanId: id(8),
  traceState: TEXT,
  parentSpanId: id(8),
  name: TEXT,
  kind: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, -1, 2 ** 31 - 1),
  startTimeUnixNano: TIME,
  endTimeUnixNano: TIME,
  attributes: ATTRIBUTES,
  droppedAttributesCount: COUNT,
  events: some(fc.record({ timeUnixNano: TIME, name: TEXT, attributes: ATTRIBUTES, droppedAttributesCount: COUNT }), 2),
  droppedEventsCount: COUNT,
  links: some(
    fc.record({
      ...{ traceId: id(16), spanId: id(8), traceState: TEXT, attributes: ATTRIBUTES },
      ...{ droppedAttributesCount: COUNT, flags: COUNT },
    }),
    2,
  ),
  droppedLinksCount: COUNT,
  status: fc.option(fc.record({ code: fc.constantFrom(0, 1, 2, 3, -1), message: TEXT }), { nil: undefined }),
  flags: COUNT,
});
/** Exports of spans in protobuf, with every field and whatever it may hold, odd ids, times and names among them. */
export const EXPORT: fc.Arbitrary<Uint8Array> = some(
  fc.record({
    resource: fc.option(fc.record({ attributes: ATTRIBUTES, droppedAttributesCount: COUNT }), { nil: undefined }),
    schemaUrl: TEXT,
    scopeSpans: some(
      fc.record({
        scope: fc.option(fc.record({ name: TEXT, version: TEXT, attributes: ATTRIBUTES }), { nil: undefined }),
        schemaUrl: TEXT,
        spans: some(SPAN),
      }),
      2,
    ),
  }),
  2,
).map(encodeExport);
