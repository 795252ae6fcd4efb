import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { first, rows, sql } from '#platform/db/db.ts';
import { createEngine } from '#platform/lake/engine.ts';
import { listBatchSources } from '#platform/lake/list-sources.ts';
import { foldSourceLists } from '#platform/lake/source-lists.ts';
import { ARCHIVE, allBatchesAfter, archiveBatches, expireArchives } from '#platform/stream/archive.ts';
import { unpackBatch } from '#platform/stream/read.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { eventsRoom } from '../../../test/support/events.ts';

describe('what becomes of batches that were taken', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const room = await eventsRoom();
  const { db, workspace_id, temp_dir, objects } = room;
  room.startDrains();
  const engine = createEngine({ memory_limit: '200MB', threads: 1, slots: 1 });

  const publish = (topic: string, count: number, wait = true) =>
    room.call(
      'POST',
      `/topics/${topic}/events${wait ? '?wait=true' : ''}`,
      Array.from({ length: count }, (_, n) => ({ n, topic })),
    );

  async function idsOf(name: string) {
    const row = await first(
      db,
      sql<{ topic: string; dataset: string }>`
      SELECT t.id AS topic, d.id AS dataset FROM topics t JOIN datasets d ON d.name = t.name
      WHERE t.workspace_id = ${workspace_id} AND t.name = ${name}`,
    );
    assert.ok(row);
    return row;
  }

  test('lists of sources fold into one object; every source is still found, page by page', async () => {
    for (let n = 1; n <= 7; n += 1) await publish('folded', n);
    const { dataset } = await idsOf('folded');
    const page = { after: null, id: null, limit: 100 };
    const before = await listBatchSources({ db, objects, engine }, dataset, page);
    assert.deepEqual(
      before.map(({ read }) => read),
      [7, 6, 5, 4, 3, 2, 1],
    );
    const options = { most_lists: 3, most_objects: 16, small_bytes: 1e6 };
    assert.equal(await foldSourceLists({ db, objects, temp_dir }, options), 7);
    assert.equal(await foldSourceLists({ db, objects, temp_dir }, options), 0);
    const after = await listBatchSources({ db, objects, engine }, dataset, page);
    assert.deepEqual(after, before);
    await publish('folded', 8);
    const found: unknown[] = [];
    for (let cursor: string | null = null; ; ) {
      const next = await listBatchSources({ db, objects, engine }, dataset, { after: cursor, id: null, limit: 3 });
      if (next.length === 0) break;
      found.push(...next.map(({ read }) => read));
      cursor = String(next.at(-1)?.id);
    }
    assert.deepEqual(found, [8, 7, 6, 5, 4, 3, 2, 1]);
    const [one] = await listBatchSources({ db, objects, engine }, dataset, {
      after: null,
      id: String(before[3]?.id),
      limit: 1,
    });
    assert.deepEqual(one, before[3]);
    await engine.close();
  });

  test('taken batches leave the database as objects that any program reads, and come back in order', async () => {
    for (let n = 1; n <= 5; n += 1) await publish('archived', n * 100);
    const { topic } = await idsOf('archived');
    const tools = { db, objects };
    assert.equal(await archiveBatches(tools), 0, 'too little to be worth an object yet');
    await archiveBatches(tools, { ...ARCHIVE, worth_batches: 5, bounds: { most_batches: 3, most_bytes: 1e9 } });
    assert.equal((await room.objects.keys('events/')).filter((each) => each.includes(topic)).length, 2);
    const left = await rows(db, sql`SELECT FROM event_batches WHERE topic_id = ${topic}`);
    assert.equal(left.length, 0);
    await publish('archived', 7);
    const lines: string[] = [];
    let next = 1;
    for await (const group of allBatchesAfter(tools, topic, 0, ARCHIVE.bounds)) {
      for (const batch of group) {
        assert.equal(batch.first_offset, next);
        next = batch.last_offset + 1;
        lines.push(...(await unpackBatch(batch)).toString().trim().split('\n'));
      }
    }
    assert.equal(lines.length, 1507);
    assert.deepEqual(JSON.parse(lines[1500] ?? ''), { n: 0, topic: 'archived' });
    const [key] = (await room.objects.keys('events/')).filter((each) => each.includes(topic));
    const instance = await DuckDBInstance.create(':memory:');
    const reader = await (await instance.connect()).runAndReadAll(
      `SELECT count(*) AS n FROM read_json('${join(room.root, 'objects', key ?? '')}', format = 'newline_delimited')`,
    );
    assert.equal(Number(reader.getRows()[0]?.[0]), 600);
    instance.closeSync();
    assert.equal(await expireArchives(tools, 3_600_000), 0);
    await expireArchives(tools, 0);
    assert.deepEqual(
      (await room.objects.keys('events/')).filter((each) => each.includes(topic)),
      [],
    );
  });

  test('what a subscription has not taken stays', async () => {
    const hook = { webhook: { url: 'https://example.org/hook', secret: 'a-secret-of-sixteen' } };
    await publish('waiting', 1);
    await room.call('POST', '/topics/waiting/subscriptions', hook);
    await publish('waiting', 2);
    const { topic } = await idsOf('waiting');
    assert.equal((await archiveBatches({ db, objects }, { ...ARCHIVE, worth_batches: 1 })) > 0, true);
    const left = await rows(
      db,
      sql<{ first_offset: number }>`SELECT first_offset FROM event_batches WHERE topic_id = ${topic}`,
    );
    assert.deepEqual(left, [{ first_offset: 2 }]);
  });
});
