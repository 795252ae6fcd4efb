import { type Static, Type } from 'typebox';
import { AGGREGATIONS, COMPARISONS, RANGE_FUNCTIONS } from './metrics/expression.ts';
import { MATCH_OPERATORS } from './metrics/series.ts';

/** A condition over metrics as data: evaluated here, and exported as Prometheus rules that fire at the same instants. */

export const SEVERITIES = ['page', 'ticket', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Duration = (description: string) =>
  Type.String({ pattern: '^(\\d+(ms|[smhdw]))+$', maxLength: 30, description: `${description}, such as 5m or 24h30m` });
const LabelName = Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_.]*$', maxLength: 100 });
const Labels = Type.Record(LabelName, Type.String({ maxLength: 500 }), { maxProperties: 20 });

export const MatcherInput = Type.Object(
  {
    label: LabelName,
    op: Type.Optional(Type.Enum(MATCH_OPERATORS, { default: '=' })),
    value: Type.String({ maxLength: 500 }),
  },
  { additionalProperties: false },
);

const Metric = Type.String({
  pattern: '^[A-Za-z_][A-Za-z0-9_:.]*$',
  maxLength: 200,
  description: 'As `/metrics` names it; dots stand for `_`',
});
const Filter = Type.Array(MatcherInput, { maxItems: 20, description: 'Which of its series' });

const Threshold = Type.Object(
  {
    kind: Type.Literal('threshold'),
    metric: Metric,
    filter: Type.Optional(Filter),
    over: Type.Optional(
      Type.Object(
        {
          function: Type.Enum(RANGE_FUNCTIONS),
          window: Duration('How far it looks back'),
          q: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'For quantile_over_time' })),
        },
        { additionalProperties: false, description: 'Over time, such as max_over_time of 1h or rate of 5m' },
      ),
    ),
    aggregate: Type.Optional(
      Type.Object(
        {
          function: Type.Enum(AGGREGATIONS.filter((name) => name !== 'quantile')),
          by: Type.Optional(Type.Array(LabelName, { maxItems: 20 })),
        },
        { additionalProperties: false, description: 'Over series' },
      ),
    ),
    comparison: Type.Enum(COMPARISONS),
    threshold: Type.Number(),
  },
  { additionalProperties: false },
);

const Written = Type.Object(
  {
    kind: Type.Literal('expression'),
    expression: Type.String({
      maxLength: 5000,
      description: 'PromQL (docs/alerts.md says which part of it); every series of its answer meets the condition',
    }),
  },
  { additionalProperties: false },
);

const Absence = Type.Object(
  {
    kind: Type.Literal('absence'),
    metric: Metric,
    filter: Type.Optional(Filter),
    by: Type.Array(LabelName, { maxItems: 20, description: 'Labels that make a series one; none: any series will do' }),
    for: Duration('How long nothing came'),
    memory: Type.Optional(Duration('How long ago it must have been there; 24h30m when left out')),
  },
  { additionalProperties: false },
);

/** What Caudal watches by itself, without a metric: see docs/alerts.md. */
const Watched = Type.Object({ kind: Type.Literal('instance_down') }, { additionalProperties: false });

export const Condition = Type.Union([Threshold, Written, Absence, Watched]);
export type Condition = Static<typeof Condition>;

export const Notify = Type.Object(
  {
    group_by: Type.Optional(
      Type.Array(LabelName, {
        maxItems: 10,
        description: 'One incident for each of their values; none: one for all series',
      }),
    ),
    group_wait: Type.Optional(Duration('How long the first message waits for further series; 10s')),
    group_interval: Type.Optional(Duration('How long further series of an incident wait to be told; 5m')),
    repeat_interval: Type.Optional(Duration('When it is told again while nobody acknowledges it; 4h')),
    escalate_after: Type.Optional(
      Duration('When an incident that nobody acknowledges is told to the escalation channels'),
    ),
    inhibited_by: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), {
        maxItems: 20,
        description: 'Names of policies while whose incidents last this one is not told',
      }),
    ),
    briefly: Type.Optional(
      Type.Enum(['tell', 'drop'], {
        description: 'An incident that ends before it is told is dropped, unless this is tell',
      }),
    ),
  },
  { additionalProperties: false },
);
export type Notify = Static<typeof Notify>;

