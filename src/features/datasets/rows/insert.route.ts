import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Rows202, RowsInserted } from '#contract/rows.ts';
import { fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { amendKept, type EffectKey, replayKept } from '#platform/http/idempotency.ts';
import { acceptRecords, RECORD_TYPES } from '#platform/http/record-body.ts';
import { findDatasetNamed } from '#platform/lake/dataset-rows.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { KeptAnswer } from '#platform/stream/append.ts';
import type { Appender } from '#platform/stream/appender.ts';
import type { BatchWaiter } from '#platform/stream/wait.ts';
import { DatasetParams } from '../datasets.route.ts';
import { type JudgedRow, judge } from './judge.ts';
import { type RowPhotos, type RowsWithPhotos, readSent, withRefusals } from './sent-rows.ts';
import { canShare, createShareRows, type ShareRows } from './share-rows.ts';
import { type TakenRows, type Taking, takeRows } from './take-rows.ts';

export interface RowsDeps {
  db: Db;
  waiter: BatchWaiter;
  appender: Appender;
  /** The largest body, packed and unpacked. */
  max_bytes: number;
  photos: RowPhotos;
  /** How long `?wait=true` waits before it answers 202; default 30 s. */
  wait_ms?: number;
}

type Room = Omit<RowsDeps, 'appender'> & { share: ShareRows };

const WAIT_MS = 30_000;
/** Ids of more rows would be a larger answer than the request. */
const MOST_IDS = 1_000;

/** Rows straight into a dataset: 202 once they are durable, 200 with counts when the caller waits until they can be read. */
export function rowRoutes({ appender, ...given }: RowsDeps) {
  const deps: Room = { ...given, share: createShareRows(given.db, appender) };
  return async (app: App): Promise<void> => {
    await app.register(async (encapsulated) => {
      const scope = encapsulated as App;
      acceptRecords(scope, deps.max_bytes);
      await deps.photos.acceptForms(scope);
      scope.post(
        '/datasets/:name/rows',
        {
          config: { access: { scope: 'datasets:write', named: 'name' }, idempotent: 'effect' },
          schema: {
            tags: ['datasets'],
            summary:
              'Add one row, an array of rows, or NDJSON; gzip accepted; a form with photos where there are file columns',
            description:
              'One row that breaks a rule is refused (422), one whose key is taken too (409); of many, those that break a rule go to quarantine and those whose key is taken count as duplicates. Idempotency-Key makes a retry safe. multipart/form-data brings one row: photos as files of the columns’ names, which then hold a file_id.',
            consumes: [...RECORD_TYPES, 'multipart/form-data'],
            params: DatasetParams,
            querystring: Type.Object({
              wait: Type.Optional(
                Type.Boolean({ description: 'Answer when the rows can be read: 200 with counts (after 30 s: 202)' }),
              ),
            }),
            response: { 200: RowsInserted, 202: Rows202 },
          },
        },
        async (request, reply) => {
          await insert(deps, request, reply);
          return reply;
        },
      );
    });
  };
}

type Insert = FastifyRequest<{ Params: { name: string }; Querystring: { wait?: boolean } }>;

/** An Idempotency-Key was used before: the transaction is undone, the first answer given again. */
class Repeated extends Error {}

async function insert(deps: Room, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { params, query } = request as Insert;
  const { workspace_id, user_id } = principalOf(request);
  const target = await findDatasetNamed(deps.db, workspace_id, params.name);
  const sent = await readSent(deps.photos, target, request);
  const { records } = sent;
  const key = request.effectKey;
  let judged: JudgedRow[];
  let taken: TakenRows;
  try {
    judged = withRefusals(judge(target, records), sent.photos);
    if (sent.single) refuse(judged[0], sent.photos);
    const taking = {
      ...{ workspace_id, target, records, judged, single: sent.single, carrier: currentCarrier(), principal: user_id },
      ...(key ? { answerOf: (id: string, twice: number) => keptAnswer(key, answerOf(records.count, twice, id)) } : {}),
    };
    taken = await take(deps, taking, sent.photos);
  } catch (error) {
    await sent.photos?.discard();
    // Also a key that was taken by the first of two equal requests: its answer is this one's.
    const before = await replayKept(deps.db, request, reply);
    if (before) return before;
    throw error instanceof Repeated ? fail('dataset_not_found', 'The dataset was deleted.') : error;
  }
  faultPoint('rows.after-commit');
  const duplicates = taken.duplicates.size;
  count(target.name, workspace_id, records.count, duplicates);
  const answer = answerOf(records.count, duplicates, taken.appended.batch_id);
  if (!query.wait) return reply.status(202).send(answer);
  return answerWhenRead(deps, request, reply, { taken, judged, answer });
}

function take({ db, share }: Room, taking: Taking, photos: RowsWithPhotos | undefined): Promise<TakenRows> {
  const attributes = {
    'caudal.dataset': taking.target.name,
    'caudal.workspace': taking.workspace_id,
    'caudal.rows': taking.records.count,
  };
  return withSpan('take rows', { attributes }, async () => {
    if (!photos && canShare(taking.target)) {
      const shared = await share(taking);
      if (!shared) throw new Repeated();
      return shared;
    }
    return transaction(db, async (tx) => {
      await photos?.keep(tx);
      const done = await takeRows(tx, taking);
      if (!done) throw new Repeated();
      faultPoint('rows.before-commit');
      return done;
    });
  });
}

/** @throws invalid_input naming every wrong field of the one row; a photo's own code when nothing else is wrong */
function refuse(judged: JudgedRow | undefined, photos: RowsWithPhotos | undefined): void {
  if (!judged || judged.errors.length === 0) return;
  const [only, ...others] = photos?.refusals ?? [];
  if (only && others.length === 0 && only.errors?.length === judged.errors.length) throw only;
  const detail = judged.errors
    .slice(0, 5)
    .map(({ field, message }) => `${field}: ${message}`)
    .join('; ');
  throw fail('invalid_input', `The row was refused: ${detail}.`, { errors: judged.errors.slice(0, 100) });
}

function answerOf(accepted: number, duplicates: number, batch_id: string): Rows202 {
  return { accepted, duplicates, batch_id };
}

function keptAnswer(key: EffectKey, answer: Rows202): KeptAnswer {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { ...key, status: 202, headers, body: JSON.stringify(answer) };
}

function count(dataset: string, workspace: string, rows: number, duplicates: number): void {
  const attributes = { 'caudal.dataset': dataset, 'caudal.workspace': workspace };
  counter('caudal.rows.taken').add(rows - duplicates, { ...attributes, 'caudal.outcome': 'taken' });
  if (duplicates > 0) counter('caudal.rows.taken').add(duplicates, { ...attributes, 'caudal.outcome': 'duplicate' });
}

interface Outcome {
  taken: TakenRows;
  judged: readonly JudgedRow[];
  answer: Rows202;
}

async function answerWhenRead(
  { db, waiter, wait_ms = WAIT_MS }: Room,
  request: FastifyRequest,
  reply: FastifyReply,
  { taken, judged, answer }: Outcome,
): Promise<FastifyReply> {
  const left = new AbortController();
  reply.raw.once('close', () => left.abort(fail('bad_request', 'The caller has gone.')));
  const outcome = await waiter.wait(taken.appended, { timeout_ms: wait_ms, signal: left.signal });
  if (!outcome) return reply.status(202).send(answer);
  const body: RowsInserted = {
    accepted: answer.accepted,
    ...outcome,
    ids: idsOf(taken, judged),
    batch_id: answer.batch_id,
  };
  if (request.effectKey) await amendKept(db, request.effectKey, 200, JSON.stringify(body));
  return reply.status(200).send(body);
}

/** `_source:_line` of the rows that became some. */
function idsOf({ source_id, appended, duplicates }: TakenRows, judged: readonly JudgedRow[]): string[] {
  const places = judged.flatMap(({ errors }, place) => (errors.length > 0 || duplicates.has(place) ? [] : [place]));
  return places.slice(0, MOST_IDS).map((place) => `${source_id}:${appended.first_offset + place}`);
}
