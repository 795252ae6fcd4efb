import { type Static, Type } from 'typebox';
import type { Principal } from '#contract/principal.ts';
import { SEVERITIES, type Severity } from '#contract/telemetry.ts';
import { invalid } from '#kernel/errors.ts';
import { parseNs } from './otlp/times.ts';
import { decodePosition } from './query/cursor.ts';
import type { LogFilter } from './reader.ts';
import type { TimeRange, Visibility } from './store/segments.ts';

export const Time = Type.String({ description: 'RFC 3339', maxLength: 64 });
export const Attribute = Type.Array(Type.String({ maxLength: 4096 }), {
  description: '`name=value`; may be repeated, then all must hold',
  maxItems: 20,
});
export const Page = {
  from: Type.Optional(Time),
  to: Type.Optional(Time),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
};

/** Which lines; the same for the search and for every view of it. */
export const LogFilterQuery = {
  query: Type.Optional(Type.String({ description: 'A substring of the body, whatever its case', maxLength: 1000 })),
  system: Type.Optional(Type.String({ maxLength: 400 })),
  service: Type.Optional(Type.String({ maxLength: 400 })),
  instance: Type.Optional(Type.String({ maxLength: 400 })),
  severity: Type.Optional(
    Type.String({ description: `One or more of ${SEVERITIES.join(', ')}, commas between`, maxLength: 100 }),
  ),
  trace_id: Type.Optional(Type.String({ maxLength: 64 })),
  attribute: Type.Optional(Attribute),
  from: Page.from,
  to: Page.to,
};
const LogFilterObject = Type.Object(LogFilterQuery);

export function logFilterOf(given: Static<typeof LogFilterObject>): LogFilter {
  const { query, system, service, instance, severity, trace_id, attribute } = given;
  return {
    ...(query === undefined ? {} : { query }),
    ...(system === undefined ? {} : { system }),
    ...(service === undefined ? {} : { service }),
    ...(instance === undefined ? {} : { instance }),
    ...(severity === undefined ? {} : { severities: severitiesOf(severity) }),
    ...(trace_id === undefined ? {} : { trace_id: trace_id.toLowerCase() }),
    ...attributesOf(attribute),
    range: rangeOf(given),
  };
}

const HOUR_NS = 3_600_000_000_000n;

/** The last hour where nothing is said; never open at an end. */
export function closedRange(given: { from?: string | undefined; to?: string | undefined }): Required<TimeRange> {
  const { from_ns, to_ns = BigInt(Date.now()) * 1_000_000n } = rangeOf(given);
  const range = { from_ns: from_ns ?? to_ns - HOUR_NS, to_ns };
  if (range.to_ns < range.from_ns) throw invalid('to', 'to must not be before from.');
  return range;
}

const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 86_400].map((seconds) => seconds * 1000);

/** A round step that cuts a range into at most so many parts. */
export function stepOf({ from_ns, to_ns }: Required<TimeRange>, most: number, least = 1000): number {
  const wide = Number(to_ns - from_ns) / 1e6 / most;
  return STEPS.find((step) => step >= Math.max(wide, least)) ?? Math.ceil(wide / 86_400_000) * 86_400_000;
}

export function visibilityOf({ workspace_id, operator }: Principal): Visibility {
  return { workspace_id, operator };
}

export function pageOf({ from, to, cursor }: { from?: string; to?: string; cursor?: string }) {
  return { range: rangeOf({ from, to }), ...(cursor === undefined ? {} : { cursor: decodePosition(cursor) }) };
}

export function rangeOf({ from, to }: { from?: string | undefined; to?: string | undefined }): TimeRange {
  return {
    ...(from === undefined ? {} : { from_ns: timeOf('from', from) }),
    ...(to === undefined ? {} : { to_ns: timeOf('to', to) }),
  };
}

export function timeOf(field: string, text: string): bigint {
  const ns = parseNs(text);
  if (ns === null || ns < 0n) throw invalid(field, `${field} must be a time such as 2026-01-31T12:00:00Z.`);
  return ns;
}

export function attributesOf(pairs: string[] | undefined): { attributes?: Record<string, string> } {
  if (!pairs) return {};
  const attributes: Record<string, string> = Object.create(null);
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw invalid('attribute', 'attribute must be name=value.');
    attributes[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { attributes };
}

function severitiesOf(text: string): Severity[] {
  return text.split(',').map((name) => {
    const severity = SEVERITIES.find((each) => each === name.trim().toLowerCase());
    if (!severity) throw invalid('severity', `severity must be of ${SEVERITIES.join(', ')}.`);
    return severity;
  });
}
