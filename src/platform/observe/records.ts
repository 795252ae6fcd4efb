import { type Attributes, context, type HrTime, type SeverityNumber } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { otlpExporters } from './exporters.ts';
import type { TelemetryOptions } from './options.ts';
import { isFinal } from './patience.ts';
import { resourceAttributes } from './resource.ts';

/** A log record of another program's. */
export interface ForeignRecord {
  /** Epoch ms. */
  time?: number;
  severity: number;
  severityText?: string;
  body: string;
  attributes: Attributes;
  traceId?: string;
  spanId?: string;
}

/** `refused` will be refused again; `failed` may be tried again. */
export type Delivery = 'taken' | 'refused' | 'failed';

export interface Sent {
  delivery: Delivery;
  reason: string;
}

export interface RecordSender {
  /** One export. Never rejects. */
  send(records: readonly ForeignRecord[]): Promise<Sent>;
  close(): Promise<void>;
}

/** Longer than a process's own: an export that is given up and repeated while the intake is busy with it comes twice. */
const ATTEMPT_MS = 20_000;

/**
 * Sends records of a program that is not this one, each batch answered for, unlike the SDK's batches, which are dropped
 * when their queue is full. @returns undefined where logs are sent nowhere (`OTEL_LOGS_EXPORTER=none`, `OTEL_SDK_DISABLED`)
 */
export function openRecordSender(options: TelemetryOptions, host: string): RecordSender | undefined {
  const env = options.env ?? process.env;
  if (env['OTEL_SDK_DISABLED'] === 'true') return undefined;
  const exporter = otlpExporters(options, env, ATTEMPT_MS).logs;
  if (!exporter) return undefined;
  const resource = resourceFromAttributes({ ...resourceAttributes(options, env), 'host.name': host });
  const scope = { name: 'caudal.tail' };
  return {
    send(records) {
      const observed = hrTime(Date.now());
      const export_ = records.map((record) => readable(record, resource, scope, observed));
      return context.with(suppressTracing(context.active()), () => sendOnce(exporter, export_));
    },
    close: () => exporter.shutdown(),
  };
}

async function sendOnce(exporter: LogRecordExporter, records: ReadableLogRecord[]): Promise<Sent> {
  const { code, error } = await new Promise<{ code: number; error?: Error }>((resolve) =>
    exporter.export(records, resolve),
  );
  const reason = error?.message ?? '';
  if (code === 0) return { delivery: 'taken', reason };
  return { delivery: isAboutContent(error) ? 'refused' : 'failed', reason };
}

/** 401 and the like are about who sends: that can be put right, and then the records are still wanted. */
function isAboutContent(error: Error | undefined): boolean {
  return isFinal(error) && [400, 413, 415, 422].includes(Number((error as { code?: unknown }).code));
}

function readable(
  record: ForeignRecord,
  resource: ReadableLogRecord['resource'],
  instrumentationScope: ReadableLogRecord['instrumentationScope'],
  observed: HrTime,
): ReadableLogRecord {
  const { time, severity, severityText, body, attributes, traceId, spanId } = record;
  return {
    hrTime: time === undefined ? observed : hrTime(time),
    hrTimeObserved: observed,
    severityNumber: severity as SeverityNumber,
    ...(severityText ? { severityText } : {}),
    body,
    attributes,
    ...(traceId ? { spanContext: { traceId, spanId: spanId ?? '', traceFlags: 1 } } : {}),
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
  };
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
