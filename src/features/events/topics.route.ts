import { Type } from 'typebox';
import { DATASET_NAME } from '#contract/datasets.ts';
import { Subscription, Topic } from '#contract/events.ts';
import { allows, type Principal } from '#contract/principal.ts';
import { Task } from '#contract/tasks.ts';
import { invalid } from '#kernel/errors.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import type { ArchiveReading } from '#platform/stream/archive.ts';
import { TopicParams } from './publish.route.ts';
import { offsetSince } from './replay/replay-from.ts';
import {
  deleteSubscription,
  getSubscription,
  type NewSubscription,
  refuseKeyed,
  setBack,
  subscribe,
} from './subscriptions.ts';
import { getTopic, listTopics } from './topics.ts';

/** A name that no topic can have is not there (404), as any other that is not. */
const KnownTopic = Type.Object({ topic: Type.String() });
const SubscriptionParams = Type.Object({ topic: Type.String(), id: Type.String() });

const NewSubscriptionBody = Type.Object(
  {
    dataset: Type.Optional(Type.String({ pattern: DATASET_NAME, description: 'Made if there is none' })),
    webhook: Type.Optional(
      Type.Object(
        {
          url: Type.String({ format: 'uri', maxLength: 2000 }),
          secret: Type.String({
            minLength: 16,
            maxLength: 500,
            description: 'Signs the deliveries; never shown again',
          }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false, description: 'Either a dataset or a webhook' },
);

/** Names that a token limited to some topics or datasets may see; null: all. */
function visibleNames({ scopes }: Principal): string[] | null {
  if (allows(scopes, 'datasets:read')) return null;
  const prefix = 'datasets:read:';
  return scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length));
}

export interface TopicRouteDeps {
  db: Db;
  objects: ArchiveReading['objects'];
  enqueue: Enqueue;
  describeTask(workspaceId: string, taskId: string): Promise<Task>;
}

export function topicRoutes(deps: TopicRouteDeps) {
  const { db } = deps;
  return (app: App): void => {
    const tags = ['events'];
    const read = { access: { scope: 'datasets:read', named: 'topic' } } as const;
    const manage = { access: { scope: 'datasets:write' } } as const;

    app.get(
      '/topics',
      {
        config: { access: { scope: 'datasets:read', some: true } },
        schema: {
          tags,
          summary: 'Topics with their rates and the backlog of each subscription; newest first',
          querystring: Type.Object(PageQuery),
          response: { 200: PageOf(Topic) },
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const { limit = 50, cursor } = request.query;
        const filter = { after: cursorId(cursor), names: visibleNames(principal), limit: limit + 1 };
        return pageOf(await listTopics(db, principal.workspace_id, filter), limit, (topic) => topic);
      },
    );

    app.get(
      '/topics/:topic',
      { config: read, schema: { tags, summary: 'One topic', params: KnownTopic, response: { 200: Topic } } },
      async (request) => getTopic(db, principalOf(request).workspace_id, request.params.topic),
    );

    app.get(
      '/topics/:topic/subscriptions',
      {
        config: read,
        schema: {
          tags,
          summary: 'Who gets a topic’s events, and how far each has come',
          params: KnownTopic,
          response: { 200: PageOf(Subscription) },
        },
      },
      async (request) => {
        const { subscriptions } = await getTopic(db, principalOf(request).workspace_id, request.params.topic);
        return { items: subscriptions.toReversed(), next_cursor: null };
      },
    );

    app.post(
      '/topics/:topic/subscriptions',
      {
        config: manage,
        schema: {
          tags,
          summary: 'Send a topic’s events, from the next one on, into a dataset or to a webhook',
          params: TopicParams,
          body: NewSubscriptionBody,
          response: { 201: Subscription },
        },
      },
      async (request, reply) => {
        const { workspace_id, user_id } = principalOf(request);
        const { topic } = request.params;
        const target = targetOf(request.body);
        const id = await transaction(db, async (tx) => {
          const made = await subscribe(tx, { workspace_id, topic, created_by: user_id, target });
          const detail = 'dataset' in target ? { topic, dataset: target.dataset } : { topic, url: target.webhook.url };
          await audit(tx, { ...actorOf(request), action: 'subscription.created', target: made, detail });
          return made;
        });
        const made = await getSubscription(db, workspace_id, topic, id);
        return reply
          .status(201)
          .header('Location', `/topics/${encodeURIComponent(topic)}/subscriptions/${id}`)
          .send(made);
      },
    );

    app.get(
      '/topics/:topic/subscriptions/:id',
      {
        config: read,
        schema: { tags, summary: 'One subscription', params: SubscriptionParams, response: { 200: Subscription } },
      },
      async (request) =>
        getSubscription(db, principalOf(request).workspace_id, request.params.topic, request.params.id),
    );

    app.post(
      '/topics/:topic/subscriptions/:id/replay',
      {
        config: manage,
        schema: {
          tags,
          summary: 'Bring the events since a time again',
          description: 'Into a dataset they replace what they brought before; a webhook gets them once more.',
          params: SubscriptionParams,
          body: Type.Object({ from: Type.String({ format: 'date-time' }) }, { additionalProperties: false }),
          response: { 202: Type.Object({ task: Type.Union([Task, Type.Null()]), subscription: Subscription }) },
        },
      },
      async (request, reply) => {
        const { workspace_id, user_id } = principalOf(request);
        const { topic, id } = request.params;
        const before = await getSubscription(db, workspace_id, topic, id);
        if (before.dataset !== null) await refuseKeyed(db, workspace_id, before.dataset);
        const { id: topic_id } = await getTopic(db, workspace_id, topic);
        const first_offset = await offsetSince(deps, topic_id, new Date(request.body.from));
        const task_id = await transaction(db, async (tx) => {
          const detail = { topic, from: request.body.from };
          await audit(tx, { ...actorOf(request), action: 'subscription.replayed', target: id, detail });
          if (before.kind === 'webhook') return setBack(tx, id, first_offset);
          const input = { subscription_id: id, first_offset };
          return (await deps.enqueue(tx, { workspace_id, kind: 'replay_events', input, created_by: user_id })).id;
        });
        const subscription = await getSubscription(db, workspace_id, topic, id);
        if (task_id === null) return reply.status(202).send({ task: null, subscription });
        const task = await deps.describeTask(workspace_id, task_id);
        return reply.status(202).header('Location', `/tasks/${task_id}`).send({ task, subscription });
      },
    );

    app.delete(
      '/topics/:topic/subscriptions/:id',
      {
        config: manage,
        schema: {
          tags,
          summary: 'End a subscription; what it brought stays',
          params: SubscriptionParams,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { topic, id } = request.params;
        await transaction(db, async (tx) => {
          await deleteSubscription(tx, principalOf(request).workspace_id, topic, id);
          await audit(tx, { ...actorOf(request), action: 'subscription.deleted', target: id, detail: { topic } });
        });
        return reply.status(204).send(null);
      },
    );
  };
}

function targetOf(body: { dataset?: string; webhook?: { url: string; secret: string } }): NewSubscription['target'] {
  const { dataset, webhook } = body;
  if (dataset !== undefined && webhook === undefined) return { dataset };
  if (webhook !== undefined && dataset === undefined) {
    const { protocol, username } = new URL(webhook.url);
    if (!/^https?:$/.test(protocol)) throw invalid('webhook.url', 'A webhook has an http or https address.');
    if (username) throw invalid('webhook.url', 'A webhook’s address holds no user or password; deliveries are signed.');
    return { webhook };
  }
  throw invalid('dataset', 'A subscription has either a dataset or a webhook.');
}
