import { type Static, Type } from 'typebox';
import { Nullable } from './policies.ts';

const Milliseconds = (description: string, min: number, max: number) =>
  Type.Integer({ minimum: min, maximum: max, description });

const shape = {
  name: Type.String({ minLength: 1, maxLength: 100 }),
  interval_ms: Type.Optional(
    Milliseconds('Default: a minute; at most four, so that a policy always has one to look at', 10_000, 240_000),
  ),
  timeout_ms: Type.Optional(Milliseconds('Default: 10 s', 100, 60_000)),
  expect: Type.Optional(
    Type.Object(
      {
        status: Type.Optional(
          Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { maxItems: 20, description: 'Default: any 2xx' }),
        ),
        body: Type.Optional(Type.String({ maxLength: 500, description: 'Must occur in the first 64 KiB' })),
      },
      { additionalProperties: false },
    ),
  ),
  enabled: Type.Optional(Type.Boolean({ default: true })),
};

const Target = Type.String({
  minLength: 3,
  maxLength: 2000,
  description: 'An http(s) URL, or host:port. Public addresses; the operator’s own checks may name private ones',
});

export const UptimeInput = Type.Object(
  {
    ...shape,
    kind: Type.Enum(['http', 'tcp']),
    target: Target,
    scope: Type.Optional(Type.Enum(['workspace', 'installation'])),
  },
  { additionalProperties: false },
);
export type UptimeInput = Static<typeof UptimeInput>;
export const UptimePatch = Type.Partial(Type.Object({ ...shape, target: Target }), { additionalProperties: false });
export type UptimePatch = Static<typeof UptimePatch>;

export const UptimeResult = Type.Object({
  at: Type.String(),
  up: Type.Boolean(),
  latency_ms: Type.Number(),
  status: Nullable(Type.Integer()),
  certificate_days: Nullable(Type.Number()),
  error: Nullable(Type.String()),
});
export type UptimeResult = Static<typeof UptimeResult>;

export const UptimeCheck = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  kind: Type.Enum(['http', 'tcp']),
  target: Type.String(),
  interval_ms: Type.Integer(),
  timeout_ms: Type.Integer(),
  expect: Type.Object({ status: Type.Optional(Type.Array(Type.Integer())), body: Type.Optional(Type.String()) }),
  enabled: Type.Boolean(),
  state: Type.Enum(['up', 'down', 'unknown', 'off']),
  last: Nullable(UptimeResult),
  availability: Nullable(Type.Number({ description: 'Share of the checks of 24 hours that were good' })),
  created_at: Type.String(),
});
export type UptimeCheck = Static<typeof UptimeCheck>;
