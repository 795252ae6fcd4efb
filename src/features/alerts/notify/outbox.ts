import type { Mail } from '#contract/mail.ts';
import { durationMs } from '#contract/metrics/lex.ts';
import type { Notify } from '#contract/policies.ts';
import { backoffDelay } from '#kernel/backoff.ts';
import type { Clock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { untraced, withSpan } from '#platform/observe/tracing.ts';
import type { IncidentRow } from '../incident-row.ts';
import { addEvent, escalateIncident, SYSTEM } from '../incidents.ts';
import type { ChannelRow } from './channels.ts';
import { type Due, decide } from './decide.ts';
import { plan, type Reason, waitOf } from './plan.ts';
import { activeSilences, isSilenced, type SilenceRow } from './silences.ts';

/** A notification with all that its words are made of. */
export interface Message {
  id: string;
  reason: Reason;
  /** Null: the mail to owners or operators that goes out where nobody set up a channel. */
  channel: ChannelRow | null;
  workspace_id: string | null;
  incident: IncidentRow | null;
  policy: { summary: string; runbook: string } | null;
  mail: Mail | null;
}

/** @throws Undeliverable when it will never arrive; anything else is tried again */
export type Deliver = (message: Message) => Promise<void>;

export class Undeliverable extends Error {}

export interface OutboxDeps {
  db: Db;
  clock: Clock;
  log: Logger;
  deliver: Deliver;
  /** For backoff; tests are certain. */
  random?: () => number;
}

interface WaitingRow {
  id: string;
  workspace_id: string | null;
  reason: Reason;
  attempts: number;
  held: string | null;
  mail: Mail | null;
  channel: ChannelRow | null;
  incident: (Omit<IncidentRow, 'opened_at' | 'acknowledged_at' | 'escalated_at' | 'resolved_at'> & Times) | null;
  summary: string | null;
  runbook: string | null;
  notify: Notify | null;
  opened: Due['opened'];
  inhibited: boolean;
}
type Times = Record<'opened_at' | 'acknowledged_at' | 'escalated_at' | 'resolved_at', string | null>;

const BATCH = 50;
const HOLD_MS = 5_000;
const AFTER_FIRST_MS = 500;
const BACKOFF = { base: 2_000, cap: 300_000 };
/** Three days of retries at the cap; whoever reads it then reads the console as well. */
const MOST_ATTEMPTS = 900;

/** Tells what is due. Only the holder of the alerts lock calls this, one call at a time. @returns how many were sent */
export async function tellDue(deps: OutboxDeps): Promise<number> {
  const waiting = await untraced(() => dueRows(deps.db, deps.clock.now()));
  if (waiting.length === 0) return 0;
  const silences = await activeSilences(deps.db, deps.clock.now());
  // One channel after the other would let a hanging one delay the rest.
  const lanes = Map.groupBy(waiting, ({ channel, mail }) => channel?.id ?? (mail ? 'mail' : 'default'));
  const sent = await Promise.all([...lanes.values()].map((lane) => tellInOrder(deps, lane, silences)));
  return sent.reduce((sum, count) => sum + count, 0);
}

async function tellInOrder(deps: OutboxDeps, lane: WaitingRow[], silences: readonly SilenceRow[]): Promise<number> {
  let sent = 0;
  for (const row of lane) if ((await isStillDue(deps.db, row)) && (await tell(deps, row, silences))) sent += 1;
  return sent;
}

/** Not if another process has told it while this one was frozen in the middle of a lane. */
async function isStillDue(db: Db, { id, attempts }: WaitingRow): Promise<boolean> {
  const found = await untraced(() =>
    rows(db, sql`SELECT 1 FROM notifications WHERE id = ${id} AND state = 'waiting' AND attempts = ${attempts}`),
  );
  return found.length > 0;
}

/** In the order of their times; each with its incident and channel as they are now. */
function dueRows(db: Db, now: Date): Promise<WaitingRow[]> {
  return rows(
    db,
    sql<WaitingRow>`
      SELECT n.id, n.workspace_id, n.reason, n.attempts, n.held, n.mail, to_jsonb(c) AS channel, to_jsonb(i) AS incident,
        p.summary, p.runbook, p.notify,
        (SELECT o.state FROM notifications o WHERE o.incident_id = n.incident_id AND o.reason IN ('opened', 'escalated')
           AND o.channel_id IS NOT DISTINCT FROM n.channel_id ORDER BY o.state = 'sent' DESC, o.id LIMIT 1) AS opened,
        EXISTS (
          SELECT 1 FROM incidents e WHERE e.state <> 'resolved' AND e.workspace_id IS NOT DISTINCT FROM i.workspace_id
            AND e.id <> i.id AND p.notify->'inhibited_by' ? e.policy) AS inhibited
      FROM notifications n LEFT JOIN channels c ON c.id = n.channel_id LEFT JOIN incidents i ON i.id = n.incident_id
        LEFT JOIN policies p ON p.id = i.policy_id
      WHERE n.state = 'waiting' AND n.due_at <= ${now} ORDER BY n.due_at, n.id LIMIT ${BATCH}`,
  );
}

async function tell(deps: OutboxDeps, row: WaitingRow, silences: readonly SilenceRow[]): Promise<boolean> {
  const incident = row.incident && revived(row.incident);
  const verdict = decide({
    reason: row.reason,
    incident: incident?.state ?? 'open',
    opened: row.opened,
    tellBrief: row.notify?.briefly === 'tell',
    silenced: incident !== null && isSilenced(silences, incident),
    inhibited: row.inhibited,
  });
  if (verdict.do === 'drop') await drop(deps, row, verdict.why);
  if (verdict.do === 'hold') await hold(deps, row, verdict.why);
  return verdict.do === 'send' ? send(deps, row, incident) : false;
}

/** Times inside of `to_jsonb` are texts. */
function revived(row: NonNullable<WaitingRow['incident']>): IncidentRow {
  const time = (text: string | null) => (text === null ? null : new Date(text));
  return {
    ...row,
    opened_at: new Date(row.opened_at ?? 0),
    acknowledged_at: time(row.acknowledged_at),
    escalated_at: time(row.escalated_at),
    resolved_at: time(row.resolved_at),
  };
}

async function send(deps: OutboxDeps, row: WaitingRow, incident: IncidentRow | null): Promise<boolean> {
  const { db, clock, log } = deps;
  const kind = row.channel?.kind ?? 'email';
  const policy = row.summary === null ? null : { summary: row.summary, runbook: row.runbook ?? '' };
  const { id, reason, channel, workspace_id, mail } = row;
  try {
    await withSpan(
      'notify',
      { attributes: { 'caudal.channel.kind': kind, 'caudal.notification.reason': reason } },
      () => deps.deliver({ id, reason, channel, workspace_id, incident, policy, mail }),
    );
  } catch (error) {
    counter('caudal.notifications').add(1, { 'caudal.channel.kind': kind, 'caudal.outcome': 'failed' });
    await failed(deps, row, error as Error);
    return false;
  }
  counter('caudal.notifications').add(1, { 'caudal.channel.kind': kind, 'caudal.outcome': 'sent' });
  const now = clock.now();
  await transaction(db, async (tx) => {
    await sql`UPDATE notifications SET state = 'sent', ended_at = ${now}, attempts = attempts + 1, held = NULL, error = NULL
              WHERE id = ${id}`.execute(tx);
    if (!incident) return;
    await addEvent(tx, incident.id, 'told', SYSTEM, now, { reason, channel: channel?.name ?? 'default mail', kind });
    if (reason === 'escalated' && incident.state === 'open') await escalateIncident(tx, incident.id, now);
    if (reason === 'opened' || reason === 'repeated') await planRepeat(tx, row, incident, now);
  });
  log.info({ notification: id, reason, channel: channel?.name, incident: incident?.id }, 'notification: sent');
  return true;
}

async function planRepeat(tx: Db, row: WaitingRow, incident: IncidentRow, now: Date): Promise<void> {
  if (incident.state !== 'open') return;
  const due = new Date(now.getTime() + waitOf(row.notify ?? {}, 'repeat_interval'));
  await plan(tx, { incident, channel: row.channel?.id ?? null, reason: 'repeated', turn: String(now.getTime()), due });
}

async function hold({ db, clock }: OutboxDeps, row: WaitingRow, why: string): Promise<void> {
  const wait = why === 'silenced' || why === 'inhibited' ? HOLD_MS : AFTER_FIRST_MS;
  const until = new Date(clock.now().getTime() + wait);
  await sql`UPDATE notifications SET due_at = ${until}, held = ${why} WHERE id = ${row.id}`.execute(db);
  if (row.held !== why) await notTold(db, row, why, clock.now());
}

async function drop({ db, clock }: OutboxDeps, row: WaitingRow, why: string): Promise<void> {
  const now = clock.now();
  await sql`UPDATE notifications SET state = 'dropped', held = ${why}, ended_at = ${now} WHERE id = ${row.id}`.execute(
    db,
  );
  if (row.held !== why && row.reason !== 'repeated') await notTold(db, row, why, now);
}

async function notTold(db: Db, row: WaitingRow, why: string, at: Date): Promise<void> {
  if (!row.incident || why === 'after the first message') return;
  await addEvent(db, row.incident.id, 'not_told', SYSTEM, at, {
    reason: row.reason,
    why,
    channel: row.channel?.name ?? 'default mail',
  });
}

async function failed({ db, clock, log, random }: OutboxDeps, row: WaitingRow, error: Error): Promise<void> {
  const attempts = row.attempts + 1;
  const never = error instanceof Undeliverable || attempts >= MOST_ATTEMPTS;
  const delay = backoffDelay(row.attempts, { ...BACKOFF, ...(random ? { random } : {}) });
  const now = clock.now();
  await sql`
    UPDATE notifications SET attempts = ${attempts}, error = ${error.message.slice(0, 500)},
      state = ${never ? 'failed' : 'waiting'}, due_at = ${new Date(now.getTime() + delay)}, ended_at = ${never ? now : null}
    WHERE id = ${row.id}`.execute(db);
  log.warn(
    { err: error, notification: row.id, channel: row.channel?.name, attempts },
    never ? 'notification: given up' : 'notification: not sent, tried again',
  );
}

/** A mail of another room goes the same way: kept first, so that it arrives although the server is down now. */
export async function queueMail(db: Db, mail: Mail, now: Date): Promise<void> {
  const id = newId();
  await sql`
    INSERT INTO notifications (id, reason, once, mail, due_at)
    VALUES (${id}, 'mail', ${id}, ${JSON.stringify(mail)}::jsonb, ${now})`.execute(db);
}

/** How long what was told is remembered: as long as the record of a policy reaches. */
export async function sweepNotifications(db: Db, now: Date, keep = durationMs('30d')): Promise<void> {
  const before = new Date(now.getTime() - keep);
  await sql`DELETE FROM notifications WHERE ended_at < ${before}`.execute(db);
  // A mail may hold a link that opens an account: it goes as soon as it was sent.
  await sql`UPDATE notifications SET mail = NULL WHERE reason = 'mail' AND state <> 'waiting' AND mail IS NOT NULL`.execute(
    db,
  );
}
