import type { RowOf } from '../schema.ts';
import { attributesOf, type Json, textOf } from './attributes.ts';
import type { Span } from './generated/otlp_pb.ts';
import type { Item, Origin } from './origin.ts';
import { formatNs, idOf, isTime } from './times.ts';

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];

export function flattenSpan(span: Span, origin: Origin): Item<RowOf<'spans'>> {
  const trace_id = idOf(span.traceId, 16);
  const span_id = idOf(span.spanId, 8);
  if (!trace_id) return { refused: `span "${span.name}": trace_id must be 16 bytes, not all zero` };
  if (!span_id) return { refused: `span "${span.name}": span_id must be 8 bytes, not all zero` };
  const { startTimeUnixNano: start, endTimeUnixNano: end } = span;
  if (!isTime(start) || !isTime(end)) return { refused: `span "${span.name}": its times are beyond the year 2262` };
  const attributes = attributesOf(span.attributes);
  const workspace_id = origin.claim(attributes);
  const row: RowOf<'spans'> = {
    workspace_id,
    start_ns: start,
    dur_ns: end > start ? end - start : 0n,
    trace_id,
    span_id,
    parent_span_id: idOf(span.parentSpanId, 8),
    system: origin.system,
    service: origin.service,
    instance: origin.instance,
    name: span.name,
    kind: KINDS[span.kind] ?? 'unspecified',
    status: STATUSES[span.status?.code ?? 0] ?? 'unset',
    status_msg: span.status?.message || null,
    http_route: textOf(attributes['http.route']),
    http_status: httpStatusOf(attributes['http.response.status_code'] ?? attributes['http.status_code']),
    db_system: textOf(attributes['db.system.name'] ?? attributes['db.system']),
    messaging_dest: textOf(attributes['messaging.destination.name']),
    error_type: textOf(attributes['error.type']),
    peer_service: textOf(attributes['peer.service']),
    attrs: JSON.stringify(attributes),
    resource_id: origin.resource_id,
    scope: origin.scope,
    events: span.events.length === 0 ? '[]' : JSON.stringify(span.events.map(eventOf)),
    links: span.links.length === 0 ? '[]' : JSON.stringify(span.links.map(linkOf)),
    trace_state: span.traceState || null,
    flags: span.flags > 0 ? BigInt(span.flags) : null,
    dropped: droppedOf(span),
    scope_attrs: origin.scope_attrs,
  };
  return { row };
}

/** A list or an object is none, and would not even become a number. */
function httpStatusOf(value: Json | undefined): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const status = Number(value);
  return Number.isInteger(status) && status > 0 && status < 1000 ? status : null;
}

/** What the sender left out, as JSON; null when that is nothing. */
function droppedOf(span: Span): string | null {
  const { droppedAttributesCount: attributes, droppedEventsCount: events, droppedLinksCount: links } = span;
  return attributes + events + links > 0 ? JSON.stringify({ attributes, events, links }) : null;
}

const some = (dropped: number): { dropped?: number } => (dropped > 0 ? { dropped } : {});

function eventOf(event: Span['events'][number]) {
  const time = isTime(event.timeUnixNano) ? formatNs(event.timeUnixNano) : null;
  const { name, droppedAttributesCount } = event;
  return { name, time, attributes: attributesOf(event.attributes), ...some(droppedAttributesCount) };
}

function linkOf(link: Span['links'][number]) {
  return {
    trace_id: idOf(link.traceId, 16),
    span_id: idOf(link.spanId, 8),
    attributes: attributesOf(link.attributes),
    ...(link.traceState ? { trace_state: link.traceState } : {}),
    ...(link.flags > 0 ? { flags: link.flags } : {}),
    ...some(link.droppedAttributesCount),
  };
}
