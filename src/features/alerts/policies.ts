import { durationMs, durationText } from '#contract/metrics/lex.ts';
import { printExpression } from '#contract/metrics/print.ts';
import type { Condition, Notify, Policy, PolicyInput, PolicyPatch, Severity } from '#contract/policies.ts';
import type { Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';
import { findVisible, listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';
import { BUILTIN_POLICIES, type BuiltinKey, type BuiltinPolicy } from './builtin.ts';
import { compileCondition, type Evaluated } from './condition.ts';

export interface PolicyRow {
  id: string;
  workspace_id: Owner;
  builtin: string | null;
  name: string;
  summary: string;
  runbook: string;
  severity: Severity;
  enabled: boolean;
  condition: Condition;
  for_ms: number;
  keep_firing_for_ms: number;
  labels: Record<string, string>;
  notify: Notify;
  evaluated_at: Date | null;
  error: string | null;
  created_at: Date;
  updated_at: Date;
}

interface ListedRow extends PolicyRow {
  pending: number;
  firing: number;
  open: number;
  fired: number;
  acknowledged: number;
  flapped: number;
  silenced: number;
}

export const RECORD_DAYS = 30;

/** With its record over 30 days: counts of its incidents, and of those that nobody was told of for a silence. */
const LISTED = sql`
  SELECT p.*,
    (SELECT count(*) FROM policy_alerts a WHERE a.policy_id = p.id AND a.state = 'pending') AS pending,
    (SELECT count(*) FROM policy_alerts a WHERE a.policy_id = p.id AND a.state = 'firing') AS firing,
    (SELECT count(*) FROM incidents i WHERE i.policy_id = p.id AND i.state <> 'resolved') AS open,
    r.fired, r.acknowledged, r.flapped, r.silenced
  FROM policies p LEFT JOIN LATERAL (
    SELECT count(*) AS fired, count(i.acknowledged_at) AS acknowledged,
      count(*) FILTER (WHERE EXISTS (
        SELECT 1 FROM incidents e WHERE e.policy_id = i.policy_id AND e.group_key = i.group_key
          AND e.resolved_at BETWEEN i.opened_at - interval '1 hour' AND i.opened_at AND e.id <> i.id)) AS flapped,
      count(*) FILTER (WHERE EXISTS (
        SELECT 1 FROM incident_events e WHERE e.incident_id = i.id AND e.kind = 'not_told' AND e.detail->>'why' = 'silenced'))
        AS silenced
    FROM incidents i WHERE i.policy_id = p.id AND i.opened_at > now() - make_interval(days => ${RECORD_DAYS})) r ON true`;

export function listPolicies(db: Db, principal: Principal, after: string | null, limit: number): Promise<ListedRow[]> {
  return listVisible(db, LISTED, principal, after, limit);
}

/** @throws policy_not_found */
export async function getPolicy(db: Db, principal: Principal, id: string): Promise<ListedRow> {
  const found = await findVisible<ListedRow>(db, LISTED, principal, id);
  if (!found) throw fail('policy_not_found', 'There is no such policy here.');
  return found;
}

export function toPolicy(row: ListedRow): Policy {
  return {
    id: row.id,
    name: row.name,
    summary: row.summary,
    runbook: row.runbook,
    scope: scopeOf(row.workspace_id),
    builtin: row.builtin,
    severity: row.severity,
    enabled: row.enabled,
    condition: row.condition,
    expression: expressionText(row.condition),
    for: durationText(row.for_ms),
    keep_firing_for: durationText(row.keep_firing_for_ms),
    labels: row.labels,
    notify: row.notify,
    state: stateOf(row),
    series: { pending: row.pending, firing: row.firing },
    error: row.error,
    evaluated_at: row.evaluated_at?.toISOString() ?? null,
    record: {
      days: RECORD_DAYS,
      fired: row.fired,
      acknowledged: row.acknowledged,
      flapped: row.flapped,
      silenced: row.silenced,
    },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

function stateOf(row: ListedRow): Policy['state'] {
  if (!row.enabled) return 'off';
  if (row.error) return 'error';
  if (row.firing > 0 || row.open > 0) return 'firing';
  return row.pending > 0 ? 'pending' : 'ok';
}

function expressionText(condition: Condition): string | null {
  return condition.kind === 'instance_down' ? null : printExpression(compileCondition(condition).expression);
}

/** @throws invalid_input: only Caudal's own policy watches instances, and expressions must parse */
export function checkCondition(condition: Condition, builtin: string | null): void {
  if (condition.kind !== 'instance_down') compileCondition(condition as Evaluated);
  else if (builtin !== 'instance-down') throw fail('invalid_input', 'Instances are watched by the built-in policy.');
}

const ms = (text: string | undefined): number => (text === undefined ? 0 : durationMs(text));

/** @throws invalid_input, already_taken, forbidden */
export async function createPolicy(db: Db, principal: Principal, input: PolicyInput): Promise<string> {
  checkCondition(input.condition, null);
  const id = newId();
  await unlessTaken(
    sql`
    INSERT INTO policies (id, workspace_id, name, summary, runbook, severity, enabled, condition, for_ms,
                          keep_firing_for_ms, labels, notify)
    VALUES (${id}, ${ownerFor(principal, input.scope)}, ${input.name}, ${input.summary ?? ''}, ${input.runbook ?? ''},
            ${input.severity ?? 'ticket'}, ${input.enabled ?? true}, ${JSON.stringify(input.condition)}::jsonb,
            ${ms(input.for)}, ${ms(input.keep_firing_for)}, ${JSON.stringify(input.labels ?? {})}::jsonb,
            ${JSON.stringify(input.notify ?? {})}::jsonb)`.execute(db),
  );
  return id;
}

/** What is left out stays. A changed condition begins anew: its alerts are forgotten. @throws as createPolicy */
export async function changePolicy(db: Db, row: PolicyRow, patch: PolicyPatch): Promise<void> {
  if (patch.condition) checkCondition(patch.condition, row.builtin);
  const next = {
    name: patch.name ?? row.name,
    summary: patch.summary ?? row.summary,
    runbook: patch.runbook ?? row.runbook,
    severity: patch.severity ?? row.severity,
    enabled: patch.enabled ?? row.enabled,
  };
  await unlessTaken(
    sql`
    UPDATE policies SET name = ${next.name}, summary = ${next.summary}, runbook = ${next.runbook},
      severity = ${next.severity}, enabled = ${next.enabled}, edited = true, updated_at = now(), error = NULL,
      condition = ${JSON.stringify(patch.condition ?? row.condition)}::jsonb,
      for_ms = ${patch.for === undefined ? row.for_ms : ms(patch.for)},
      keep_firing_for_ms = ${patch.keep_firing_for === undefined ? row.keep_firing_for_ms : ms(patch.keep_firing_for)},
      labels = ${JSON.stringify(patch.labels ?? row.labels)}::jsonb,
      notify = ${JSON.stringify(patch.notify ?? row.notify)}::jsonb
    WHERE id = ${row.id}`.execute(db),
  );
}

async function unlessTaken(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    throw fail('already_taken', 'A policy of that name exists.', {
      errors: [{ field: 'name', code: 'already_taken', message: 'A policy of that name exists.' }],
    });
  }
}

/** Makes the built-in policies that are not there, and brings those that nobody edited to this version's. */
export async function seedPolicies(db: Db): Promise<void> {
  for (const [key, policy] of Object.entries<BuiltinPolicy>(BUILTIN_POLICIES)) {
    await sql`
      INSERT INTO policies (id, builtin, name, summary, runbook, severity, condition, for_ms, keep_firing_for_ms, notify)
      VALUES (${newId()}, ${key}, ${policy.name}, ${policy.summary}, ${policy.runbook}, ${policy.severity},
              ${JSON.stringify(policy.condition)}::jsonb, ${ms(policy.for)}, ${ms(policy.keep_firing_for)},
              ${JSON.stringify(policy.notify ?? {})}::jsonb)
      ON CONFLICT (builtin) WHERE builtin IS NOT NULL DO UPDATE SET name = excluded.name, summary = excluded.summary,
        runbook = excluded.runbook, severity = excluded.severity, condition = excluded.condition, for_ms = excluded.for_ms,
        keep_firing_for_ms = excluded.keep_firing_for_ms, notify = excluded.notify
      WHERE NOT policies.edited`.execute(db);
  }
}

/** Copies of built-in policies for an owner who has none of that name; the installation has its own. */
export async function copyPolicies(tx: Tx, owner: Owner, keys: readonly BuiltinKey[]): Promise<void> {
  if (owner === null) return;
  for (const key of keys) {
    const policy: BuiltinPolicy = BUILTIN_POLICIES[key];
    await sql`
      INSERT INTO policies (id, workspace_id, name, summary, runbook, severity, condition, for_ms, keep_firing_for_ms, notify)
      VALUES (${newId()}, ${owner}, ${policy.name}, ${policy.summary}, ${policy.runbook}, ${policy.severity},
              ${JSON.stringify(policy.condition)}::jsonb, ${ms(policy.for)}, ${ms(policy.keep_firing_for)},
              ${JSON.stringify(policy.notify ?? {})}::jsonb) ON CONFLICT DO NOTHING`.execute(tx);
  }
}

/** Those that are to be evaluated, of everybody. */
export function enabledPolicies(db: Db): Promise<PolicyRow[]> {
  return rows(db, sql<PolicyRow>`SELECT * FROM policies WHERE enabled ORDER BY id`);
}
