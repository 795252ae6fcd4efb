import { createHash } from 'node:crypto';
import { type Alert, type AlertState, type Alerts, stepAlerts } from '#contract/metrics/alerting.ts';
import type { Point } from '#contract/metrics/binary.ts';
import { type EvaluatedRange, evaluateAt, LOOKBACK_MS, loadSeries, requestsOf } from '#contract/metrics/evaluate.ts';
import { selectForeseen } from '#contract/metrics/foreseen.ts';
import { keepLabels, labelKey, type SelectSeries } from '#contract/metrics/series.ts';
import type { Clock } from '#kernel/clock.ts';
import { type Db, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import type { Owner } from '#platform/db/owner.ts';
import type { Logger } from '#platform/observe/log.ts';
import { counter, histogram } from '#platform/observe/metrics/instruments.ts';
import { untraced, withSpan } from '#platform/observe/tracing.ts';
import { type Compiled, compileCondition, type Evaluated } from '../condition.ts';
import type { IncidentRow } from '../incident-row.ts';
import { activeIncidents, addMembers, type Member, openIncident, resolveIncident } from '../incidents.ts';
import { withLatched } from '../latch.ts';
import { enabledPolicies, type PolicyRow } from '../policies.ts';

export interface EvaluatorDeps {
  db: Db;
  clock: Clock;
  log: Logger;
  /** The series that this owner's policies may see. */
  selectFor(owner: Owner): SelectSeries;
}

/** After a longer break what was pending begins anew: nobody knows what was in between. */
const RESTORABLE_MS = 3_600_000;
/** A policy that finds more series than that is a mistake, and would fill the catalogue. */
const MOST_ALERTS = 1_000;

/** Evaluates every policy once, at one moment. A policy that fails says so and does not stop the others. */
export async function evaluatePolicies(deps: EvaluatorDeps, at: Date): Promise<void> {
  const policies = (await enabledPolicies(deps.db)).filter(({ condition }) => condition.kind !== 'instance_down');
  const begun = performance.now();
  await withSpan('evaluate policies', { attributes: { 'caudal.policies': policies.length } }, async () => {
    // A span of each statement, four times a minute for ever, would say nothing.
    await untraced(async () => {
      for (const [owner, theirs] of Map.groupBy(policies, ({ workspace_id }) => workspace_id)) {
        const select = await selectOnce(deps, owner, theirs, at);
        for (const policy of theirs) await evaluateOne(deps, policy, select, at);
      }
      await settleOff(deps.db, at);
    });
  });
  histogram('caudal.policies.duration').record((performance.now() - begun) / 1000);
}

/** One question to the store for all policies of an owner: each would open the same files again. */
function selectOnce(
  { selectFor, log }: EvaluatorDeps,
  owner: Owner,
  policies: readonly PolicyRow[],
  at: Date,
): Promise<SelectSeries> {
  const requests = policies.flatMap((policy) => {
    const compiled = compiledOrNone(policy);
    const parts = compiled?.latch ? [compiled.expression, compiled.latch] : compiled ? [compiled.expression] : [];
    return parts.flatMap((part) => requestsOf(part, momentOf(at)));
  });
  return selectForeseen(selectFor(owner), requests, (error) =>
    log.warn({ err: error }, 'policies: one question for all failed, each asks by itself'),
  );
}

const momentOf = (at: Date): EvaluatedRange => ({ from: at.getTime(), to: at.getTime(), lookback: LOOKBACK_MS });

/** What is wrong with a condition is said where its policy is evaluated. */
function compiledOrNone({ condition }: PolicyRow): Compiled | undefined {
  try {
    return compileCondition(condition as Evaluated);
  } catch {
    return undefined;
  }
}

async function evaluateOne(deps: EvaluatorDeps, policy: PolicyRow, select: SelectSeries, at: Date): Promise<void> {
  const { db, log } = deps;
  try {
    const found = await find(policy, select, at);
    await transaction(db, async (tx) => {
      const alerts = await readAlerts(tx, policy, at);
      const step = stepAlerts(alerts, found(alerts), {}, timingOf(policy), at.getTime());
      if (step.alerts.size > MOST_ALERTS) throw new Error(`finds ${step.alerts.size} series, more than ${MOST_ALERTS}`);
      await writeAlerts(tx, policy.id, alerts, step.alerts);
      await settleIncidents(
        tx,
        policy,
        [...step.alerts.values()].filter(({ state }) => state === 'firing'),
        at,
      );
      await sql`UPDATE policies SET evaluated_at = ${at}, error = NULL WHERE id = ${policy.id}`.execute(tx);
    });
    counter('caudal.policies.evaluations').add(1, { 'caudal.outcome': 'evaluated' });
  } catch (error) {
    counter('caudal.policies.evaluations').add(1, { 'caudal.outcome': 'failed' });
    log.warn({ err: error, policy: policy.id, name: policy.name }, 'policy: could not be evaluated');
    const message = (error as Error).message.slice(0, 500);
    await sql`UPDATE policies SET error = ${message} WHERE id = ${policy.id}`.execute(db);
  }
}

/** What meets the condition now, given what fired before (an absence lasts until its series is back). */
async function find(policy: PolicyRow, select: SelectSeries, at: Date): Promise<(alerts: Alerts) => Point[]> {
  const { expression, latch } = compileCondition(policy.condition as Evaluated);
  const found = evaluateAt(expression, at.getTime(), await loadSeries(expression, momentOf(at), select));
  const present = latch && evaluateAt(latch, at.getTime(), await loadSeries(latch, momentOf(at), select));
  return (alerts) => withLatched(found, alerts, present);
}

const timingOf = ({ for_ms, keep_firing_for_ms }: PolicyRow) => ({ for: for_ms, keep_firing_for: keep_firing_for_ms });

interface AlertRow {
  labels: Record<string, string>;
  value: number;
  state: AlertState;
  active_at: Date;
  fired_at: Date | null;
  missed_at: Date | null;
}

async function readAlerts(tx: Tx, policy: PolicyRow, at: Date): Promise<Map<string, Alert>> {
  const stored = await rows(tx, sql<AlertRow>`SELECT * FROM policy_alerts WHERE policy_id = ${policy.id} FOR UPDATE`);
  const away = policy.evaluated_at ? at.getTime() - policy.evaluated_at.getTime() : 0;
  const kept = stored.filter(({ state }) => state === 'firing' || away <= RESTORABLE_MS);
  return new Map(
    kept.map((row) => [
      labelKey(row.labels),
      {
        labels: row.labels,
        value: row.value,
        state: row.state,
        active_at: row.active_at.getTime(),
        fired_at: row.fired_at?.getTime() ?? null,
        missed_at: row.missed_at?.getTime() ?? null,
      },
    ]),
  );
}

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

async function writeAlerts(tx: Tx, policyId: string, before: Alerts, after: Alerts): Promise<void> {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms));
  for (const [key, alert] of after) {
    const { labels, value, state, active_at, fired_at, missed_at } = alert;
    await sql`
      INSERT INTO policy_alerts (policy_id, key, labels, value, state, active_at, fired_at, missed_at)
      VALUES (${policyId}, ${hashOf(key)}, ${JSON.stringify(labels)}::jsonb, ${value}, ${state}, ${time(active_at)},
              ${time(fired_at)}, ${time(missed_at)})
      ON CONFLICT (policy_id, key) DO UPDATE SET value = excluded.value, state = excluded.state,
        active_at = excluded.active_at, fired_at = excluded.fired_at, missed_at = excluded.missed_at`.execute(tx);
  }
  // Rows that were not restored go as well.
  const kept = [...after.keys()].map(hashOf);
  if (kept.length < before.size || before.size === 0 || kept.length === 0) {
    await sql`DELETE FROM policy_alerts WHERE policy_id = ${policyId} AND NOT key = ANY(${kept})`.execute(tx);
  }
}

