import { type Static, Type } from 'typebox';
import { Nullable } from './policies.ts';

/** Service levels in OpenSLO's shape, in snake case as all of the API; `GET /slos/export` speaks OpenSLO itself. */

const Duration = Type.String({ pattern: '^\\d+[hdw]$', maxLength: 10, description: 'Such as 30d' });
const Query = Type.Object(
  {
    query: Type.String({
      maxLength: 5000,
      description: 'PromQL that counts the events of one minute: sum(increase(…[1m]))',
    }),
  },
  { additionalProperties: false },
);

const shape = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  service: Type.Optional(Type.String({ maxLength: 200 })),
  indicator: Type.Object(
    { ratio_metric: Type.Object({ good: Query, total: Query }, { additionalProperties: false }) },
    { additionalProperties: false },
  ),
  objectives: Type.Array(
    Type.Object({ target: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }) }, { additionalProperties: false }),
    { minItems: 1, maxItems: 1 },
  ),
  time_window: Type.Optional(
    Type.Array(Type.Object({ duration: Duration, is_rolling: Type.Literal(true) }, { additionalProperties: false }), {
      minItems: 1,
      maxItems: 1,
      description: 'Default: 30d, rolling',
    }),
  ),
  least_events: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1e9, description: 'Fewer events in a window say nothing; default 50' }),
  ),
  enabled: Type.Optional(Type.Boolean({ default: true })),
};

export const SloInput = Type.Object(
  { ...shape, scope: Type.Optional(Type.Enum(['workspace', 'installation'])) },
  { additionalProperties: false },
);
export type SloInput = Static<typeof SloInput>;
export const SloPatch = Type.Partial(Type.Object(shape), { additionalProperties: false });
export type SloPatch = Static<typeof SloPatch>;

export const Burn = Type.Object({
  window: Type.String(),
  rate: Nullable(Type.Number({ description: '1 spends the budget exactly within the time window' })),
  events: Type.Number(),
});

export const SLO_STATES = ['met', 'missed', 'burning', 'no_data', 'off', 'error'] as const;

export const Slo = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  service: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  builtin: Nullable(Type.String()),
  indicator: shape.indicator,
  objectives: shape.objectives,
  time_window: Type.Array(Type.Object({ duration: Type.String(), is_rolling: Type.Literal(true) })),
  least_events: Type.Integer(),
  enabled: Type.Boolean(),
  state: Type.Enum(SLO_STATES),
  good: Type.Number({ description: 'Events of the window' }),
  total: Type.Number(),
  sli: Nullable(Type.Number({ description: 'good / total' })),
  budget_left: Nullable(Type.Number({ description: 'Share of the budget: 1 untouched, 0 spent, below 0 overspent' })),
  burn: Type.Array(Burn),
  counted_to: Nullable(Type.String()),
  error: Nullable(Type.String()),
});
export type Slo = Static<typeof Slo>;

export const SloHistory = Type.Object({
  slo_id: Type.String(),
  step_ms: Type.Integer(),
  points: Type.Array(
    Type.Object({ at: Type.String(), good: Type.Number(), total: Type.Number(), budget_left: Nullable(Type.Number()) }),
  ),
});
export type SloHistory = Static<typeof SloHistory>;
