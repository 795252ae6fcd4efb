import { Type } from 'typebox';
import { DELIVERY_STATES, Delivery, type DeliveryState } from '#contract/webhooks.ts';
import { invalid } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import type { Db } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, type Page, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { checkWebhook, listDeliveries, redrive, type WebhookName } from './deliveries.ts';

const Params = Type.Object({ topic: Type.String(), id: Type.String() });

const ListQuery = Type.Object({ ...PageQuery, state: Type.Optional(Type.Enum(DELIVERY_STATES)) });

const RedriveBody = Type.Object(
  { ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 1000, description: 'Absent: all' })) },
  { additionalProperties: false },
);

interface Asked {
  limit?: number;
  cursor?: string;
}

/** Reading asks for the topic's read scope: bodies are not shown. */
export function webhookRoutes({ db }: { db: Db }) {
  return (app: App): void => {
    const tags = ['events'];
    const read = { access: { scope: 'datasets:read', named: 'topic' } } as const;
    const base = '/topics/:topic/subscriptions/:id';

    const page = async (webhook: WebhookName, query: Asked, state: DeliveryState | null): Promise<Page<Delivery>> => {
      await checkWebhook(db, webhook);
      const { limit = 50, cursor } = query;
      const filter = { state, after: cursorId(cursor), limit: limit + 1 };
      return pageOf(await listDeliveries(db, webhook.id, filter), limit, (delivery) => delivery);
    };

    app.get(
      `${base}/deliveries`,
      {
        config: read,
        schema: {
          tags,
          summary: 'What was sent to a webhook and what became of it; newest first',
          params: Params,
          querystring: ListQuery,
          response: { 200: PageOf(Delivery) },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        return page({ workspace_id, ...request.params }, request.query, request.query.state ?? null);
      },
    );

    app.get(
      `${base}/dead-letters`,
      {
        config: read,
        schema: {
          tags,
          summary: 'What a webhook did not take within a day; newest first',
          params: Params,
          querystring: Type.Object(PageQuery),
          response: { 200: PageOf(Delivery) },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        return page({ workspace_id, ...request.params }, request.query, 'dead');
      },
    );

    app.post(
      `${base}/dead-letters/redrive`,
      {
        config: { access: { scope: 'datasets:write' } },
        schema: {
          tags,
          summary: 'Send dead letters again',
          params: Params,
          body: Type.Optional(RedriveBody),
          response: { 200: Type.Object({ redriven: Type.Integer() }) },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        const { topic, id } = request.params;
        await checkWebhook(db, { workspace_id, topic, id });
        const ids = request.body?.ids ?? null;
        if (ids?.some((one) => !isUuid(one))) throw invalid('ids', 'A delivery has a UUID.');
        const redriven = await redrive(db, id, ids);
        await audit(db, { ...actorOf(request), action: 'webhook.redriven', target: id, detail: { topic, redriven } });
        return { redriven };
      },
    );
  };
}
