import { promisify } from 'node:util';
import { constants as zlib, zstdCompress, zstdCompressSync } from 'node:zlib';
import { traceIdOf } from '#contract/carrier.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { rows, sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import type { Appended, NewBatch } from './batch.ts';

/** Workers listen here: the payload names streams that have new batches (or is empty: look at all). */
export const APPENDED_CHANNEL = 'caudal_events';

const pack = promisify(zstdCompress);
const FAST = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } };
/** Below this packing gains less than it costs; above the second it is done on another thread. */
const PACK_FROM = 512;
const PACK_ELSEWHERE_FROM = 32 * 1024;
const MOST_NAMED = 100;

/** An answer that is kept under an Idempotency-Key in the transaction that makes it true. */
export interface KeptAnswer {
  workspace: string;
  principal: string;
  route: string;
  key: string;
  body_hash: Buffer;
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A batch made ready outside of any transaction. */
export interface PackedBatch extends Omit<NewBatch, 'ndjson'> {
  id: string;
  bytes: number;
  packed: boolean;
  payload: Buffer;
  answer?: KeptAnswer;
}

export async function packBatch(batch: NewBatch, id = newId()): Promise<PackedBatch> {
  const { ndjson, ...rest } = batch;
  const packed = ndjson.length >= PACK_FROM;
  const payload = !packed
    ? ndjson
    : ndjson.length >= PACK_ELSEWHERE_FROM
      ? await pack(ndjson, FAST)
      : zstdCompressSync(ndjson, FAST);
  return { ...rest, id, bytes: ndjson.length, packed, payload };
}

/**
 * Appends one batch in the caller's transaction: it is there when that commits, together with whatever else the
 * caller wrote, or not at all; the drain is woken by the commit. The stream's row stays locked until then
 * (offsets are given out in commit order), so call it last. One such transaction per request pays one disk
 * flush each; requests that write nothing else go through `createAppender`, which shares them.
 *
 * @throws topic_not_found when the stream was deleted
 */
export async function appendRows(tx: Tx, batch: NewBatch, id = newId()): Promise<Appended> {
  const appended = await appendOnce(tx, batch, id);
  if (!appended) throw fail('topic_not_found', 'The stream that the rows were for is gone.');
  return appended;
}

/**
 * As `appendRows`, under an id that the caller has chosen, with an answer to keep under an Idempotency-Key.
 * @returns undefined when that key was used before, or the stream was deleted: nothing was appended
 */
export async function appendOnce(
  tx: Tx,
  batch: NewBatch,
  id: string,
  answer?: KeptAnswer,
): Promise<Appended | undefined> {
  const ready: PackedBatch = { ...(await packBatch(batch, id)), ...(answer ? { answer } : {}) };
  const [appended] = await rows(tx, sql<Appended>`${sql.raw(INSERT_HEAD)}${insertTail(ready)}`);
  return appended;
}

function insertTail(batch: PackedBatch) {
  const { manifest, payload } = manifestOf([batch]);
  return sql`${manifest}::jsonb, ${payload}::bytea ${sql.raw(INSERT_BODY)}`;
}

/**
 * Every batch of a group in one statement, so in one round trip and one transaction. Streams are locked in the
 * order of their ids; their heads give the offsets. A batch whose Idempotency-Key was used before is left out,
 * and so is one whose stream is gone: they do not come back in the result.
 */
const INSERT_HEAD = 'WITH given (manifest, payload) AS (SELECT ';
const INSERT_BODY = `), input AS MATERIALIZED (
  SELECT r.*, substring(g.payload FROM r.start + 1 FOR r.length) AS payload
  FROM given g, jsonb_to_recordset(g.manifest) AS r(
    n int, id uuid, topic_id uuid, count bigint, bytes int, packed boolean, start int, length int, carrier jsonb,
    trace_id text, principal uuid, answer jsonb)
), locked AS MATERIALIZED (
  SELECT id FROM topics WHERE id IN (SELECT topic_id FROM input) ORDER BY id FOR UPDATE
), claimed AS (
  INSERT INTO idempotency_keys AS k (workspace_id, principal, route, key, body_hash, status, headers, body)
  SELECT (answer->>'workspace')::uuid, answer->>'principal', answer->>'route', answer->>'key',
         decode(answer->>'body_hash', 'hex'), (answer->>'status')::int, answer->'headers',
         convert_to(answer->>'body', 'UTF8')
  FROM input WHERE answer IS NOT NULL AND topic_id IN (SELECT id FROM locked)
  ON CONFLICT (workspace_id, principal, route, key) DO UPDATE
    SET body_hash = excluded.body_hash, status = excluded.status, headers = excluded.headers, body = excluded.body,
        instance_id = NULL, created_at = now()
    WHERE k.created_at < now() - interval '24 hours'
  RETURNING workspace_id, principal, route, key
), fresh AS MATERIALIZED (
  SELECT i.* FROM input i
  WHERE i.answer IS NULL OR EXISTS (
    SELECT FROM claimed c
    WHERE c.workspace_id = (i.answer->>'workspace')::uuid AND c.principal = i.answer->>'principal'
      AND c.route = i.answer->>'route' AND c.key = i.answer->>'key')
), wanted AS MATERIALIZED (
  SELECT topic_id, sum(count)::bigint AS events, count(*) AS batches, sum(bytes)::bigint AS bytes
  FROM fresh GROUP BY topic_id
), moved AS (
  UPDATE topics t SET head = t.head + w.events
  FROM wanted w JOIN locked l ON l.id = w.topic_id
  WHERE t.id = w.topic_id
  RETURNING t.id, t.head - w.events AS before
), placed AS MATERIALIZED (
  SELECT f.*, m.before + sum(f.count) OVER (PARTITION BY f.topic_id ORDER BY f.n) AS last_offset
  FROM fresh f JOIN moved m ON m.id = f.topic_id
), minutes AS (
  INSERT INTO topic_minutes AS t (topic_id, minute, events, batches, bytes)
  SELECT w.topic_id, date_trunc('minute', now()), w.events, w.batches, w.bytes
  FROM wanted w JOIN moved m ON m.id = w.topic_id
  ON CONFLICT (topic_id, minute) DO UPDATE
    SET events = t.events + excluded.events, batches = t.batches + excluded.batches, bytes = t.bytes + excluded.bytes
), inserted AS (
  INSERT INTO event_batches (topic_id, first_offset, last_offset, id, bytes, packed, payload, carrier, trace_id,
                             principal, created_at)
  SELECT topic_id, last_offset - count + 1, last_offset, id, bytes, packed, payload, carrier, trace_id, principal,
         clock_timestamp()
  FROM placed
  RETURNING id AS batch_id, topic_id AS stream_id, first_offset, last_offset
), told AS MATERIALIZED (
  SELECT pg_notify('${APPENDED_CHANNEL}', CASE WHEN count(*) > ${MOST_NAMED} THEN '' ELSE string_agg(id::text, ',') END)
  FROM moved HAVING count(*) > 0
)
SELECT i.* FROM inserted i, told`;

export const INSERT_BATCHES = `${INSERT_HEAD}$1::jsonb, $2::bytea ${INSERT_BODY}`;

/** The two parameters of `INSERT_BATCHES`: one list, and all payloads in one piece. */
export function manifestOf(batches: readonly PackedBatch[]): { manifest: string; payload: Buffer } {
  let start = 0;
  const list = batches.map((batch, n) => {
    const { id, stream_id, count, bytes, packed, payload, carrier, principal, answer } = batch;
    const entry = {
      n,
      id,
      topic_id: stream_id,
      count,
      bytes,
      packed,
      start,
      length: payload.length,
      carrier,
      principal,
    };
    start += payload.length;
    return {
      ...entry,
      trace_id: traceIdOf(carrier),
      answer: answer ? { ...answer, body_hash: answer.body_hash.toString('hex') } : null,
    };
  });
  const [only] = batches;
  const payload = batches.length === 1 && only ? only.payload : Buffer.concat(batches.map((batch) => batch.payload));
  return { manifest: jsonText(list), payload };
}
