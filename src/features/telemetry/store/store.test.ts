import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import { spansExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import type { Sender } from '../otlp/origin.ts';
import { localReader } from '../query/local-reader.ts';

const TRACE = '5b8efff798038103d269b633813fc60c';
const ALICE = { kind: 'workspace', workspace_id: newId() } as const satisfies Sender;
const BOB = { kind: 'workspace', workspace_id: newId() } as const satisfies Sender;
const alice = { workspace_id: ALICE.workspace_id, operator: false };
const bob = { workspace_id: BOB.workspace_id, operator: false };

test('telemetry store', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  const store = await testTelemetryStore(db, objects);
  const reader = localReader(store);
  const names = async (visible: typeof alice) =>
    (await reader.trace(visible, TRACE))?.spans.map((span) => span.name) ?? null;

  await t.test('what was acknowledged is in the next answer, and stays there through a flush, once', async () => {
    await store.accept(spansExport([{ trace: TRACE, span: 'aaaaaaaaaaaaaaaa', name: 'first' }]), ALICE);
    assert.deepEqual(await names(alice), ['first']);
    await store.flush();
    assert.deepEqual(await names(alice), ['first']);
    await store.accept(spansExport([{ trace: TRACE, span: 'bbbbbbbbbbbbbbbb', name: 'second' }]), ALICE);
    assert.deepEqual(await names(alice), ['first', 'second']);
  });

  await t.test('a reader sees each span once while flushes run under it', async () => {
    const flushing = Promise.all([store.flush(), store.flush()]);
    for (let round = 0; round < 20; round += 1) assert.deepEqual(await names(alice), ['first', 'second']);
    await flushing;
    assert.deepEqual(await names(alice), ['first', 'second']);
  });

  await t.test('a workspace sees its own; a caudal.workspace from outside is overwritten', async () => {
    const span = { trace: TRACE, span: 'cccccccccccccccc', name: 'of bob' };
    await store.accept(spansExport([{ ...span, attributes: { 'caudal.workspace': ALICE.workspace_id } }]), BOB);
    assert.deepEqual(await names(alice), ['first', 'second']);
    const trace = await reader.trace(bob, TRACE);
    assert.deepEqual(
      trace?.spans.map((each) => [each.name, each.attributes['caudal.workspace']]),
      [['of bob', BOB.workspace_id]],
    );
  });

  await t.test("Caudal's own spans belong to whom they say, or to the installation", async () => {
    await store.accept(
      spansExport([
        {
          trace: TRACE,
          span: 'dddddddddddddddd',
          name: 'loaded',
          attributes: { 'caudal.workspace': bob.workspace_id },
        },
        { trace: TRACE, span: 'eeeeeeeeeeeeeeee', name: 'heartbeat' },
        { trace: TRACE, span: 'ffffffffffffffff', name: 'forged', attributes: { 'caudal.workspace': 'not a uuid' } },
      ]),
      { kind: 'internal' },
    );
    for (const flushed of [false, true]) {
      if (flushed) await store.flush();
      assert.deepEqual((await names(bob))?.sort(), ['loaded', 'of bob']);
      assert.deepEqual((await names({ ...bob, operator: true }))?.sort(), ['forged', 'heartbeat', 'loaded', 'of bob']);
      assert.deepEqual((await names({ ...alice, operator: true }))?.sort(), ['first', 'forged', 'heartbeat', 'second']);
    }
  });

  await t.test('no segment mixes workspaces, and no write-ahead file outlives its flush', async () => {
    const found = await rows(
      db,
      sql<{ workspace_id: string | null; object_key: string; rows: number }>`
        SELECT workspace_id, object_key, rows FROM telemetry_segments WHERE signal = 'spans'`,
    );
    assert.ok(found.length >= 4);
    for (const each of found)
      assert.ok(each.object_key.startsWith(`telemetry/${each.workspace_id ?? 'installation'}/`));
    assert.equal(
      found.reduce((sum, each) => sum + each.rows, 0),
      6,
    );
    assert.equal((await readdir(join(store.directory, 'wal'))).length, 1);
  });

  await t.test('an export that is sent twice is one span in its trace', async () => {
    const again = spansExport([{ trace: TRACE, span: 'aaaaaaaaaaaaaaaa', name: 'first' }]);
    await store.accept(again, ALICE);
    assert.deepEqual((await names(alice))?.sort(), ['first', 'second']);
  });
});

test('a full buffer refuses and recovers', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const store = await testTelemetryStore(db, await testDiskStore(db), { maxBufferedBytes: 2000 });
  const message = spansExport([{ trace: TRACE, span: 'aaaaaaaaaaaaaaaa', attributes: { filler: 'x'.repeat(1000) } }]);
  await store.accept(message, ALICE);
  await assert.rejects(store.accept(message, ALICE), { code: 'telemetry_full', retry_after: 5 });
  await store.flush();
  await store.accept(message, ALICE);
});

test('below the disk floor the intake refuses', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const store = await testTelemetryStore(db, await testDiskStore(db), { diskFloorBytes: 2 ** 60 });
  const message = spansExport([{ trace: TRACE, span: 'aaaaaaaaaaaaaaaa' }]);
  await assert.rejects(store.accept(message, ALICE), { code: 'telemetry_full' });
});