/** Firing series in the incidents of their groups: new ones open or join, groups without any are over. */
async function settleIncidents(tx: Tx, policy: PolicyRow, firing: readonly Alert[], at: Date): Promise<void> {
  const by = (policy.notify.group_by ?? []).map((name) => name.replaceAll('.', '_'));
  const groups = Map.groupBy(firing, ({ labels }) => hashOf(labelKey(keepLabels(labels, by))));
  const active = await activeIncidents(tx, policy.id);
  for (const [group_key, alerts] of groups) {
    const members = alerts.map(({ labels, value }): Member => ({ key: hashOf(labelKey(labels)), labels, value }));
    const known = active.find((incident) => incident.group_key === group_key);
    const incident = known ?? (await openIncident(tx, policy, startOf(policy, group_key, members, by, at)));
    if (!incident) continue;
    await addMembers(tx, incident, policy, members, at);
    if (known) await endGone(tx, known, members, at);
  }
  for (const incident of active) if (!groups.has(incident.group_key)) await resolveIncident(tx, incident, at);
}

async function endGone(tx: Tx, incident: IncidentRow, members: Member[], at: Date): Promise<void> {
  const there = members.map(({ key }) => key);
  await sql`
    UPDATE incident_series SET ended_at = ${at}
    WHERE incident_id = ${incident.id} AND ended_at IS NULL AND NOT key = ANY(${there})`.execute(tx);
}

function startOf(policy: PolicyRow, group_key: string, members: Member[], by: string[], at: Date) {
  const group = keepLabels(members[0]?.labels ?? {}, by);
  const labels = { ...sharedLabels(members), ...group, ...policy.labels };
  const named = Object.values(group).join(', ');
  return { group_key, labels, title: named ? `${policy.name}: ${named}` : policy.name, at };
}

/** What all series of an incident agree on. */
function sharedLabels(members: readonly Member[]): Record<string, string> {
  const [first, ...rest] = members;
  return Object.fromEntries(
    Object.entries(first?.labels ?? {}).filter(([name, value]) => rest.every(({ labels }) => labels[name] === value)),
  );
}

/** What was firing when its policy was switched off or removed is over. */
async function settleOff(db: Db, at: Date): Promise<void> {
  const left = await rows(
    db,
    sql<IncidentRow>`
      SELECT i.* FROM incidents i LEFT JOIN policies p ON p.id = i.policy_id
      WHERE i.state <> 'resolved' AND (p.id IS NULL OR NOT p.enabled)`,
  );
  for (const incident of left) await transaction(db, (tx) => resolveIncident(tx, incident, at));
  await sql`DELETE FROM policy_alerts a USING policies p WHERE p.id = a.policy_id AND NOT p.enabled`.execute(db);
}
