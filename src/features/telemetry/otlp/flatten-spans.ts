import type { RowOf } from '../schema.ts';
import { attributesOf, type Json, textOf } from './attributes.ts';
import type { Span } from './generated/otlp_pb.ts';
import type { Item, Origin } from './origin.ts';
import { formatNs, idOf, isTime } from './times.ts';

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];

/** The attributes that have columns of their own. */
export const PROMOTED = [
  'http.route',
  'http.response.status_code',
  'http.status_code',
  'db.system.name',
  'db.system',
  'messaging.destination.name',
  'error.type',
  'peer.service',
] as const;
export type Promoted = { [Name in (typeof PROMOTED)[number]]?: Json };

/** A span as it is read, generically or straight from the wire; ids that are none are null. */
export interface SpanFields {
  trace_id: string | null;
  span_id: string | null;
  parent_span_id: string | null;
  name: string;
  kind: number;
  start_ns: bigint;
  end_ns: bigint;
  status: number;
  status_msg: string;
  trace_state: string;
  flags: number;
  dropped_attributes: number;
  dropped_events: number;
  dropped_links: number;
}

/** What of a span is kept as JSON. */
export interface SpanJson {
  attrs: string;
  events: string;
  links: string;
}

export function flattenSpan(span: Span, origin: Origin): Item<RowOf<'spans'>> {
  const fields = fieldsOf(span);
  const refused = refusalOf(fields);
  if (refused !== null) return { refused };
  const attributes = attributesOf(span.attributes);
  const workspace_id = origin.claim(attributes);
  const json = {
    attrs: JSON.stringify(attributes),
    events: span.events.length === 0 ? '[]' : JSON.stringify(span.events.map(eventOf)),
    links: span.links.length === 0 ? '[]' : JSON.stringify(span.links.map(linkOf)),
  };
  return { row: rowOf(fields, json, attributes, workspace_id, origin) };
}

function fieldsOf(span: Span): SpanFields {
  return {
    trace_id: idOf(span.traceId, 16),
    span_id: idOf(span.spanId, 8),
    parent_span_id: idOf(span.parentSpanId, 8),
    name: span.name,
    kind: span.kind,
    start_ns: span.startTimeUnixNano,
    end_ns: span.endTimeUnixNano,
    status: span.status?.code ?? 0,
    status_msg: span.status?.message ?? '',
    trace_state: span.traceState,
    flags: span.flags,
    dropped_attributes: span.droppedAttributesCount,
    dropped_events: span.droppedEventsCount,
    dropped_links: span.droppedLinksCount,
  };
}

/** Why a span cannot be kept; null when it can. */
export function refusalOf({ name, trace_id, span_id, start_ns, end_ns }: SpanFields): string | null {
  if (!trace_id) return `span "${name}": trace_id must be 16 bytes, not all zero`;
  if (!span_id) return `span "${name}": span_id must be 8 bytes, not all zero`;
  if (!isTime(start_ns) || !isTime(end_ns)) return `span "${name}": its times are beyond the year 2262`;
  return null;
}

export function rowOf(
  span: SpanFields,
  json: SpanJson,
  promoted: Promoted,
  workspace_id: string | null,
  origin: Origin,
): RowOf<'spans'> {
  const { start_ns, end_ns } = span;
  return {
    workspace_id,
    start_ns,
    dur_ns: end_ns > start_ns ? end_ns - start_ns : 0n,
    trace_id: span.trace_id,
    span_id: span.span_id,
    parent_span_id: span.parent_span_id,
    system: origin.system,
    service: origin.service,
    instance: origin.instance,
    name: span.name,
    kind: KINDS[span.kind] ?? 'unspecified',
    status: STATUSES[span.status] ?? 'unset',
    status_msg: span.status_msg || null,
    http_route: textOf(promoted['http.route']),
    http_status: httpStatusOf(promoted['http.response.status_code'] ?? promoted['http.status_code']),
    db_system: textOf(promoted['db.system.name'] ?? promoted['db.system']),
    messaging_dest: textOf(promoted['messaging.destination.name']),
    error_type: textOf(promoted['error.type']),
    peer_service: textOf(promoted['peer.service']),
    attrs: json.attrs,
    resource_id: origin.resource_id,
    scope: origin.scope,
    events: json.events,
    links: json.links,
    trace_state: span.trace_state || null,
    flags: span.flags > 0 ? BigInt(span.flags) : null,
    dropped: droppedOf(span),
    scope_attrs: origin.scope_attrs,
  };
}

/** A list or an object is none, and would not even become a number. */
function httpStatusOf(value: Json | undefined): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const status = Number(value);
  return Number.isInteger(status) && status > 0 && status < 1000 ? status : null;
}

/** What the sender left out, as JSON; null when that is nothing. */
function droppedOf(span: SpanFields): string | null {
  const { dropped_attributes: attributes, dropped_events: events, dropped_links: links } = span;
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
