import { type Static, Type } from 'typebox';
import { Nullable } from './policies.ts';

/** What a dashboard can be narrowed to, each within the one before. */
export const DASHBOARD_VARIABLES = ['system', 'service', 'instance'] as const;
export type DashboardVariable = (typeof DASHBOARD_VARIABLES)[number];
/** In a query: as wide as is needed to see at least a few samples. */
const INTERVAL = '$interval';

export const PANEL_UNITS = ['number', 'seconds', 'bytes', 'share', 'per_second', 'bytes_per_second'] as const;
export type PanelUnit = (typeof PANEL_UNITS)[number];

export const Panel = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200 }),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
    section: Type.Optional(Type.String({ maxLength: 200, description: 'Panels of a section stand together' })),
    unit: Type.Optional(Type.Enum([...PANEL_UNITS], { default: 'number' })),
    queries: Type.Array(
      Type.Object(
        {
          query: Type.String({
            minLength: 1,
            maxLength: 2000,
            description: 'PromQL; $system, $service and $instance are patterns, $interval is a window',
          }),
          legend: Type.Optional(Type.String({ maxLength: 200, description: 'With labels as {{label}}' })),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 10 },
    ),
  },
  { additionalProperties: false },
);
export type Panel = Static<typeof Panel>;

const shape = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  variables: Type.Optional(
    Type.Array(Type.Enum([...DASHBOARD_VARIABLES]), { uniqueItems: true, description: 'Default: all three' }),
  ),
  panels: Type.Array(Panel, { minItems: 1, maxItems: 200 }),
};

export const DashboardInput = Type.Object(
  { ...shape, scope: Type.Optional(Type.Enum(['workspace', 'installation'])) },
  { additionalProperties: false },
);
export type DashboardInput = Static<typeof DashboardInput>;
export const DashboardPatch = Type.Partial(Type.Object(shape), { additionalProperties: false });
export type DashboardPatch = Static<typeof DashboardPatch>;

export const Dashboard = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  builtin: Nullable(Type.String()),
  variables: Type.Array(Type.Enum([...DASHBOARD_VARIABLES])),
  panels: Type.Array(Panel),
  created_at: Type.String(),
  updated_at: Type.String(),
});
export type Dashboard = Static<typeof Dashboard>;

/** A query with its variables put in; what is not chosen is everything. */
export function filledQuery(
  query: string,
  chosen: Partial<Record<DashboardVariable, string>>,
  interval: string,
): string {
  const filled = DASHBOARD_VARIABLES.reduce((text, name) => {
    const value = chosen[name];
    return text.replaceAll(`$${name}`, value === undefined ? '.*' : asPattern(value));
  }, query);
  return filled.replaceAll(INTERVAL, interval);
}

/** A chosen value means itself, inside of the quotes of a pattern. */
const asPattern = (value: string): string =>
  value
    .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"');

/** The same query as Grafana writes it. */
export const grafanaQuery = (query: string): string => query.replaceAll(INTERVAL, '$__rate_interval');