const editable = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  summary: Type.Optional(Type.String({ maxLength: 2000, description: 'What it means, for whoever is woken' })),
  runbook: Type.Optional(Type.String({ maxLength: 2000, description: 'What to do, or where that is written' })),
  severity: Type.Optional(Type.Enum(SEVERITIES, { default: 'ticket' })),
  enabled: Type.Optional(Type.Boolean({ default: true })),
  condition: Condition,
  for: Type.Optional(Duration('How long it must hold without a break before it fires')),
  keep_firing_for: Type.Optional(Duration('How long it fires on after it was last met')),
  labels: Type.Optional(Labels),
  notify: Type.Optional(Notify),
};

export const PolicyInput = Type.Object(
  {
    ...editable,
    scope: Type.Optional(
      Type.Enum(['workspace', 'installation'], {
        description: 'The installation’s are the operator’s; default: workspace',
      }),
    ),
  },
  { additionalProperties: false },
);
export type PolicyInput = Static<typeof PolicyInput>;

export const PolicyPatch = Type.Partial(Type.Object(editable), { additionalProperties: false });
export type PolicyPatch = Static<typeof PolicyPatch>;

/** A policy's own record: does it cry wolf? */
export const PolicyRecord = Type.Object({
  days: Type.Integer(),
  fired: Type.Integer({ description: 'Incidents' }),
  acknowledged: Type.Integer({ description: 'Incidents that somebody took on' }),
  flapped: Type.Integer({ description: 'Incidents that came back within an hour of their end' }),
  silenced: Type.Integer({ description: 'Incidents of which nothing was told for a silence' }),
});

export const Policy = Type.Object({
  id: Type.String(),
  name: Type.String(),
  summary: Type.String(),
  runbook: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  builtin: Nullable(Type.String()),
  severity: Type.Enum(SEVERITIES),
  enabled: Type.Boolean(),
  condition: Type.Unknown(),
  expression: Nullable(Type.String({ description: 'The condition as PromQL; null for what Caudal watches itself' })),
  for: Type.String(),
  keep_firing_for: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
  notify: Type.Unknown(),
  state: Type.Enum(['off', 'ok', 'pending', 'firing', 'error']),
  series: Type.Object({ pending: Type.Integer(), firing: Type.Integer() }),
  error: Nullable(Type.String()),
  evaluated_at: Nullable(Type.String()),
  record: PolicyRecord,
  created_at: Type.String(),
  updated_at: Type.String(),
});
export type Policy = Static<typeof Policy>;

export const PreviewInput = Type.Object(
  {
    condition: Condition,
    for: editable.for,
    keep_firing_for: editable.keep_firing_for,
    from: Type.Optional(Type.String({ format: 'date-time', description: 'A day before `to` when left out' })),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'Now when left out' })),
    step: Type.Optional(Duration('How often it is evaluated; 15s, longer where the range is long')),
    scope: PolicyInput.properties.scope,
  },
  { additionalProperties: false },
);
export type PreviewInput = Static<typeof PreviewInput>;

const Seconds = Type.Number({ description: 'Epoch ms' });
export const Preview = Type.Object({
  expression: Type.String(),
  from: Type.String(),
  to: Type.String(),
  step_ms: Seconds,
  evaluations: Type.Integer(),
  fired: Type.Array(
    Type.Object({
      labels: Type.Record(Type.String(), Type.String()),
      active_at: Type.String(),
      fired_at: Type.String(),
      resolved_at: Nullable(Type.String()),
      value: Nullable(Type.Number({ description: 'When it fired' })),
    }),
  ),
  series: Type.Array(
    Type.Object({
      labels: Type.Record(Type.String(), Type.String()),
      times: Type.Array(Seconds),
      values: Type.Array(Nullable(Type.Number())),
    }),
    { description: 'What the condition compares, for a chart; at most 50 series of at most 500 points' },
  ),
});
export type Preview = Static<typeof Preview>;
