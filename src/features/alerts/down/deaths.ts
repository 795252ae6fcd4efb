import type { InstanceDetail } from '#contract/incidents.ts';
import type { Clock } from '#kernel/clock.ts';
import { type Db, first, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import { type RecordedDeath, readDeaths } from '#platform/deaths.ts';
import type { IncidentRow } from '../incident-row.ts';
import { activeIncidents, addMembers, openIncident, resolveIncident } from '../incidents.ts';
import type { PolicyRow } from '../policies.ts';
import { settledAt } from './settled.ts';

export interface DeathsDeps {
  db: Db;
  clock: Clock;
  /** The last lines that an instance logged. */
  lastWords(instance: { id: string; name: string | null; host: string }): Promise<string[]>;
}

/** Deaths that nobody has seen for so long (nothing ran that could) are history. */
const WINDOW_MS = 3_600_000;

/**
 * Deaths as incidents: one for each process that was lost, by its name on its machine, so that one that dies again and
 * again is one incident. It is over when what took its place has lived for a while.
 */
export async function settleDeaths(deps: DeathsDeps): Promise<void> {
  const { db, clock } = deps;
  const policy = await first(db, sql<PolicyRow>`SELECT * FROM policies WHERE builtin = 'instance-down' AND enabled`);
  if (!policy) return;
  const now = clock.now();
  const deaths = await readDeaths(db, { since: new Date(now.getTime() - WINDOW_MS) });
  const active = await activeIncidents(db, policy.id);
  const processes = Map.groupBy(deaths, processKey);
  for (const [key, lost] of processes) {
    const known = active.find(({ group_key }) => group_key === key);
    await transaction(db, (tx) => noteDeaths(tx, deps, policy, known, key, lost));
  }
  for (const incident of active) {
    const over = settledAt(processes.get(incident.group_key) ?? [], now);
    if (over) await transaction(db, (tx) => resolveIncident(tx, incident, now));
  }
}

const processKey = ({ host, name, instance_id }: RecordedDeath): string => `${host}/${name ?? instance_id}`;
const nameOf = ({ name, roles, pid }: RecordedDeath): string => name ?? `${roles.join('+')} (pid ${pid})`;

/** Newest first. Deaths that an incident knows already change nothing. */
async function noteDeaths(
  tx: Tx,
  deps: DeathsDeps,
  policy: PolicyRow,
  known: IncidentRow | undefined,
  key: string,
  lost: RecordedDeath[],
): Promise<void> {
  const told = await rows(
    tx,
    sql<{ key: string }>`
      SELECT s.key FROM incident_series s JOIN incidents i ON i.id = s.incident_id
      WHERE i.policy_id = ${policy.id} AND s.key = ANY(${lost.map(({ id }) => id)})`,
  );
  const fresh = lost.filter(({ id }) => !told.some((one) => one.key === id));
  const newest = fresh[0];
  if (!newest) return;
  const now = deps.clock.now();
  const labels = { instance: nameOf(newest), host: newest.host };
  const title = `${nameOf(newest)} on ${newest.host} is down`;
  const detail = { instance: await consequences(deps, newest) };
  const incident = known ?? (await openIncident(tx, policy, { group_key: key, labels, title, detail, at: now }));
  if (!incident) return;
  await sql`UPDATE incidents SET detail = ${JSON.stringify(detail)}::jsonb WHERE id = ${incident.id}`.execute(tx);
  const members = fresh.map((death) => ({
    key: death.id,
    labels: { instance: death.instance_id, cause: death.cause },
    value: 1,
  }));
  await addMembers(tx, incident, policy, members, now);
}

async function consequences(deps: DeathsDeps, death: RecordedDeath): Promise<InstanceDetail> {
  const { instance_id, host, name } = death;
  return { ...described(death), logs: await deps.lastWords({ id: instance_id, host, name }) };
}

function described(death: RecordedDeath): Omit<InstanceDetail, 'logs'> {
  return {
    instance_id: death.instance_id,
    name: nameOf(death),
    roles: death.roles,
    host: death.host,
    pid: death.pid,
    cause: death.cause,
    since: death.last_heartbeat_at,
    tasks: death.tasks.map(({ task_id, kind, status, instance }) => ({ task_id, kind, status, instance })),
    tasks_lost: death.tasks_lost,
    replaced_by: death.replaced_by,
    replaced_at: death.replaced_at,
  };
}

/** The incident with where its work is at this moment: what a mail says shall be true when it is sent. */
export async function refreshDeath(db: Db, incident: IncidentRow): Promise<IncidentRow> {
  const { instance } = incident.detail;
  if (!instance) return incident;
  const [death] = await readDeaths(db, { instances: [instance.instance_id] });
  if (!death) return incident;
  const detail = { ...incident.detail, instance: { ...described(death), logs: instance.logs } };
  await sql`UPDATE incidents SET detail = ${JSON.stringify(detail)}::jsonb WHERE id = ${incident.id}`.execute(db);
  return { ...incident, detail };
}
