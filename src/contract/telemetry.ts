import { type Static, Type } from 'typebox';

/** Traces and logs as the API answers them and the waterfall draws them. */

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Attributes = Type.Record(Type.String(), Type.Unknown());

export const SPAN_STATUSES = ['unset', 'ok', 'error'] as const;

export const SpanEvent = Type.Object({
  name: Type.String(),
  time: Nullable(Type.String()),
  attributes: Attributes,
});
export const SpanLink = Type.Object({
  trace_id: Nullable(Type.String()),
  span_id: Nullable(Type.String()),
  attributes: Attributes,
});

export const TraceSpan = Type.Object({
  span_id: Type.String(),
  parent_span_id: Nullable(Type.String()),
  service: Type.String(),
  instance: Nullable(Type.String()),
  name: Type.String(),
  kind: Type.String({ description: 'internal, server, client, producer, consumer' }),
  start: Type.String({ description: 'RFC 3339 with nanoseconds' }),
  duration_ns: Type.Integer(),
  status: Type.Enum(SPAN_STATUSES),
  status_message: Nullable(Type.String()),
  attributes: Attributes,
  events: Type.Array(SpanEvent),
  links: Type.Array(SpanLink),
});
export type TraceSpan = Static<typeof TraceSpan>;

export const SEVERITIES = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const LogLine = Type.Object({
  time: Type.String(),
  severity: Nullable(Type.String({ description: 'trace, debug, info, warn, error, fatal' })),
  service: Type.String(),
  instance: Nullable(Type.String()),
  body: Type.String(),
  event_name: Nullable(Type.String()),
  trace_id: Nullable(Type.String()),
  span_id: Nullable(Type.String()),
  attributes: Attributes,
});
export type LogLine = Static<typeof LogLine>;

export const Trace = Type.Object({
  trace_id: Type.String(),
  spans: Type.Array(TraceSpan),
  logs: Type.Array(LogLine),
});
export type Trace = Static<typeof Trace>;

export const TraceSummary = Type.Object({
  trace_id: Type.String(),
  root_service: Type.String(),
  root_name: Type.String(),
  start: Type.String(),
  duration_ns: Type.Integer(),
  spans: Type.Integer(),
  errors: Type.Integer(),
  services: Type.Array(Type.String()),
});
export type TraceSummary = Static<typeof TraceSummary>;

export const TracePage = Type.Object({ items: Type.Array(TraceSummary), next_cursor: Nullable(Type.String()) });
export type TracePage = Static<typeof TracePage>;

export const LogPage = Type.Object({ items: Type.Array(LogLine), next_cursor: Nullable(Type.String()) });
export type LogPage = Static<typeof LogPage>;

export const MetricInfo = Type.Object({
  metric: Type.String({ description: 'As it was sent, e.g. http.server.request.duration' }),
  name: Type.String({ description: 'As queries and Prometheus name it (of a histogram: its buckets)' }),
  description: Nullable(Type.String()),
  unit: Nullable(Type.String()),
  type: Type.String({ description: 'gauge, sum, histogram, exponential_histogram, summary' }),
  temporality: Nullable(Type.String()),
  monotonic: Nullable(Type.Boolean()),
  series: Type.Integer(),
  labels: Type.Array(Type.String()),
  services: Type.Array(Type.String()),
});
export type MetricInfo = Static<typeof MetricInfo>;

const Labels = Type.Record(Type.String(), Type.String());

/** A single measurement with the span that it was made in. */
export const Exemplar = Type.Object({
  labels: Labels,
  time: Type.String(),
  value: Type.Number(),
  trace_id: Nullable(Type.String()),
  span_id: Nullable(Type.String()),
  attributes: Attributes,
});
export type Exemplar = Static<typeof Exemplar>;

export const MetricLine = Type.Object({
  labels: Labels,
  points: Type.Array(Type.Object({ time: Type.String(), value: Nullable(Type.Number()) })),
});

/** Either what there is (`items`), or the answer of a query (`series`). */
export const MetricAnswer = Type.Object({
  items: Type.Optional(Type.Array(MetricInfo)),
  next_cursor: Type.Optional(Type.Null()),
  query: Type.Optional(Type.String({ description: 'The expression that was evaluated' })),
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  step_ms: Type.Optional(Type.Integer()),
  series: Type.Optional(Type.Array(MetricLine)),
  exemplars: Type.Optional(Type.Array(Exemplar)),
});
export type MetricAnswer = Static<typeof MetricAnswer>;

const Facet = Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }));

/** The most frequent values of what lines can be told apart by. */
export const LogFacets = Type.Object({
  severity: Facet,
  system: Facet,
  service: Facet,
  instance: Facet,
  event_name: Facet,
});
export type LogFacets = Static<typeof LogFacets>;

export const LogHistogram = Type.Object({
  step_ms: Type.Integer(),
  items: Type.Array(
    Type.Object({
      time: Type.String(),
      counts: Type.Record(Type.String(), Type.Integer(), { description: 'By severity' }),
      total: Type.Integer(),
    }),
  ),
});
export type LogHistogram = Static<typeof LogHistogram>;

