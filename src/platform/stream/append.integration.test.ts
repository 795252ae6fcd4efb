import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { newId } from '#kernel/ids.ts';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase, type TestDatabase, testDatabase } from '../../../test/support/database.ts';
import { newWorkspace } from '../../../test/support/lake.ts';
import { appendRows, type KeptAnswer } from './append.ts';
import { createAppender } from './appender.ts';
import type { NewBatch } from './batch.ts';
import { rowsStream } from './streams.ts';

async function newTopic({ db }: TestDatabase, workspace: string, name: string): Promise<string> {
  const id = newId();
  await sql`INSERT INTO topics (id, workspace_id, kind, name) VALUES (${id}, ${workspace}, 'topic', ${name})`.execute(
    db,
  );
  return id;
}

function batchOf(stream_id: string, count: number, filler = ''): NewBatch {
  const ndjson = Buffer.from(`{"n":1,"filler":"${filler}"}\n`.repeat(count));
  return {
    stream_id,
    ndjson,
    count,
    carrier: { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01` },
    principal: null,
  };
}

interface Stored {
  id: string;
  first_offset: number;
  last_offset: number;
  packed: boolean;
  payload: Buffer;
  trace_id: string;
}

function stored({ db }: TestDatabase, stream: string): Promise<Stored[]> {
  return rows(
    db,
    sql<Stored>`SELECT id, first_offset, last_offset, packed, payload, trace_id FROM event_batches
                WHERE topic_id = ${stream} ORDER BY first_offset`,
  );
}

/** Every offset from 1 to the head, once. */
async function gapless(database: TestDatabase, stream: string): Promise<number> {
  let next = 1;
  for (const { first_offset, last_offset } of await stored(database, stream)) {
    assert.equal(first_offset, next);
    next = last_offset + 1;
  }
  const row = await first(database.db, sql<{ head: number }>`SELECT head FROM topics WHERE id = ${stream}`);
  assert.equal(row?.head, next - 1);
  return next - 1;
}

describe('appending to streams', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const database = await testDatabase();
  const { db, pool } = database;
  const workspace = await newWorkspace(db);

  test('several gateways at once, several topics: offsets without gap, each batch once', async () => {
    const streams = await Promise.all(['a', 'b', 'c'].map((name) => newTopic(database, workspace, name)));
    const appenders = Array.from({ length: 4 }, () => createAppender({ pool, most_batches: 7 }));
    const counts = streams.map(() => 0);
    const work = Array.from({ length: 240 }, (_, index) => {
      const at = index % streams.length;
      const count = 1 + (index % 5);
      counts[at] = (counts[at] ?? 0) + count;
      return appenders[index % 4]?.append(batchOf(streams[at] as string, count));
    });
    const done = await Promise.all(work);
    assert.ok(done.every((one) => one && one.last_offset >= one.first_offset));
    for (const [at, stream] of streams.entries()) assert.equal(await gapless(database, stream), counts[at]);
    const minutes = await first(
      db,
      sql<{ events: number; batches: number }>`
        SELECT sum(events) AS events, sum(batches) AS batches FROM topic_minutes WHERE topic_id = ANY(${streams}::uuid[])`,
    );
    assert.deepEqual(minutes, { events: counts.reduce((a, b) => a + b), batches: 240 });
    await Promise.all(appenders.map((each) => each.close()));
  });

  test('the bytes come back as they were, packed or not, with their trace', async () => {
    const stream = await newTopic(database, workspace, 'bytes');
    const appender = createAppender({ pool });
    const batches = [batchOf(stream, 1), batchOf(stream, 40, 'x'.repeat(30)), batchOf(stream, 3000, 'ñ'.repeat(20))];
    await Promise.all(batches.map((batch) => appender.append(batch)));
    const found = await stored(database, stream);
    assert.deepEqual(new Set(found.map(({ packed }) => packed)), new Set([true, false]));
    const back = found.map(({ packed, payload }) => (packed ? zstdDecompressSync(payload) : payload).toString());
    assert.deepEqual(back.sort(), batches.map(({ ndjson }) => ndjson.toString()).sort());
    assert.ok(found.every(({ trace_id }) => trace_id === 'ab'.repeat(16)));
  });

  test('an Idempotency-Key is kept with the batch; a repeat appends nothing', async () => {
    const stream = await newTopic(database, workspace, 'repeated');
    const appenders = [createAppender({ pool }), createAppender({ pool })];
    const answer = (id: string): KeptAnswer => ({
      ...{ workspace, principal: 'me', route: 'POST /x', key: 'k', status: 202, headers: {} },
      body_hash: Buffer.from('abcd', 'hex'),
      body: JSON.stringify({ batch_id: id }),
    });
    const tries = Array.from({ length: 12 }, (_, at) => appenders[at % 2]?.append(batchOf(stream, 2), answer));
    const done = (await Promise.all(tries)).filter((one) => one !== undefined);
    assert.equal(done.length, 1);
    assert.equal(await gapless(database, stream), 2);
    const kept = await first(
      db,
      sql<{ body: Buffer; status: number }>`SELECT body, status FROM idempotency_keys WHERE key = 'k'`,
    );
    assert.deepEqual(JSON.parse(String(kept?.body)), { batch_id: done[0]?.batch_id });
    assert.equal(kept?.status, 202);
  });

  test('a topic that is gone is told; its neighbours in the group are written', async () => {
    const stream = await newTopic(database, workspace, 'there');
    const appender = createAppender({ pool });
    const [gone, there] = await Promise.allSettled([
      appender.append(batchOf(newId(), 1)),
      appender.append(batchOf(stream, 1)),
    ]);
    assert.equal(gone.status === 'rejected' && gone.reason.code, 'topic_not_found');
    assert.equal(there.status === 'fulfilled' && there.value?.last_offset, 1);
  });

  test('too much at once is sent away, nothing of it is written', async () => {
    const stream = await newTopic(database, workspace, 'flood');
    const appender = createAppender({ pool, most_waiting_bytes: 1000 });
    const tries = await Promise.allSettled(Array.from({ length: 50 }, () => appender.append(batchOf(stream, 10))));
    const kept = tries.filter(({ status }) => status === 'fulfilled').length;
    const refused = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
    assert.ok(kept > 0 && refused.length > 0);
    assert.deepEqual(new Set(refused), new Set(['not_ready']));
    assert.equal(await gapless(database, stream), kept * 10);
  });

  test('direct rows: in the caller’s transaction or not at all', async () => {
    const { id } = await transaction(db, (tx) => createDataset(tx, { workspace_id: workspace, name: 'direct' }));
    const dataset = { workspace_id: workspace, id, name: 'direct' };
    const append = (fails: boolean) =>
      transaction(db, async (tx) => {
        const stream = await rowsStream(tx, dataset);
        const appended = await appendRows(tx, batchOf(stream, 3));
        if (fails) throw new Error('the caller changed its mind');
        return appended;
      });
    await assert.rejects(append(true), /changed its mind/);
    const two = await Promise.all([append(false), append(false)]);
    const stream = await transaction(db, (tx) => rowsStream(tx, dataset));
    assert.equal(await gapless(database, stream), 6);
    assert.deepEqual(two.map(({ first_offset }) => first_offset).sort(), [1, 4]);
    const subscribed = await rows(
      db,
      sql<{ dataset: string }>`SELECT dataset FROM subscriptions WHERE topic_id = ${stream}`,
    );
    assert.deepEqual(subscribed, [{ dataset: 'direct' }]);
  });
});
