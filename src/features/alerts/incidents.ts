import { type IncidentEvent, type IncidentState, nextIncidentState } from '#contract/incidents.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx } from '#platform/db/db.ts';
import type { IncidentRow } from './incident-row.ts';
import { planEnd, planStart, planUpdate } from './notify/plan.ts';
import type { PolicyRow } from './policies.ts';

export interface IncidentStart {
  group_key: string;
  labels: Record<string, string>;
  title: string;
  detail?: IncidentRow['detail'];
  at: Date;
}

/** A series of an incident. */
export interface Member {
  key: string;
  labels: Record<string, string>;
  value: number;
}

export const SYSTEM = 'caudal';

export function activeIncidents(db: Db, policyId: string): Promise<IncidentRow[]> {
  return rows(
    db,
    sql<IncidentRow>`SELECT * FROM incidents WHERE policy_id = ${policyId} AND state <> 'resolved' ORDER BY id`,
  );
}

/** Opens one, and plans who is told. The unique index over active ones is the last word: two evaluators open it once. */
export async function openIncident(tx: Tx, policy: PolicyRow, start: IncidentStart): Promise<IncidentRow | undefined> {
  const opened = await first(
    tx,
    sql<IncidentRow>`
      INSERT INTO incidents (id, workspace_id, policy_id, policy, severity, group_key, labels, title, state, detail, opened_at)
      VALUES (${newId()}, ${policy.workspace_id}, ${policy.id}, ${policy.name}, ${policy.severity}, ${start.group_key},
              ${JSON.stringify(start.labels)}::jsonb, ${start.title}, 'open', ${JSON.stringify(start.detail ?? {})}::jsonb,
              ${start.at})
      ON CONFLICT (policy_id, group_key) WHERE state <> 'resolved' DO NOTHING RETURNING *`,
  );
  if (!opened) return undefined;
  await addEvent(tx, opened.id, 'opened', SYSTEM, start.at, { severity: policy.severity });
  await planStart(tx, opened, policy.notify);
  return opened;
}

/** Adds series that are new to it; once it was told, further ones are told as well, not too often. */
export async function addMembers(
  tx: Tx,
  incident: IncidentRow,
  policy: PolicyRow,
  members: Member[],
  at: Date,
): Promise<void> {
  let added = 0;
  for (const { key, labels, value } of members) {
    const { rows: fresh } = await sql<{ fresh: boolean }>`
      INSERT INTO incident_series AS s (incident_id, key, labels, value, fired_at)
      VALUES (${incident.id}, ${key}, ${JSON.stringify(labels)}::jsonb, ${value}, ${at})
      ON CONFLICT (incident_id, key) DO UPDATE SET value = excluded.value,
        fired_at = CASE WHEN s.ended_at IS NULL THEN s.fired_at ELSE excluded.fired_at END, ended_at = NULL
      RETURNING fired_at = ${at} AS fresh`.execute(tx);
    if (fresh[0]?.fresh) added += 1;
  }
  if (added === 0 || incident.opened_at.getTime() === at.getTime()) return;
  await addEvent(tx, incident.id, 'series', SYSTEM, at, { added });
  await planUpdate(tx, incident, policy.notify, at);
}

/** The condition is over. */
export async function resolveIncident(tx: Tx, incident: IncidentRow, at: Date): Promise<void> {
  await step(tx, incident.id, 'resolve', sql`resolved_at = ${at}`);
  await sql`UPDATE incident_series SET ended_at = ${at} WHERE incident_id = ${incident.id} AND ended_at IS NULL`.execute(
    tx,
  );
  await addEvent(tx, incident.id, 'resolved', SYSTEM, at);
  await planEnd(tx, incident, at);
}

/** Somebody takes it on: no repeats, no escalation. @throws incident_closed */
export async function acknowledgeIncident(
  tx: Tx,
  id: string,
  who: string,
  comment: string | undefined,
  at: Date,
): Promise<void> {
  await step(tx, id, 'acknowledge', sql`acknowledged_at = ${at}, acknowledged_by = ${who}`);
  await addEvent(tx, id, 'acknowledged', who, at, comment ? { comment } : {});
}

export async function escalateIncident(tx: Tx, id: string, at: Date): Promise<void> {
  await step(tx, id, 'escalate', sql`escalated_at = coalesce(escalated_at, ${at})`);
  await addEvent(tx, id, 'escalated', SYSTEM, at);
}

/** One step of the transition table. @throws incident_closed for what the table does not hold */
async function step(tx: Tx, id: string, event: IncidentEvent, change: ReturnType<typeof sql>): Promise<void> {
  const found = await first(tx, sql<{ state: IncidentState }>`SELECT state FROM incidents WHERE id = ${id} FOR UPDATE`);
  const next = found && nextIncidentState(found.state, event);
  if (!next) throw fail('incident_closed', `The incident is ${found?.state ?? 'gone'}.`);
  await sql`UPDATE incidents SET state = ${next}, ${change} WHERE id = ${id}`.execute(tx);
}

export async function addEvent(
  db: Db,
  incidentId: string,
  kind: string,
  actor: string,
  at: Date,
  detail: Record<string, unknown> = {},
): Promise<void> {
  await sql`
    INSERT INTO incident_events (id, incident_id, kind, actor, detail, at)
    VALUES (${newId()}, ${incidentId}, ${kind}, ${actor}, ${JSON.stringify(detail)}::jsonb, ${at})`.execute(db);
}
