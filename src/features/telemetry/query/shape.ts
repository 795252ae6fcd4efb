import { type LogLine, SEVERITIES, type TraceSpan } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { RowOf } from '../schema.ts';

/** A row as DuckDB gives it back: BIGINT as bigint. */
export type SpanRow = RowOf<'spans'> & {
  start_ns: bigint;
  dur_ns: bigint;
  attrs: string;
  events: string;
  links: string;
};
export type LogRow = RowOf<'logs'> & { ts_ns: bigint; attrs: string; severity: number };

export function spanOf(row: SpanRow): TraceSpan {
  return {
    span_id: String(row.span_id),
    parent_span_id: text(row.parent_span_id),
    service: String(row.service),
    instance: text(row.instance),
    name: String(row.name),
    kind: String(row.kind),
    start: formatNs(row.start_ns),
    duration_ns: Number(row.dur_ns),
    status: row.status as TraceSpan['status'],
    status_message: text(row.status_msg),
    attributes: JSON.parse(row.attrs),
    events: JSON.parse(row.events),
    links: JSON.parse(row.links),
  };
}

export function logOf(row: LogRow): LogLine {
  return {
    time: formatNs(row.ts_ns),
    severity: severityOf(row.severity),
    service: String(row.service),
    instance: text(row.instance),
    body: String(row.body),
    event_name: text(row.event_name),
    trace_id: text(row.trace_id),
    span_id: text(row.span_id),
    attributes: JSON.parse(row.attrs),
  };
}

/** OTLP numbers four grades of each severity: 1–4 trace, 5–8 debug, … 21–24 fatal. */
function severityOf(number: number): string | null {
  return SEVERITIES[Math.ceil(number / 4) - 1] ?? null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
