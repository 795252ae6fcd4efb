import type { Subscription, Topic } from '#contract/events.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import { createDataset, findDataset, lockDatasetNames } from '#platform/lake/dataset-rows.ts';

/** Where a published event goes. @throws topic_not_found where the workspace makes no topics by itself */
export async function openTopic(db: Db, workspaceId: string, name: string): Promise<string> {
  const known = await findTopic(db, workspaceId, name);
  if (known) return known;
  return transaction(db, async (tx) => {
    await lockDatasetNames(tx, workspaceId);
    const made = await findTopic(tx, workspaceId, name);
    if (made) return made;
    const workspace = await first(
      tx,
      sql<{ auto_topics: boolean }>`SELECT auto_topics FROM workspaces WHERE id = ${workspaceId}`,
    );
    if (!workspace?.auto_topics) {
      throw fail('topic_not_found', `There is no topic "${name}", and this workspace makes none by itself.`, {
        hint: 'Its first subscription makes it: POST /topics/{topic}/subscriptions. PATCH /workspaces/{id} {"auto_topics": true} lets events make topics.',
      });
    }
    const id = await createTopic(tx, workspaceId, name);
    await subscribeDataset(tx, { workspace_id: workspaceId, topic_id: id, dataset: name, created_by: null });
    return id;
  });
}

export async function findTopic(db: Db, workspaceId: string, name: string): Promise<string | undefined> {
  const found = await first(
    db,
    sql<{ id: string }>`
      SELECT id FROM topics WHERE kind = 'topic' AND workspace_id = ${workspaceId} AND name = ${name}`,
  );
  return found?.id;
}

export async function createTopic(tx: Tx, workspaceId: string, name: string): Promise<string> {
  const id = newId();
  await sql`
    INSERT INTO topics (id, workspace_id, kind, name) VALUES (${id}, ${workspaceId}, 'topic', ${name})`.execute(tx);
  return id;
}

interface DatasetTarget {
  workspace_id: string;
  topic_id: string;
  dataset: string;
  created_by: string | null;
}

/**
 * From the next event on; the dataset is made if there is none. Hold the lock of dataset names.
 * @throws subscription_exists
 */
export async function subscribeDataset(tx: Tx, target: DatasetTarget): Promise<string> {
  const { workspace_id, topic_id, created_by } = target;
  const existing = await findDataset(tx, workspace_id, target.dataset);
  const dataset_id = existing?.id ?? (await createDataset(tx, { workspace_id, name: target.dataset })).id;
  const id = newId();
  const made = await sql`
    INSERT INTO subscriptions (id, workspace_id, topic_id, kind, dataset_id, dataset, position, created_by)
    SELECT ${id}, ${workspace_id}, id, 'dataset', ${dataset_id}, ${existing?.name ?? target.dataset}, head, ${created_by}
    FROM topics WHERE id = ${topic_id} FOR UPDATE
    ON CONFLICT (topic_id, dataset_id) WHERE kind = 'dataset' DO NOTHING RETURNING id`.execute(tx);
  if (made.rows.length > 0) return id;
  throw fail('subscription_exists', `The topic goes into "${target.dataset}" already.`);
}

export interface WebhookTarget {
  workspace_id: string;
  topic_id: string;
  url: string;
  secret: string;
  created_by: string | null;
}

/** From the next event on. */
export async function subscribeWebhook(tx: Tx, target: WebhookTarget): Promise<string> {
  const { workspace_id, topic_id, url, secret, created_by } = target;
  const id = newId();
  await sql`
    INSERT INTO subscriptions (id, workspace_id, topic_id, kind, webhook_url, webhook_secret, position, created_by)
    SELECT ${id}, ${workspace_id}, id, 'webhook', ${url}, ${secret}, head, ${created_by}
    FROM topics WHERE id = ${topic_id} FOR UPDATE`.execute(tx);
  return id;
}

interface TopicRow {
  id: string;
  name: string;
  head: number;
  created_at: Date;
  now: Rates;
  hour: Rates;
  subscriptions: SubscriptionRow[] | null;
}

