import { Webhook } from 'standardwebhooks';
import type { Mail } from '#contract/mail.ts';
import type { Clock } from '#kernel/clock.ts';
import { CaudalError } from '#kernel/errors.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Posted, PostJson } from '#platform/http/post.ts';
import { type Mailer, MailRefused } from '#platform/mail/smtp.ts';
import { type IncidentRow, toIncident } from '../incident-row.ts';
import { compose } from './compose.ts';
import { type Deliver, type Message, Undeliverable } from './outbox.ts';

export interface DeliveryDeps {
  db: Db;
  clock: Clock;
  /** Null while no mail server is set. */
  mailer: Mailer | null;
  post: PostJson;
  /** Where people reach the console. */
  publicUrl: string;
  /** Whom the installation's default mail goes to; none: the operators' own addresses. */
  operators: readonly string[];
  /** The incident with what is known of it at this moment. */
  refresh(incident: IncidentRow): Promise<IncidentRow>;
}

const PAGERDUTY = 'https://events.pagerduty.com/v2/enqueue';

export function createDeliver(deps: DeliveryDeps): Deliver {
  return async (given) => {
    const message = given.incident ? { ...given, incident: await deps.refresh(given.incident) } : given;
    if (message.mail) return sendMail(deps, [message.mail], message.id);
    switch (message.channel?.kind) {
      case 'webhook':
        return callWebhook(deps, message);
      case 'pagerduty':
        return callPagerDuty(deps, message);
      default:
        return sendMails(deps, message);
    }
  };
}

async function sendMails(deps: DeliveryDeps, message: Message): Promise<void> {
  const named = message.channel?.config.to ?? [];
  const to =
    named.length > 0 ? named : await defaultRecipients(deps, message.channel?.workspace_id ?? message.workspace_id);
  if (to.length === 0) throw new Undeliverable('Nobody has an address to send it to.');
  const language = message.channel?.config.language ?? 'en';
  const words = compose(message, { publicUrl: deps.publicUrl, language });
  // One message with all of them, so that one failure is not sent twice to the others.
  await sendMail(deps, [{ to: to.join(', '), ...words }], message.id);
}

/** Owners of a workspace; for the installation the operators. */
async function defaultRecipients({ db, operators }: DeliveryDeps, workspace: string | null): Promise<string[]> {
  if (workspace === null && operators.length > 0) return [...operators];
  const found = await rows(
    db,
    workspace === null
      ? sql<{ email: string }>`SELECT email FROM users WHERE operator ORDER BY id LIMIT 20`
      : sql<{ email: string }>`
          SELECT u.email FROM users u JOIN memberships m ON m.user_id = u.id
          WHERE m.workspace_id = ${workspace} AND m.role = 'owner' ORDER BY u.id LIMIT 20`,
  );
  return found.map(({ email }) => email);
}

async function sendMail({ mailer }: DeliveryDeps, mails: Mail[], id: string): Promise<void> {
  if (!mailer) throw new Undeliverable('No mail server is set (CAUDAL_SMTP_URL).');
  for (const mail of mails) {
    await mailer.send(mail, id).catch((error: unknown) => {
      throw error instanceof MailRefused ? new Undeliverable(error.message, { cause: error }) : error;
    });
  }
}

/** The generic form, signed as Standard Webhooks says: headers webhook-id, webhook-timestamp, webhook-signature. */
async function callWebhook({ post, clock, publicUrl }: DeliveryDeps, message: Message): Promise<void> {
  const { id, reason, channel, incident, policy } = message;
  const now = clock.now();
  const shown = incident && { ...toIncident(incident), url: incidentUrl(publicUrl, incident.id), ...policy };
  const body = JSON.stringify({ type: `incident.${reason}`, timestamp: now.toISOString(), data: { incident: shown } });
  const headers: Record<string, string> = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
  };
  if (channel?.secret) headers['webhook-signature'] = new Webhook(channel.secret).sign(id, now, body);
  await posted(post(channel?.config.url ?? '', body, headers));
}

const PAGERDUTY_SEVERITY = { page: 'critical', ticket: 'warning', info: 'info' } as const;

async function callPagerDuty(
  { post, publicUrl }: DeliveryDeps,
  { reason, channel, incident, policy }: Message,
): Promise<void> {
  const event = {
    routing_key: channel?.secret ?? '',
    event_action: reason === 'resolved' ? 'resolve' : 'trigger',
    dedup_key: incident ? `caudal-${incident.id}` : 'caudal-test',
    client: 'Caudal',
    client_url: publicUrl,
    payload: {
      summary: (incident?.title ?? 'Caudal: a test of this channel').slice(0, 1024),
      source: incident?.detail.instance?.host ?? incident?.labels['instance'] ?? 'caudal',
      severity: incident ? PAGERDUTY_SEVERITY[incident.severity] : 'info',
      timestamp: incident?.opened_at.toISOString(),
      component: incident?.policy,
      custom_details: {
        ...incident?.labels,
        ...policy,
        ...(incident?.detail.instance ? { instance: incident.detail.instance } : {}),
      },
    },
    links: incident ? [{ href: incidentUrl(publicUrl, incident.id), text: 'Incident' }] : [],
  };
  await posted(post(channel?.config.url ?? PAGERDUTY, JSON.stringify(event), {}));
}

export const incidentUrl = (publicUrl: string, id: string): string => new URL(`/incidents/${id}`, publicUrl).href;

/** 2xx is taken; 408, 429 and 5xx pass; anything else will not get better. */
async function posted(answer: Promise<Posted>): Promise<void> {
  const { status, body } = await answer.catch((error: unknown) => {
    if (error instanceof CaudalError && error.code === 'url_refused')
      throw new Undeliverable(error.message, { cause: error });
    throw error;
  });
  if (status >= 200 && status < 300) return;
  const words = `The other side answered ${status}: ${body.slice(0, 200)}`;
  if (status === 408 || status === 429 || status >= 500) throw new Error(words);
  throw new Undeliverable(words);
}
