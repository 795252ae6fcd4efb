import assert from 'node:assert/strict';
import test from 'node:test';
import { create, type DescField, type DescMessage, type Message, ScalarType, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { decodeExport, type OtlpSignal } from './decode.ts';
import { type Flattened, flatten } from './flatten.ts';
import {
  ExportLogsServiceRequestSchema,
  ExportMetricsServiceRequestSchema,
  ExportTraceServiceRequestSchema,
} from './generated/otlp_pb.ts';
import { readSpans } from './read-spans.ts';

const REQUESTS: Record<OtlpSignal, DescMessage> = {
  traces: ExportTraceServiceRequestSchema,
  logs: ExportLogsServiceRequestSchema,
  metrics: ExportMetricsServiceRequestSchema,
};

/** What decides how the rest is read, or is told in words: it has a value that means something. */
const MEANT: Record<string, number | bigint> = {
  'Span.kind': 4,
  'Status.code': 2,
  'LogRecord.severity_number': 17,
  'Sum.aggregation_temporality': 1,
  'Histogram.aggregation_temporality': 1,
  'ExponentialHistogram.aggregation_temporality': 1,
};
/** How those are told in a row. */
const WORDS: Record<string, string> = { 'Span.kind': 'producer', 'Status.code': 'error' };

/** Left out because another column says the same. */
const SAID_OTHERWISE: Record<string, string> = {
  'Span.end_time_unix_nano': 'start and duration',
};

interface Marker {
  field: string;
  text: string;
}

/** A message in which every field has a value of its own, each of `oneof` in turn, lists with one element. */
function fill(desc: DescMessage, choice: number, markers: Marker[], path: string[] = []): Message {
  const made = reflect(desc, create(desc));
  for (const field of desc.fields) {
    if (path.filter((name) => name === desc.name).length > 1) continue;
    if (field.oneof && field.oneof.fields[choice % field.oneof.fields.length] !== field) continue;
    const value = () =>
      field.message
        ? reflect(field.message, fill(field.message, choice, markers, [...path, desc.name]))
        : mark(field, desc, markers);
    if (field.fieldKind === 'list') made.get(field).add(value() as never);
    else made.set(field, value());
  }
  return made.message;
}

let next = 0;

function mark(field: DescField, desc: DescMessage, markers: Marker[]): unknown {
  next += 1;
  const name = `${desc.name}.${field.name}`;
  const meant = MEANT[name];
  if (meant !== undefined) {
    markers.push({ field: name, text: WORDS[name] ?? String(meant) });
    return meant;
  }
  const told = (text: string | number | bigint): void => {
    markers.push({ field: name, text: String(text) });
  };
  switch (field.scalar) {
    case ScalarType.STRING:
      told(`text-${next}`);
      return `text-${next}`;
    case ScalarType.BOOL:
      told('true');
      return true;
    case ScalarType.BYTES: {
      const bytes = Buffer.alloc(field.name === 'trace_id' ? 16 : 8, 1 + (next % 250));
      told(field.name.endsWith('_id') ? bytes.toString('hex') : bytes.toString('base64'));
      return Uint8Array.from(bytes);
    }
    case ScalarType.DOUBLE:
      told(next + 0.25);
      return next + 0.25;
    case ScalarType.FIXED64:
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SFIXED64: {
      const ms = 1_700_000_000_000 + next;
      const value = field.name.endsWith('unix_nano') ? BigInt(ms) * 1_000_000n : BigInt(70_000 + next);
      told(timeText(name, value, ms));
      return value;
    }
    default:
      told(90_000 + next);
      return 90_000 + next;
  }
}

/** Spans and logs keep nanoseconds, events RFC 3339, metrics milliseconds. */
function timeText(name: string, value: bigint, ms: number): string {
  if (!name.endsWith('unix_nano')) return String(value);
  if (name.startsWith('Event.')) return new Date(ms).toISOString().slice(0, 23);
  return /^(Span|LogRecord)\./.test(name) ? String(value) : String(ms);
}

const SENDER = { kind: 'workspace', workspace_id: '019a0000-0000-7000-8000-000000000001' } as const;

/** Seven kinds of value, five of data, two of number: every combination is met. */
const TURNS = 70;

/** Every way from an export to rows. */
const WAYS: [name: string, OtlpSignal, (body: Uint8Array) => Flattened | null][] = [
  ...(Object.keys(REQUESTS) as OtlpSignal[]).map((signal): (typeof WAYS)[number] => [
    signal,
    signal,
    (body) => flatten(decodeExport(signal, 'protobuf', body), SENDER, 1n),
  ]),
  ['traces, straight from the wire', 'traces', (body) => readSpans(body, SENDER, 1n)],
];

for (const [name, signal, read] of WAYS) {
  test(`every field of the protocol reaches the store: ${name}`, () => {
    const desc = REQUESTS[signal];
    const seen = new Set<string>();
    for (let choice = 0; choice < TURNS; choice += 1) {
      const markers: Marker[] = [];
      const body = toBinary(desc, fill(desc, choice, markers) as never);
      const flattened = read(body);
      assert.ok(flattened, 'left to another way');
      const { rows, rejected, reason } = flattened;
      assert.equal(rejected, 0, String(reason));
      const kept = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value));
      for (const { field, text } of markers) {
        seen.add(field);
        if (field in SAID_OTHERWISE && !kept.includes(text)) continue;
        assert.ok(kept.includes(text), `${field} = ${text} is dropped:\n${kept}`);
      }
    }
    assert.ok(seen.size > 20, `${seen.size} fields were looked at`);
    assert.deepEqual(
      fieldsOf(desc).filter((field) => !seen.has(field)),
      [],
      'fields that the test did not fill',
    );
  });
}

/** Every scalar field of a message and of those in it. */
function fieldsOf(desc: DescMessage, known = new Set<DescMessage>()): string[] {
  if (known.has(desc)) return [];
  known.add(desc);
  return desc.fields.flatMap((field) =>
    field.message ? fieldsOf(field.message, known) : [`${desc.name}.${field.name}`],
  );
}
