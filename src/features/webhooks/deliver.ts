import { SpanKind } from '@opentelemetry/api';
import { Webhook } from 'standardwebhooks';
import type { Carrier } from '#contract/carrier.ts';
import { CaudalError } from '#kernel/errors.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { PostJson } from '#platform/http/post.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { type Attempt, outcomeOf } from './schedule.ts';

export interface DeliverDeps {
  db: Db;
  /** To public addresses only. */
  post: PostJson;
}

interface Due {
  id: string;
  workspace_id: string;
  subscription_id: string;
  topic: string;
  body: string;
  carrier: Carrier | null;
  attempts: number;
  age_ms: number;
  url: string;
  secret: string;
}

/** Longer than an attempt may take: whoever died in the middle leaves it to the next who looks. */
const LEASE_S = 60;
const AT_ONCE = 4;

/** Brings what is due of one subscription to its address, the oldest first. @returns how many were tried */
export async function deliverDue(deps: DeliverDeps, subscriptionId: string): Promise<number> {
  const due = await rows(
    deps.db,
    sql<Due>`
      UPDATE webhook_deliveries d
      SET attempts = d.attempts + 1, next_at = now() + ${LEASE_S} * interval '1 second'
      FROM subscriptions s
      WHERE s.id = d.subscription_id AND d.id IN (
        SELECT id FROM webhook_deliveries
        WHERE subscription_id = ${subscriptionId} AND state = 'waiting' AND next_at <= now()
        ORDER BY first_offset LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)
      RETURNING d.id, d.workspace_id, d.subscription_id, d.topic, d.body, d.carrier, d.attempts,
                extract(epoch FROM now() - d.since)::float8 * 1000 AS age_ms, s.webhook_url AS url,
                s.webhook_secret AS secret`,
  );
  await Promise.all(due.map((one) => deliver(deps, one)));
  return due.length;
}

async function deliver(deps: DeliverDeps, due: Due): Promise<void> {
  const attributes = {
    'caudal.workspace': due.workspace_id,
    'caudal.subscription.id': due.subscription_id,
    'messaging.destination.name': due.topic,
    'messaging.message.id': due.id,
    'caudal.attempt': due.attempts,
  };
  // Its carrier may be years old and of another release: no carrier, no parent.
  const carrier = due.carrier ?? {};
  await withSpan(`deliver ${due.topic}`, { kind: SpanKind.CONSUMER, carrier, attributes }, async (span) => {
    const attempt = await call(deps.post, due);
    const outcome = outcomeOf(attempt, due.attempts, due.age_ms);
    span.setAttribute('caudal.outcome', outcome.state);
    if (attempt.status !== null) span.setAttribute('http.response.status_code', attempt.status);
    counter('caudal.webhooks.attempts').add(1, {
      'caudal.outcome': outcome.state,
      'caudal.workspace': due.workspace_id,
    });
    const delay = outcome.state === 'waiting' ? outcome.delay_ms : 0;
    await sql`
      UPDATE webhook_deliveries
      SET state = ${outcome.state}, status = ${attempt.status}, error = ${attempt.error},
          body = CASE WHEN ${outcome.state} = 'delivered' THEN NULL ELSE body END,
          next_at = now() + ${delay} * interval '1 millisecond',
          settled_at = CASE WHEN ${outcome.state} = 'waiting' THEN NULL ELSE now() END
      WHERE id = ${due.id} AND state = 'waiting' AND attempts = ${due.attempts}`.execute(deps.db);
  });
}

/**
 * Signed as Standard Webhooks 1.0 says: `webhook-id`, `webhook-timestamp`, `webhook-signature` (HMAC-SHA256 of
 * the three). A secret that begins with `whsec_` is base64, any other is taken as it is.
 */
async function call(post: PostJson, { id, url, secret, body }: Due): Promise<Attempt> {
  const now = new Date();
  const webhook = secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(secret, { format: 'raw' });
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': webhook.sign(id, now, body),
  };
  try {
    const { status, body: answer } = await post(url, body, headers);
    if (status >= 200 && status < 300) return { status, error: null, final: false };
    return { status, error: `The receiver answered ${status}: ${answer.slice(0, 200)}`, final: status === 410 };
  } catch (error) {
    const final = error instanceof CaudalError && error.code === 'url_refused';
    return { status: null, error: reasonOf(error).slice(0, 500), final };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'TimeoutError' ? 'The receiver did not answer in time.' : error.message || error.name;
}
