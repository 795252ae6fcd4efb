import type { Delivery, DeliveryState } from '#contract/webhooks.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';

export interface WebhookName {
  workspace_id: string;
  topic: string;
  id: string;
}

/** @throws subscription_not_found, also for a dataset's */
export async function checkWebhook(db: Db, { workspace_id, topic, id }: WebhookName): Promise<void> {
  const found = isUuid(id)
    ? await first(
        db,
        sql`
          SELECT s.id FROM subscriptions s JOIN topics t ON t.id = s.topic_id
          WHERE s.id = ${id} AND s.kind = 'webhook' AND t.workspace_id = ${workspace_id} AND t.name = ${topic}`,
      )
    : undefined;
  if (found) return;
  throw fail('subscription_not_found', `The topic has no subscription ${id.slice(0, 100)} to a webhook.`);
}

interface DeliveryRow extends Omit<Delivery, 'next_at' | 'created_at' | 'settled_at'> {
  next_at: Date;
  created_at: Date;
  settled_at: Date | null;
}

export interface DeliveryFilter {
  state: DeliveryState | null;
  after: string | null;
  limit: number;
}

/** Newest first. */
export async function listDeliveries(db: Db, subscriptionId: string, filter: DeliveryFilter): Promise<Delivery[]> {
  const found = await rows(
    db,
    sql<DeliveryRow>`
      SELECT id, batch_id, first_offset, last_offset, state, attempts, next_at, status, error, trace_id, created_at,
             settled_at
      FROM webhook_deliveries
      WHERE subscription_id = ${subscriptionId} AND (${filter.state}::text IS NULL OR state = ${filter.state})
        AND (${filter.after}::uuid IS NULL OR id < ${filter.after}::uuid)
      ORDER BY id DESC LIMIT ${filter.limit}`,
  );
  return found.map((row) => ({
    ...row,
    next_at: row.state === 'waiting' ? row.next_at.toISOString() : null,
    created_at: row.created_at.toISOString(),
    settled_at: row.settled_at?.toISOString() ?? null,
  }));
}

/** Dead letters are due again, with a day before them. @param ids these, or all. @returns how many */
export async function redrive(db: Db, subscriptionId: string, ids: readonly string[] | null): Promise<number> {
  const { rows: due } = await sql`
    UPDATE webhook_deliveries
    SET state = 'waiting', attempts = 0, next_at = now(), since = now(), settled_at = NULL
    WHERE subscription_id = ${subscriptionId} AND state = 'dead'
      AND (${ids}::uuid[] IS NULL OR id = ANY(${ids}::uuid[]))
    RETURNING id`.execute(db);
  return due.length;
}

const DELIVERED_DAYS = 7;
const DEAD_DAYS = 30;

/** The log of what arrived is kept for a week, dead letters for thirty days. */
export async function sweepDeliveries(db: Db): Promise<void> {
  await sql`
    DELETE FROM webhook_deliveries
    WHERE settled_at < now() - CASE state WHEN 'delivered' THEN ${DELIVERED_DAYS}::int ELSE ${DEAD_DAYS}::int END
                               * interval '1 day'`.execute(db);
}
