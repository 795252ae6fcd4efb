import { Type } from 'typebox';
import { SPAN_STATUSES, Trace, TracePage } from '#contract/telemetry.ts';
import { fail } from '#kernel/errors.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import type { TelemetryReader } from './reader.ts';
import { Attribute, attributesOf, Page, pageOf, timeOf, visibilityOf } from './request.ts';
import type { Visibility } from './store/segments.ts';

export interface TelemetryRouteDeps {
  reader: TelemetryReader;
}

const TraceQuery = Type.Object({
  system: Type.Optional(Type.String()),
  service: Type.Optional(Type.String()),
  operation: Type.Optional(Type.String({ description: "A span's name" })),
  status: Type.Optional(Type.Enum(SPAN_STATUSES)),
  min_duration_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 1e12 })),
  max_duration_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 1e12 })),
  attribute: Type.Optional(Attribute),
  ...Page,
});

const access = { scope: 'telemetry:read' } as const;
const tags = ['observability'];
const TRACE_ID = /^[0-9a-f]{32}$/i;
const AROUND_NS = 3_600_000_000_000n;

/** Everybody sees what is their workspace's; the operator also what is nobody's. */
export function telemetryRoutes({ reader }: TelemetryRouteDeps) {
  return async (app: App): Promise<void> => {
    app.get(
      '/telemetry/traces',
      {
        config: { access },
        schema: { tags, summary: 'Search traces', querystring: TraceQuery, response: { 200: TracePage } },
      },
      async (request) => {
        const { system, service, operation, status, min_duration_ms, max_duration_ms, attribute, limit } =
          request.query;
        return reader.traces(visibilityOf(principalOf(request)), {
          ...(system === undefined ? {} : { system }),
          ...(service === undefined ? {} : { service }),
          ...(operation === undefined ? {} : { operation }),
          ...(status === undefined ? {} : { status }),
          ...(min_duration_ms === undefined ? {} : { min_duration_ns: Math.round(min_duration_ms * 1e6) }),
          ...(max_duration_ms === undefined ? {} : { max_duration_ns: Math.round(max_duration_ms * 1e6) }),
          ...attributesOf(attribute),
          ...pageOf(request.query),
          limit,
        });
      },
    );
    app.get(
      '/telemetry/traces/:trace_id',
      {
        config: { access },
        schema: {
          tags,
          summary: 'One trace: its spans and logs',
          params: Type.Object({ trace_id: Type.String() }),
          querystring: Type.Object({
            at: Type.Optional(
              Type.String({ description: 'About when it was (RFC 3339): found faster', maxLength: 64 }),
            ),
          }),
          response: { 200: Trace },
        },
      },
      async (request) => {
        const visible = visibilityOf(principalOf(request));
        const { trace_id } = request.params;
        const found = TRACE_ID.test(trace_id)
          ? await findTrace(reader, visible, trace_id.toLowerCase(), request.query.at)
          : null;
        if (!found) throw fail('trace_not_found', 'There is no such trace, or it has aged out.');
        return found;
      },
    );
  };
}

/** A time hint saves opening most segments; when it misleads, everything is searched. */
async function findTrace(reader: TelemetryReader, visible: Visibility, traceId: string, at: string | undefined) {
  if (at === undefined) return reader.trace(visible, traceId);
  const ns = timeOf('at', at);
  const near = await reader.trace(visible, traceId, { from_ns: ns - AROUND_NS, to_ns: ns + AROUND_NS });
  return near ?? reader.trace(visible, traceId);
}
