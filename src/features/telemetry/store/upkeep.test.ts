import assert from 'node:assert/strict';
import test from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import { compactTestStore, jsonExport, spansExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import { localReader } from '../query/local-reader.ts';
import { KEPT } from '../schema.ts';
import { runUpkeep, type UpkeepOptions } from './upkeep.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ALICE = { kind: 'workspace', workspace_id: newId() } as const;
const BOB = { kind: 'workspace', workspace_id: newId() } as const;
const trace = (digit: number) => String(digit).repeat(32);

test('upkeep', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  const store = await testTelemetryStore(db, objects);
  const reader = localReader(store);
  const alice = { workspace_id: ALICE.workspace_id, operator: false };
  const at = (ms: number): UpkeepOptions => ({
    db,
    objects,
    instance: store.buffer.instance,
    directory: store.directory,
    clock: { now: () => new Date(Date.now() + ms), monotonic: () => performance.now() },
    log: pino({ level: 'silent' }),
    keepMs: { ...Object.fromEntries(KEPT.map((kept) => [kept, 7 * DAY])), spans: 3 * DAY } as UpkeepOptions['keepMs'],
    maxBytes: 1e9,
    graceMs: 600_000,
  });
  const live = (signal: string) =>
    rows(
      db,
      sql<{ workspace_id: string; rows: number; compacted: boolean; object_key: string }>`
        SELECT workspace_id, rows, compacted, object_key FROM telemetry_segments
        WHERE signal = ${signal} AND removed_at IS NULL ORDER BY rows DESC`,
    );
  for (const digit of [3, 1, 2]) {
    await store.accept(spansExport([{ trace: trace(digit), span: 'aaaaaaaaaaaaaaaa' }]), ALICE);
    if (digit === 1) await store.accept(spansExport([{ trace: trace(4), span: 'bbbbbbbbbbbbbbbb' }]), BOB);
    await store.flush();
  }
  await store.accept(
    jsonExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'kept' } }] }] }] }),
    ALICE,
  );
  await store.flush();
  // All of one hour, also when the clock strikes one meanwhile.
  await sql`UPDATE telemetry_segments SET created_at = now()`.execute(db);

  await t.test('the running hour is left alone', async () => {
    assert.deepEqual(await runUpkeep(at(0)), { compacted: 0, expired: 0, deleted: 0, orphans: 0 });
  });

  await t.test('a full hour becomes one sorted segment per workspace; nothing is lost', async () => {
    const report = await runUpkeep(at(2 * HOUR));
    assert.equal(
      report?.compacted,
      14,
      "Bob's span; Alice's three of spans and each rollup, and four of resources; her log stands alone",
    );
    const spans = await live('spans');
    assert.deepEqual(
      spans.map((each) => [each.workspace_id, each.rows, each.compacted]),
      [
        [ALICE.workspace_id, 3, true],
        [BOB.workspace_id, 1, true],
      ],
    );
    const local = await objects.local(spans[0]?.object_key ?? '');
    const connection = await store.buffer.instance.connect();
    const sorted = await connection.runAndReadAll(`SELECT trace_id FROM read_parquet('${local.path}')`);
    connection.closeSync();
    await local.release();
    assert.deepEqual(sorted.getRows().flat(), [trace(1), trace(2), trace(3)]);
    assert.equal((await reader.trace(alice, trace(2)))?.spans.length, 1);
    assert.deepEqual(await runUpkeep(at(2 * HOUR)), { compacted: 0, expired: 0, deleted: 0, orphans: 0 });
  });

  await t.test('removed segments keep their objects for the longest query, then go', async () => {
    await sql`UPDATE telemetry_segments SET removed_at = removed_at - interval '11 minutes'
              WHERE signal = 'spans' AND removed_at IS NOT NULL`.execute(db);
    assert.equal((await runUpkeep(at(2 * HOUR)))?.deleted, 4);
    const keys: string[] = [];
    for await (const object of objects.list('telemetry/')) keys.push(object.key);
    const known = await rows(db, sql<{ object_key: string }>`SELECT object_key FROM telemetry_segments`);
    assert.deepEqual(keys.sort(), known.map((row) => row.object_key).sort());
  });

  await t.test('one process at a time', async () => {
    const both = await Promise.all([runUpkeep(at(2 * HOUR)), runUpkeep(at(2 * HOUR))]);
    assert.ok(both.some((report) => report !== null));
    await db.connection().execute(async (other) => {
      await sql`SELECT pg_advisory_lock(7306254106)`.execute(other);
      assert.equal(await runUpkeep(at(2 * HOUR)), null);
      await sql`SELECT pg_advisory_unlock(7306254106)`.execute(other);
    });
  });

  await t.test('an object without a segment is swept, but not while its commit may still come', async () => {
    const key = `telemetry/installation/spans/2026-01-01/00/${newId()}.parquet`;
    await objects.put(key, Buffer.from('left by a crash'));
    assert.equal((await runUpkeep(at(0)))?.orphans, 0);
    assert.equal((await runUpkeep(at(2 * HOUR)))?.orphans, 1);
    await assert.rejects(objects.stat(key), { code: 'object_not_found' });
  });

  await t.test('spans age out before logs', async () => {
    await runUpkeep(at(4 * DAY));
    assert.equal((await live('spans')).length, 0);
    assert.equal((await live('logs')).length, 1);
    assert.equal(await reader.trace(alice, trace(2)), null);
    await runUpkeep(at(8 * DAY));
    assert.equal((await live('logs')).length, 0);
  });

  await t.test('over the byte limit the oldest go first', async () => {
    for (const digit of [5, 6]) {
      await store.accept(spansExport([{ trace: trace(digit), span: 'aaaaaaaaaaaaaaaa' }]), ALICE);
      await store.flush();
    }
    const [{ bytes } = { bytes: 0 }] = await rows(
      db,
      sql<{ bytes: number }>`SELECT sum(bytes) AS bytes FROM telemetry_segments WHERE removed_at IS NULL`,
    );
    const maxBytes = (bytes - 1) / 0.7;
    await runUpkeep({ ...at(0), maxBytes });
    assert.equal((await reader.trace(alice, trace(5)))?.spans.length, 1, 'the newest hour stays');
    await runUpkeep({ ...at(2 * HOUR), maxBytes });
    assert.equal(await reader.trace(alice, trace(5)), null);
    assert.equal((await reader.trace(alice, trace(6)))?.spans.length, 1);
  });
});

