import type { RowOf } from '../schema.ts';
import { attributesOf, jsonOf, textOf } from './attributes.ts';
import type { LogRecord } from './generated/otlp_pb.ts';
import type { Item, Origin } from './origin.ts';
import { idOf, isTime } from './times.ts';

export function flattenLog(record: LogRecord, origin: Origin): Item<RowOf<'logs'>> {
  const { timeUnixNano: time, observedTimeUnixNano: observed } = record;
  if (!isTime(time) || !isTime(observed)) return { refused: 'log record: its time is beyond the year 2262' };
  const attributes = attributesOf(record.attributes);
  const workspace_id = origin.claim(attributes);
  const seen = observed > 0n ? observed : origin.received_ns;
  const row: RowOf<'logs'> = {
    workspace_id,
    ts_ns: time > 0n ? time : seen,
    observed_ns: seen,
    system: origin.system,
    service: origin.service,
    instance: origin.instance,
    severity: record.severityNumber >= 0 && record.severityNumber <= 24 ? record.severityNumber : 0,
    severity_text: record.severityText || null,
    body: textOf(jsonOf(record.body)) ?? '',
    event_name: record.eventName || textOf(attributes['event.name']),
    trace_id: idOf(record.traceId, 16),
    span_id: idOf(record.spanId, 8),
    attrs: JSON.stringify(attributes),
    resource_id: origin.resource_id,
    scope: origin.scope,
    flags: record.flags > 0 ? BigInt(record.flags) : null,
    dropped: record.droppedAttributesCount || null,
    scope_attrs: origin.scope_attrs,
  };
  return { row };
}