/** Lines of the same statement of a program, with what varies left out. */
export const LogPatterns = Type.Object({
  items: Type.Array(
    Type.Object({
      pattern: Type.String(),
      count: Type.Integer(),
      severity: Type.String({ description: 'The most severe of them' }),
      services: Type.Array(Type.String()),
      sample: Type.String(),
      first: Type.String(),
      last: Type.String(),
    }),
  ),
  next_cursor: Type.Null(),
});
export type LogPatterns = Static<typeof LogPatterns>;

const Red = {
  errors: Type.Integer(),
  rate: Type.Number({ description: 'Per second' }),
  error_ratio: Type.Number(),
  p50_ms: Nullable(Type.Number()),
  p95_ms: Nullable(Type.Number()),
  p99_ms: Nullable(Type.Number()),
};

export const ServiceSummary = Type.Object({
  system: Type.String(),
  service: Type.String(),
  instances: Type.Integer(),
  requests: Type.Integer({ description: 'Spans of kind server or consumer; where there are none, all' }),
  ...Red,
});
export type ServiceSummary = Static<typeof ServiceSummary>;

export const ServiceEdge = Type.Object({
  from_system: Type.String(),
  from_service: Type.String(),
  to_system: Type.String(),
  to_service: Type.String(),
  calls: Type.Integer(),
  ...Red,
});
export type ServiceEdge = Static<typeof ServiceEdge>;

/** The service map: nodes, most failing first, and edges. */
export const ServicesAnswer = Type.Object({
  from: Type.String(),
  to: Type.String(),
  items: Type.Array(ServiceSummary),
  edges: Type.Array(ServiceEdge),
  next_cursor: Type.Null(),
});
export type ServicesAnswer = Static<typeof ServicesAnswer>;

/** Rate, errors and durations of one service: by operation and over time. */
export const OperationsAnswer = Type.Object({
  service: Type.String(),
  from: Type.String(),
  to: Type.String(),
  step_ms: Type.Integer(),
  operations: Type.Array(Type.Object({ name: Type.String(), kind: Type.String(), requests: Type.Integer(), ...Red })),
  points: Type.Array(Type.Object({ time: Type.String(), requests: Type.Integer(), ...Red })),
});
export type OperationsAnswer = Static<typeof OperationsAnswer>;

/** Silent: nothing came for five minutes. Off SLO: more failed or were slow than our defaults allow. */
export const FLEET_STATES = ['silent', 'off_slo', 'healthy'] as const;
export type FleetState = (typeof FLEET_STATES)[number];

export const FleetSystem = Type.Object({
  system: Type.String(),
  state: Type.Enum(FLEET_STATES),
  reasons: Type.Array(Type.String()),
  services: Type.Integer(),
  instances: Type.Integer(),
  last_seen: Type.String(),
  requests: Type.Integer(),
  ...Red,
  trend: Type.Object(
    {
      requests: Nullable(Type.Number({ description: '0.1: a tenth more than before' })),
      error_ratio: Nullable(Type.Number()),
      p95_ms: Nullable(Type.Number()),
    },
    { description: 'Against the window before, of the same length' },
  ),
});
export type FleetSystem = Static<typeof FleetSystem>;

export const FleetAnswer = Type.Object({
  from: Type.String(),
  to: Type.String(),
  counts: Type.Object({ silent: Type.Integer(), off_slo: Type.Integer(), healthy: Type.Integer() }),
  fleet: Type.Object({
    systems: Type.Integer(),
    requests: Type.Integer(),
    errors: Type.Integer(),
    error_ratio: Type.Number(),
    p50_ms: Nullable(Type.Number()),
    p95_ms: Nullable(Type.Number()),
    p99_ms: Nullable(Type.Number()),
  }),
  items: Type.Array(FleetSystem),
  next_cursor: Type.Null(),
});
export type FleetAnswer = Static<typeof FleetAnswer>;

export const ImpactAnswer = Type.Object({
  spans: Type.Integer(),
  errors: Type.Integer(),
  traces: Type.Integer(),
  truncated: Type.Boolean({ description: 'There is more than is listed' }),
  tasks: Type.Array(
    Type.Object({
      id: Type.String(),
      kind: Type.String(),
      status: Type.String(),
      trace_id: Nullable(Type.String()),
    }),
  ),
  files: Type.Array(Type.Object({ id: Type.String(), filename: Type.String(), state: Type.String() })),
  sources: Type.Array(
    Type.Object({
      id: Type.String(),
      file_id: Nullable(Type.String()),
      filename: Nullable(Type.String()),
      dataset: Type.String(),
      accepted: Type.Integer(),
      quarantined: Type.Integer(),
      trace_id: Nullable(Type.String()),
      loaded_at: Type.String(),
    }),
  ),
  datasets: Type.Array(
    Type.Object({
      name: Type.String(),
      sources: Type.Integer(),
      accepted: Type.Integer(),
      quarantined: Type.Integer(),
    }),
  ),
  rows: Type.Object({ accepted: Type.Integer(), quarantined: Type.Integer() }),
  reports: Type.Array(
    Type.Object(
      { path: Type.String(), trace_id: Type.String(), time: Type.String() },
      { description: 'Reports, charts, exports and endpoints that were answered since those rows came in' },
    ),
  ),
});
export type ImpactAnswer = Static<typeof ImpactAnswer>;