test('who called whom is the same from spans and from what compaction made of them', {
  skip: needsDatabase,
}, async () => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  const store = await testTelemetryStore(db, objects);
  const reader = localReader(store);
  const start = BigInt(Date.now()) * 1_000_000n;
  const call = (digit: number) => ({ trace: trace(digit), start, ms: 10, error: digit === 1 });
  for (const digit of [1, 2, 3]) {
    await store.accept(
      spansExport([{ ...call(digit), span: 'bbbbbbbbbbbbbbbb', parent: 'aaaaaaaaaaaaaaaa', service: 'back' }]),
      ALICE,
    );
    await store.flush();
  }
  for (const digit of [1, 2, 3]) {
    await store.accept(spansExport([{ ...call(digit), span: 'aaaaaaaaaaaaaaaa', service: 'front' }]), ALICE);
    if (digit === 2) await store.flush();
  }
  const visible = { workspace_id: ALICE.workspace_id, operator: false };
  const range = { from_ns: start - 1_000_000_000n, to_ns: start + 60_000_000_000n };
  const edges = async () =>
    (await reader.services(visible, { range })).edges.map(({ p50_ms: _, p95_ms: __, p99_ms: ___, ...edge }) => edge);
  const before = await edges();
  assert.equal(before.length, 1);
  assert.deepEqual(
    [before[0]?.from_service, before[0]?.to_service, before[0]?.calls, before[0]?.errors],
    ['front', 'back', 3, 1],
  );
  await store.flush();
  assert.deepEqual(await edges(), before);
  const clock = { now: () => new Date(Date.now() + 2 * HOUR), monotonic: () => 0 };
  await compactTestStore(store, clock);
  assert.deepEqual(await edges(), before);
  assert.deepEqual(
    await reader.services({ ...visible, workspace_id: newId() }, { range }).then(({ edges: none }) => none),
    [],
  );
});
