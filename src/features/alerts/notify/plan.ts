import { durationMs } from '#contract/metrics/lex.ts';
import type { Notify } from '#contract/policies.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { ownedBy } from '#platform/db/owner.ts';
import type { IncidentRow } from '../incident-row.ts';

/** What shall be told, when, written with what it is about. Alertmanager's words and defaults, but for `group_wait`. */
export const DEFAULT_WAITS = { group_wait: '10s', group_interval: '5m', repeat_interval: '4h' } as const;

export type Reason = 'opened' | 'updated' | 'repeated' | 'escalated' | 'resolved' | 'test' | 'mail';

export function waitOf(notify: Notify, name: keyof typeof DEFAULT_WAITS): number {
  return durationMs(notify[name] ?? DEFAULT_WAITS[name]);
}

const later = (at: Date, ms: number): Date => new Date(at.getTime() + ms);

/** Null stands for the mail to owners or operators that goes out where nobody set up a channel. */
async function channelsFor(db: Db, incident: IncidentRow, escalation: boolean): Promise<(string | null)[]> {
  const all = await rows(
    db,
    sql<{ id: string; fits: boolean }>`
      SELECT id, enabled AND escalation = ${escalation} AND ${incident.severity} = ANY(severities) AS fits
      FROM channels WHERE ${ownedBy(incident.workspace_id)} ORDER BY id`,
  );
  if (all.length === 0) return escalation || incident.severity === 'info' ? [] : [null];
  return all.filter(({ fits }) => fits).map(({ id }) => id);
}

interface Planned {
  incident: IncidentRow;
  channel: string | null;
  reason: Reason;
  /** Distinguishes several of one reason. */
  turn?: string;
  due: Date;
}

export async function plan(db: Db, { incident, channel, reason, turn = '', due }: Planned): Promise<void> {
  await sql`
    INSERT INTO notifications (id, workspace_id, incident_id, channel_id, reason, once, due_at)
    VALUES (${newId()}, ${incident.workspace_id}, ${incident.id}, ${channel}, ${reason},
            ${`${incident.id}:${channel ?? 'default'}:${reason}${turn}`}, ${due})
    ON CONFLICT (once) DO NOTHING`.execute(db);
}

export async function planStart(db: Db, incident: IncidentRow, notify: Notify): Promise<void> {
  const due = later(incident.opened_at, waitOf(notify, 'group_wait'));
  for (const channel of await channelsFor(db, incident, false))
    await plan(db, { incident, channel, reason: 'opened', due });
  if (notify.escalate_after === undefined) return;
  const escalation = later(incident.opened_at, durationMs(notify.escalate_after));
  for (const channel of await channelsFor(db, incident, true)) {
    await plan(db, { incident, channel, reason: 'escalated', due: escalation });
  }
}

/** To those who were told; what waits to be told will say it anyway. */
export async function planUpdate(db: Db, incident: IncidentRow, notify: Notify, at: Date): Promise<void> {
  const told = await rows(
    db,
    sql<{ channel_id: string | null; last: Date; turns: number }>`
      SELECT n.channel_id, max(n.ended_at) AS last, count(*) AS turns FROM notifications n
      WHERE n.incident_id = ${incident.id} AND n.state = 'sent' AND NOT EXISTS (
        SELECT 1 FROM notifications w WHERE w.incident_id = n.incident_id AND w.state = 'waiting'
          AND w.reason IN ('opened', 'updated') AND w.channel_id IS NOT DISTINCT FROM n.channel_id)
      GROUP BY n.channel_id`,
  );
  for (const { channel_id: channel, last, turns } of told) {
    const due = new Date(Math.max(at.getTime(), last.getTime() + waitOf(notify, 'group_interval')));
    await plan(db, { incident, channel, reason: 'updated', turn: String(turns), due });
  }
}

/** To everybody who was, or is about to be, told of it. */
export async function planEnd(db: Db, incident: IncidentRow, at: Date): Promise<void> {
  const told = await rows(
    db,
    sql<{ channel_id: string | null }>`
      SELECT DISTINCT channel_id FROM notifications
      WHERE incident_id = ${incident.id} AND reason IN ('opened', 'escalated') AND state IN ('waiting', 'sent')`,
  );
  for (const { channel_id: channel } of told) await plan(db, { incident, channel, reason: 'resolved', due: at });
}
