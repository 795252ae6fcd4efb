import { type Static, Type } from 'typebox';
import { Nullable, SEVERITIES } from './policies.ts';

export const INCIDENT_STATES = ['open', 'acknowledged', 'resolved'] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];
export const INCIDENT_EVENTS = ['acknowledge', 'escalate', 'resolve'] as const;
export type IncidentEvent = (typeof INCIDENT_EVENTS)[number];

/** What may happen to an incident: total over state × event. One that comes back after its end is another incident. */
export const INCIDENT_TRANSITIONS: Record<IncidentState, Partial<Record<IncidentEvent, IncidentState>>> = {
  open: { acknowledge: 'acknowledged', escalate: 'open', resolve: 'resolved' },
  acknowledged: { resolve: 'resolved' },
  resolved: {},
};

export function nextIncidentState(from: IncidentState, event: IncidentEvent): IncidentState | undefined {
  return INCIDENT_TRANSITIONS[from][event];
}

const LostWork = Type.Object({
  task_id: Type.String(),
  kind: Type.String(),
  status: Nullable(Type.String()),
  instance: Nullable(Type.String({ description: 'Who has it now' })),
});

/** Of an instance that is down: which, since when, what it said last, and where its work went. */
export const InstanceDetail = Type.Object({
  instance_id: Type.String(),
  name: Type.String(),
  roles: Type.Array(Type.String()),
  host: Type.String(),
  pid: Type.Integer(),
  cause: Type.String(),
  since: Type.String({ description: 'Its last sign of life' }),
  logs: Type.Array(Type.String({ description: 'Its last lines' })),
  tasks: Type.Array(LostWork),
  tasks_lost: Type.Integer(),
  replaced_by: Nullable(Type.String()),
  replaced_at: Nullable(Type.String()),
});
export type InstanceDetail = Static<typeof InstanceDetail>;

export const IncidentSeries = Type.Object({
  labels: Type.Record(Type.String(), Type.String()),
  value: Nullable(Type.Number()),
  fired_at: Type.String(),
  ended_at: Nullable(Type.String()),
});
export type IncidentSeries = Static<typeof IncidentSeries>;

export const Incident = Type.Object({
  id: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  policy_id: Nullable(Type.String()),
  policy: Type.String(),
  severity: Type.Enum(SEVERITIES),
  title: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
  state: Type.Enum(INCIDENT_STATES),
  opened_at: Type.String(),
  acknowledged_at: Nullable(Type.String()),
  acknowledged_by: Nullable(Type.String()),
  escalated_at: Nullable(Type.String()),
  resolved_at: Nullable(Type.String()),
  instance: Type.Optional(InstanceDetail),
});
export type Incident = Static<typeof Incident>;

export const IncidentHistory = Type.Object({
  ...Incident.properties,
  series: Type.Array(IncidentSeries),
  events: Type.Array(
    Type.Object({
      at: Type.String(),
      kind: Type.String({ description: 'opened, acknowledged, escalated, resolved, told, not_told, series' }),
      actor: Type.String(),
      detail: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
});
export type IncidentHistory = Static<typeof IncidentHistory>;
