import type { Subscription } from '#contract/events.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, sql, type Tx } from '#platform/db/db.ts';
import { findDataset, lockDatasetNames } from '#platform/lake/dataset-rows.ts';
import { createTopic, findTopic, getTopic, subscribeDataset, subscribeWebhook } from './topics.ts';

export interface NewSubscription {
  workspace_id: string;
  topic: string;
  target: { dataset: string } | { webhook: { url: string; secret: string } };
  created_by: string | null;
}

/** From the next event on. The topic is made if there is none. @throws subscription_exists */
export async function subscribe(tx: Tx, wanted: NewSubscription): Promise<string> {
  const { workspace_id, topic, target, created_by } = wanted;
  await lockDatasetNames(tx, workspace_id);
  const topic_id = (await findTopic(tx, workspace_id, topic)) ?? (await createTopic(tx, workspace_id, topic));
  if ('dataset' in target) return subscribeDataset(tx, { workspace_id, topic_id, created_by, dataset: target.dataset });
  return subscribeWebhook(tx, { workspace_id, topic_id, created_by, ...target.webhook });
}

/** @throws topic_not_found, subscription_not_found */
export async function getSubscription(db: Db, workspaceId: string, topic: string, id: string): Promise<Subscription> {
  const { subscriptions } = await getTopic(db, workspaceId, topic);
  const found = subscriptions.find((subscription) => subscription.id === id);
  if (!found) throw missing(id);
  return found;
}

/** @throws topic_not_found, subscription_not_found */
export async function deleteSubscription(tx: Tx, workspaceId: string, topic: string, id: string): Promise<void> {
  await getTopic(tx, workspaceId, topic);
  if (!isUuid(id)) throw missing(id);
  const gone = await sql`
    DELETE FROM subscriptions s USING topics t
    WHERE s.id = ${id} AND t.id = s.topic_id AND t.workspace_id = ${workspaceId} AND t.name = ${topic}
    RETURNING s.id`.execute(tx);
  if (gone.rows.length === 0) throw missing(id);
}

/** A webhook gets the events from this offset on once more. */
export async function setBack(tx: Tx, id: string, firstOffset: number): Promise<null> {
  await sql`
    UPDATE subscriptions SET position = least(position, ${firstOffset - 1}::bigint), state = 'active', error = NULL
    WHERE id = ${id}`.execute(tx);
  return null;
}

/** Which row of a key stays cannot be decided again in the midst of what others brought since. @throws invalid_input */
export async function refuseKeyed(db: Db, workspaceId: string, dataset: string): Promise<void> {
  const target = await findDataset(db, workspaceId, dataset);
  if (!target?.key) return;
  throw fail('invalid_input', `"${dataset}" has a key; events cannot be replayed into it.`, {
    hint: 'Subscribe a dataset without a key and replay into that.',
  });
}

function missing(id: string): CaudalError {
  return fail('subscription_not_found', `The topic has no subscription ${id.slice(0, 100)}.`);
}
