import { type DescMessage, fromBinary, fromJson, type JsonValue, type MessageShape } from '@bufbuild/protobuf';
import { fail } from '#kernel/errors.ts';
import {
  ExportLogsServiceRequestSchema,
  ExportMetricsServiceRequestSchema,
  ExportTraceServiceRequestSchema,
} from './generated/otlp_pb.ts';
import { checkWire } from './wire.ts';

export type OtlpSignal = 'traces' | 'logs' | 'metrics';
export type OtlpFormat = 'protobuf' | 'json';

const REQUESTS = {
  traces: ExportTraceServiceRequestSchema,
  logs: ExportLogsServiceRequestSchema,
  metrics: ExportMetricsServiceRequestSchema,
} as const;

export type OtlpRequest<S extends OtlpSignal> = MessageShape<(typeof REQUESTS)[S]>;

/** An export request from its body, unpacked. @throws otlp_malformed */
export function decodeExport<S extends OtlpSignal>(signal: S, format: OtlpFormat, body: Uint8Array): OtlpRequest<S> {
  const schema: DescMessage = REQUESTS[signal];
  try {
    return (format === 'json' ? decodeJson(schema, body) : decodeBinary(schema, body)) as OtlpRequest<S>;
  } catch (error) {
    throw fail(
      'otlp_malformed',
      `The ${format} body is not an OTLP export of ${signal}: ${(error as Error).message}.`,
      {
        hint: 'Send the whole message, with a Content-Type that says how it is encoded (and gzip only with Content-Encoding).',
        cause: error,
      },
    );
  }
}

/** How deep messages may be nested; protobuf-es' own default. */
const DEEPEST = 100;

/** @param depth how many messages hold this one */
export function decodeBinary<Desc extends DescMessage>(schema: Desc, body: Uint8Array, depth = 0): MessageShape<Desc> {
  checkWire(schema, body);
  return fromBinary(schema, body, { readUnknownFields: false, recursionLimit: DEEPEST - depth });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** OTLP/JSON is proto3 JSON but for ids, which are hex instead of base64; unknown fields are skipped. */
function decodeJson(schema: DescMessage, body: Uint8Array) {
  const parsed = JSON.parse(UTF8.decode(body)) as JsonValue;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('not a JSON object');
  for (const resource of list(parsed, 'resourceSpans')) {
    for (const scope of list(resource, 'scopeSpans')) {
      for (const span of list(scope, 'spans')) {
        idsToBase64(span, ['traceId', 'spanId', 'parentSpanId']);
        for (const link of list(span, 'links')) idsToBase64(link, ['traceId', 'spanId']);
      }
    }
  }
  for (const resource of list(parsed, 'resourceLogs')) {
    for (const scope of list(resource, 'scopeLogs')) {
      for (const record of list(scope, 'logRecords')) idsToBase64(record, ['traceId', 'spanId']);
    }
  }
  for (const resource of list(parsed, 'resourceMetrics')) {
    for (const scope of list(resource, 'scopeMetrics')) {
      for (const metric of list(scope, 'metrics'))
        for (const exemplar of exemplarsIn(metric)) idsToBase64(exemplar, ['traceId', 'spanId']);
    }
  }
  return fromJson(schema, parsed, { ignoreUnknownFields: true });
}

type JsonObject = Record<string, unknown>;

function list(holder: unknown, key: string): JsonObject[] {
  const value = (holder as JsonObject)[key];
  if (!Array.isArray(value)) return [];
  return value.filter((each) => typeof each === 'object' && each !== null);
}

function exemplarsIn(metric: JsonObject): JsonObject[] {
  return ['gauge', 'sum', 'histogram', 'exponentialHistogram']
    .flatMap((kind) =>
      typeof metric[kind] === 'object' && metric[kind] !== null ? list(metric[kind], 'dataPoints') : [],
    )
    .flatMap((point) => list(point, 'exemplars'));
}

const HEX = /^(?:[0-9a-f]{2})*$/i;

/** What is not hex becomes an empty id: that item is refused, not the whole export. */
function idsToBase64(item: JsonObject, keys: readonly string[]): void {
  for (const key of keys) {
    const id = item[key];
    if (typeof id === 'string') item[key] = HEX.test(id) ? Buffer.from(id, 'hex').toString('base64') : '';
  }
}