interface Rates {
  events: number | null;
  batches: number | null;
  bytes: number | null;
}

interface SubscriptionRow extends Omit<Subscription, 'oldest_seconds'> {
  oldest_seconds: number | null;
}

/** As JSON, so that a topic comes with its subscriptions in one statement. */
const SUBSCRIPTION = sql`
  json_build_object('id', s.id, 'kind', s.kind, 'dataset', s.dataset, 'webhook_url', s.webhook_url,
    'position', s.position, 'backlog', t.head - s.position, 'state', s.state, 'error', s.error,
    'advanced_at', to_char(s.advanced_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'created_at', to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'oldest_seconds', (
      SELECT round(extract(epoch FROM clock_timestamp() - b.created_at)::numeric, 3) FROM event_batches b
      WHERE b.topic_id = t.id AND b.first_offset > s.position ORDER BY b.first_offset LIMIT 1))`;

/** The present minute and the one before: a rate that neither jumps at the turn of a minute nor lags behind. */
const TOPICS = sql`
  SELECT t.id, t.name, t.head, t.created_at,
    (SELECT json_build_object('events', sum(m.events) / seconds, 'batches', sum(m.batches) / seconds, 'bytes', sum(m.bytes) / seconds)
     FROM topic_minutes m WHERE m.topic_id = t.id AND m.minute >= date_trunc('minute', now()) - interval '1 minute') AS now,
    (SELECT json_build_object('events', sum(m.events), 'batches', sum(m.batches), 'bytes', sum(m.bytes))
     FROM topic_minutes m WHERE m.topic_id = t.id AND m.minute > now() - interval '1 hour') AS hour,
    (SELECT json_agg(${SUBSCRIPTION} ORDER BY s.id) FROM subscriptions s WHERE s.topic_id = t.id) AS subscriptions
  FROM topics t, LATERAL (
    SELECT extract(epoch FROM now() - date_trunc('minute', now()) + interval '1 minute')::float8 AS seconds) span
  WHERE t.kind = 'topic'`;

export interface TopicFilter {
  after: string | null;
  /** Only these names; null: all. */
  names: string[] | null;
  limit: number;
}

/** Newest first. */
export async function listTopics(db: Db, workspaceId: string, filter: TopicFilter): Promise<Topic[]> {
  const { after, names, limit } = filter;
  const found = await rows(
    db,
    sql<TopicRow>`
      ${TOPICS} AND t.workspace_id = ${workspaceId} AND (${after}::uuid IS NULL OR t.id < ${after}::uuid)
        AND (${names}::text[] IS NULL OR t.name = ANY(${names}::text[]))
      ORDER BY t.id DESC LIMIT ${limit}`,
  );
  return found.map(toTopic);
}

/** @throws topic_not_found, also for another workspace's */
export async function getTopic(db: Db, workspaceId: string, name: string): Promise<Topic> {
  const row = await first(db, sql<TopicRow>`${TOPICS} AND t.workspace_id = ${workspaceId} AND t.name = ${name}`);
  if (row) return toTopic(row);
  throw fail('topic_not_found', `There is no topic "${name.slice(0, 200)}".`, {
    hint: 'GET /topics lists those you may see. A topic comes into being when its first event is published.',
  });
}

function toTopic({ id, name, head, created_at, now, hour, subscriptions }: TopicRow): Topic {
  const rounded = (value: number | null): number => Math.round((value ?? 0) * 1000) / 1000;
  return {
    ...{ id, name, events: head, created_at: created_at.toISOString() },
    rate: { events: rounded(now.events), batches: rounded(now.batches), bytes: rounded(now.bytes) },
    last_hour: { events: hour.events ?? 0, batches: hour.batches ?? 0, bytes: hour.bytes ?? 0 },
    backlog: Math.max(0, ...(subscriptions ?? []).map(({ backlog }) => backlog)),
    subscriptions: subscriptions ?? [],
  };
}
