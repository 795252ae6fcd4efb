import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DATASET_NAME } from '#contract/datasets.ts';
import { Inserted, Published } from '#contract/events.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import type { Db } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { amendKept, type EffectKey, replayKept } from '#platform/http/idempotency.ts';
import { acceptRecords, formatOf, RECORD_TYPES } from '#platform/http/record-body.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import type { KeptAnswer } from '#platform/stream/append.ts';
import type { Appender } from '#platform/stream/appender.ts';
import type { Appended, NewBatch } from '#platform/stream/batch.ts';
import { type Records, readRecords } from '#platform/stream/records.ts';
import type { BatchWaiter } from '#platform/stream/wait.ts';
import { openTopic } from './topics.ts';

export interface PublishDeps {
  db: Db;
  appender: Appender;
  waiter: BatchWaiter;
  /** The largest body, packed and unpacked. */
  max_bytes: number;
  /** How long `?wait=true` waits before it answers 202; default 30 s. */
  wait_ms?: number;
}

export const TopicParams = Type.Object({
  topic: Type.String({ pattern: DATASET_NAME, description: 'Letters, digits, _ and -; at most 100' }),
});

const WAIT_MS = 30_000;

/** Publishing: 202 once the events are durable, 200 with counts when the caller waits until they can be read. */
export function publishRoutes(deps: PublishDeps) {
  return async (app: App): Promise<void> => {
    const topics = rememberTopics(deps.db);
    await app.register(async (encapsulated) => {
      const scope = encapsulated as App;
      acceptRecords(scope, deps.max_bytes);
      scope.post(
        '/topics/:topic/events',
        {
          config: { access: { scope: 'events:write', named: 'topic' }, idempotent: 'effect' },
          schema: {
            tags: ['events'],
            summary: 'Publish one event, an array of events, or NDJSON; gzip accepted',
            description:
              'The topic, and a dataset of its name, come into being on first use. Idempotency-Key makes a retry safe.',
            consumes: RECORD_TYPES,
            params: TopicParams,
            querystring: Type.Object({
              wait: Type.Optional(
                Type.Boolean({ description: 'Answer when the rows can be read: 200 with counts (after 30 s: 202)' }),
              ),
            }),
            response: { 200: Inserted, 202: Published },
          },
        },
        async (request, reply) => {
          const { topic } = request.params;
          const records = readRecords(request.body as Buffer, formatOf(request));
          const appended = await append(deps, topics, request, topic, records);
          if (!appended) return (await replayKept(deps.db, request, reply)) ?? gone(topic);
          faultPoint('events.after-append');
          const owner = { 'caudal.workspace': principalOf(request).workspace_id };
          counter('caudal.events.published').add(records.count, owner);
          counter('caudal.events.batches').add(1, owner);
          const answer = { accepted: records.count, batch_id: appended.batch_id };
          if (!request.query.wait) return reply.status(202).send(answer);
          return answerWhenRead(deps, request, reply, appended, answer);
        },
      );
    });
  };
}

function gone(topic: string): never {
  throw fail('topic_not_found', `The topic "${topic}" was deleted.`);
}

type Topics = ReturnType<typeof rememberTopics>;

/** Names do not change and topics are not deleted but with their workspace: an id is looked up once. */
function rememberTopics(db: Db, most = 10_000) {
  const known = new Map<string, string>();
  const keyOf = (workspace: string, name: string): string => `${workspace} ${name}`;
  return {
    async find(workspace: string, name: string): Promise<string> {
      const key = keyOf(workspace, name);
      const id = known.get(key) ?? (await openTopic(db, workspace, name));
      if (known.size >= most) known.clear();
      known.set(key, id);
      return id;
    },
    forget: (workspace: string, name: string): boolean => known.delete(keyOf(workspace, name)),
  };
}

/** @returns undefined when the request's Idempotency-Key was used before */
async function append(
  deps: PublishDeps,
  topics: Topics,
  request: FastifyRequest,
  topic: string,
  { ndjson, count }: Records,
): Promise<Appended | undefined> {
  const { workspace_id, user_id } = principalOf(request);
  const key = request.effectKey;
  const answerOf = key ? (batchId: string) => keptAnswer(key, { accepted: count, batch_id: batchId }) : undefined;
  for (let tried = 1; ; tried += 1) {
    const stream_id = await topics.find(workspace_id, topic);
    const batch: NewBatch = { stream_id, ndjson, count, carrier: currentCarrier(), principal: user_id };
    try {
      return await deps.appender.append(batch, answerOf);
    } catch (error) {
      const lost = error instanceof CaudalError && error.code === 'topic_not_found';
      if (!lost || tried > 1) throw error;
      topics.forget(workspace_id, topic);
    }
  }
}

function keptAnswer(key: EffectKey, answer: Published): KeptAnswer {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { ...key, status: 202, headers, body: JSON.stringify(answer) };
}

async function answerWhenRead(
  { db, waiter, wait_ms = WAIT_MS }: PublishDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  appended: Appended,
  answer: Published,
): Promise<FastifyReply> {
  const left = new AbortController();
  reply.raw.once('close', () => left.abort(fail('bad_request', 'The caller has gone.')));
  const outcome = await waiter.wait(appended, { timeout_ms: wait_ms, signal: left.signal });
  if (!outcome) return reply.status(202).send(answer);
  const { inserted, quarantined } = outcome;
  const body = { accepted: answer.accepted, inserted, quarantined, batch_id: answer.batch_id };
  if (request.effectKey) await amendKept(db, request.effectKey, 200, JSON.stringify(body));
  return reply.status(200).send(body);
}
