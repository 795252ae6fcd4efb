import type { Incident, IncidentState, InstanceDetail } from '#contract/incidents.ts';
import type { Severity } from '#contract/policies.ts';
import { type Owner, scopeOf } from '#platform/db/owner.ts';

export interface IncidentRow {
  id: string;
  workspace_id: Owner;
  policy_id: string | null;
  policy: string;
  severity: Severity;
  group_key: string;
  labels: Record<string, string>;
  title: string;
  state: IncidentState;
  /** The instance that is down, or what met the condition. */
  detail: { instance?: InstanceDetail; series?: { labels: Record<string, string>; value: number }[] };
  opened_at: Date;
  acknowledged_at: Date | null;
  acknowledged_by: string | null;
  escalated_at: Date | null;
  resolved_at: Date | null;
}

export function toIncident(row: IncidentRow): Incident {
  return {
    id: row.id,
    scope: scopeOf(row.workspace_id),
    policy_id: row.policy_id,
    policy: row.policy,
    severity: row.severity,
    title: row.title,
    labels: row.labels,
    state: row.state,
    opened_at: row.opened_at.toISOString(),
    acknowledged_at: row.acknowledged_at?.toISOString() ?? null,
    acknowledged_by: row.acknowledged_by,
    escalated_at: row.escalated_at?.toISOString() ?? null,
    resolved_at: row.resolved_at?.toISOString() ?? null,
    ...(row.detail.instance ? { instance: row.detail.instance } : {}),
  };
}
