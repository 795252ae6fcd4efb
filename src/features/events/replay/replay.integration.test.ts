import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { rows, sql, transaction } from '#platform/db/db.ts';
import { createNamedLocks } from '#platform/db/named-locks.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { createEngine } from '#platform/lake/engine.ts';
import { listBatchSources } from '#platform/lake/list-sources.ts';
import { foldSourceLists } from '#platform/lake/source-lists.ts';
import { ARCHIVE, archiveBatches } from '#platform/stream/archive.ts';
import { needsDatabase } from '../../../../test/support/database.ts';
import { eventsRoom } from '../../../../test/support/events.ts';
import { replayEventsTask } from './replay-events.handler.ts';

describe('replaying events', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const room = await eventsRoom();
  const { db, call, objects, database, drainDeps, workspace_id, temp_dir } = room;
  room.startDrains();
  const locks = createNamedLocks(database.url, newId(), pino({ level: 'silent' }));
  const engine = createEngine({ memory_limit: '200MB', threads: 1, slots: 1 });
  after(async () => {
    await Promise.all([locks.close(), engine.close()]);
  });
  const deps = { ...drainDeps, objects, locks, memory_bytes: 300e6, threads: 1 };
  await room.work({ replay_events: async () => replayEventsTask(deps) });

  const publish = (topic: string, values: number[]) =>
    call(
      'POST',
      `/topics/${topic}/events?wait=true`,
      values.map((n) => ({ n })),
    );

  async function replay(topic: string, from: Date | string) {
    const { body } = await call('GET', `/topics/${topic}`);
    const answer = await call('POST', `/topics/${topic}/subscriptions/${body.subscriptions[0].id}/replay`, {
      from: new Date(from).toISOString(),
    });
    return answer.status === 202 ? room.ended(answer.body.task.id) : answer;
  }

  const numbers = async (name: string) =>
    (await room.content(name, 'n, _line')).map(({ n, _line }) => `${_line}:${n}`).sort();

  async function sourcesOf(name: string) {
    const [dataset] = await rows(
      db,
      sql<{ id: string }>`SELECT id FROM datasets WHERE name = ${name} AND deleted_at IS NULL`,
    );
    const found = await listBatchSources({ db, objects, engine }, dataset?.id ?? '', {
      after: null,
      id: null,
      limit: 1000,
    });
    return found.map(({ first_offset, last_offset, accepted }) => [first_offset, last_offset, accepted]).reverse();
  }

  test('what is replayed replaces what it brought: the rows, the sources, from archives too', async () => {
    await publish('again', [1, 2]);
    await publish('again', [3]);
    await archiveBatches({ db, objects }, { ...ARCHIVE, worth_batches: 1 });
    await foldSourceLists({ db, objects, temp_dir }, { most_lists: 1, most_objects: 9, small_bytes: 1e6 });
    const since = new Date();
    await publish('again', [4, 5, 6]);
    const all = await numbers('again');
    const sources = await sourcesOf('again');
    for (const from of [new Date(0), since, new Date(0)]) {
      const ended = await replay('again', from);
      assert.equal(ended.status, 'succeeded', JSON.stringify(ended));
      assert.deepEqual(await numbers('again'), all);
      assert.deepEqual(await sourcesOf('again'), sources);
    }
    await publish('again', [7]);
    assert.equal((await numbers('again')).length, 7);
  });

  test('a replay brings back what a dataset lost, and what an earlier rule refused', async () => {
    const declared = [{ name: 'n', type: 'integer', max: 10 }];
    await transaction(db, (tx) => createDataset(tx, { workspace_id, name: 'ruled', declared }));
    const answer = await publish('ruled', [1, 50, 2]);
    assert.equal(answer.body.quarantined, 1);
    const wider = JSON.stringify([{ name: 'n', type: 'integer', max: 100 }]);
    await sql`UPDATE datasets SET declared = ${wider}::jsonb WHERE name = 'ruled'`.execute(db);
    const ended = await replay('ruled', new Date(0));
    assert.deepEqual(
      ended.status === 'succeeded' && 'output' in ended && ended.output?.['rows'],
      3,
      JSON.stringify(ended),
    );
    assert.deepEqual(await numbers('ruled'), ['1:1', '2:50', '3:2']);
    assert.deepEqual(
      await rows(db, sql`SELECT FROM quarantine q JOIN datasets d ON d.id = q.dataset_id WHERE d.name = 'ruled'`),
      [],
    );
  });

  test('a time behind all events, or from which none are kept, is refused', async () => {
    await publish('late', [1]);
    const late = await replay('late', new Date(Date.now() + 60_000));
    assert.equal('body' in late && late.body.code, 'invalid_input', JSON.stringify(late));
    await archiveBatches({ db, objects }, { ...ARCHIVE, worth_batches: 1 });
    await publish('late', [2]);
    await sql`DELETE FROM event_archives`.execute(db);
    const gone = await replay('late', new Date(0));
    assert.equal('body' in gone && gone.body.code, 'events_gone', JSON.stringify(gone));
  });

  test('a dataset with a key is refused before there is a task', async () => {
    const columns = [{ name: 'n', type: 'integer' }];
    assert.equal((await call('POST', '/datasets', { name: 'keyed', columns, key: ['n'] })).status, 201);
    await publish('keyed', [1, 2, 2]);
    const answer = await replay('keyed', '2020-01-01');
    assert.ok('body' in answer);
    assert.deepEqual([answer.status, answer.body.code], [422, 'invalid_input']);
    assert.equal((await numbers('keyed')).length, 2);
  });
});
