import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx, transaction } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { batchesAfter, type StoredBatch, unpackBatch } from '#platform/stream/read.ts';

const BOUNDS = { most_batches: 100, most_bytes: 4 * 2 ** 20 };
/** Of the events in one message; one event that is larger goes alone. */
const MOST_BODY_BYTES = 1_000_000;

interface WebhookSubscription {
  id: string;
  workspace_id: string;
  topic_id: string;
  topic: string;
  position: number;
}

/**
 * The next batches of a webhook's stream become deliveries, and its position moves: one transaction, so that
 * each is there once whatever dies. @returns how many batches were taken
 */
export async function takeBatches(db: Db, subscriptionId: string): Promise<number> {
  return transaction(db, async (tx) => {
    const subscription = await first(
      tx,
      sql<WebhookSubscription>`
        SELECT s.id, s.workspace_id, s.topic_id, t.name AS topic, s.position
        FROM subscriptions s JOIN topics t ON t.id = s.topic_id
        WHERE s.id = ${subscriptionId} AND s.kind = 'webhook' FOR UPDATE OF s`,
    );
    if (!subscription) return 0;
    const batches = await batchesAfter(tx, subscription.topic_id, subscription.position, BOUNDS);
    for (const batch of batches) await insertDeliveries(tx, subscription, batch);
    const last = batches.at(-1);
    if (!last) return 0;
    await sql`
      UPDATE subscriptions SET position = ${last.last_offset}, advanced_at = now()
      WHERE id = ${subscription.id}`.execute(tx);
    return batches.length;
  });
}

async function insertDeliveries(tx: Tx, subscription: WebhookSubscription, batch: StoredBatch): Promise<void> {
  const { id, workspace_id, topic } = subscription;
  const lines = (await unpackBatch(batch))
    .toString('utf8')
    .split('\n')
    .flatMap((line) => line.trim() || []);
  for (const { from, events } of messagesOf(lines)) {
    const first_offset = batch.first_offset + from;
    const last_offset = first_offset + events.length - 1;
    // The events stand as they were sent: digits beyond 2^53 and all.
    const head = JSON.stringify({ type: topic, timestamp: batch.created_at.toISOString() }).slice(0, -1);
    const body = `${head},"data":{"batch_id":"${batch.id}","first_offset":${first_offset},"events":[${events.join(',')}]}}`;
    await sql`
      INSERT INTO webhook_deliveries (id, workspace_id, subscription_id, topic, batch_id, first_offset, last_offset,
                                      body, carrier, trace_id)
      VALUES (${newId()}, ${workspace_id}, ${id}, ${topic}, ${batch.id}, ${first_offset}, ${last_offset}, ${body},
              ${batch.carrier ? jsonText(batch.carrier) : null}::jsonb, ${batch.trace_id})
      ON CONFLICT (subscription_id, first_offset) DO UPDATE
      SET body = excluded.body, state = 'waiting', attempts = 0, next_at = now(), since = now(), status = NULL,
          error = NULL, settled_at = NULL`.execute(tx);
  }
}

/** A batch in as few messages as its size allows; always cut at the same places. */
export function messagesOf(lines: readonly string[]): { from: number; events: string[] }[] {
  const messages: { from: number; events: string[] }[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [index, line] of lines.entries()) {
    const size = Buffer.byteLength(line);
    if (bytes + size > MOST_BODY_BYTES) {
      messages.push({ from: index, events: [] });
      bytes = 0;
    }
    messages.at(-1)?.events.push(line);
    bytes += size;
  }
  return messages;
}
