import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { temporaryDirectory, testDiskStore } from '../../../../test/support/object-store.ts';
import { jsonExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import { localReader } from '../query/local-reader.ts';
import { KEPT } from '../schema.ts';
import { runUpkeep } from './upkeep.ts';

const HOUR = 3_600_000;
const STEP = 10 * 60_000;
/** `make soak`: 200 MB and fifty times as much in each line. */
const SCALE = process.env['CAUDAL_SOAK'] === '1' ? 50 : 1;
const QUOTA = 4_000_000 * SCALE;
const ALICE = { kind: 'workspace', workspace_id: newId() } as const;
const visible = { workspace_id: ALICE.workspace_id, operator: false };

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) => stat(join(entry.parentPath, entry.name)).then(({ size }) => size));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Lines that do not compress: what is sent is what is stored. */
function lines(at: number, bytes: number, marks: string[]) {
  const logRecords = Array.from({ length: bytes / 10_000 }, () => {
    const body = randomBytes(7_000 * SCALE).toString('base64url');
    marks.push(body.slice(0, 20));
    return { timeUnixNano: String(BigInt(at) * 1_000_000n), body: { stringValue: body } };
  });
  return jsonExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
}

test('a quota under continuous intake is never exceeded and never loses the newest hour', {
  skip: needsDatabase,
}, async () => {
  const { db } = await testDatabase();
  const directory = await temporaryDirectory();
  const objects = await testDiskStore(db);
  let now = Date.parse('2026-01-01T00:00:30Z');
  const clock = { now: () => new Date(now), monotonic: () => now };
  const store = await testTelemetryStore(db, objects, {
    directory,
    clock,
    maxBytes: QUOTA,
    maxBufferedBytes: QUOTA,
    memoryLimit: '1GB',
  });
  const reader = localReader(store);
  const { instance } = store.buffer;
  const keepMs = Object.fromEntries(KEPT.map((kept) => [kept, 30 * 24 * HOUR])) as Record<
    (typeof KEPT)[number],
    number
  >;
  const upkeep = {
    db,
    objects,
    instance,
    directory,
    clock,
    log: pino({ level: 'silent' }),
    keepMs,
    maxBytes: QUOTA,
    graceMs: 0,
  };
  const sent: { at: number; marks: string[] }[] = [];
  let most = 0;
  let refused = 0;

  const look = async (): Promise<void> => {
    const kept = await rows(db, sql<{ key: string }>`SELECT object_key AS key FROM telemetry_segments`);
    const sizes = await Promise.all(kept.map(({ key }) => objects.stat(key).then(({ size }) => size)));
    const onDisk = sizes.reduce((sum, size) => sum + size, 0) + (await bytesBelow(directory));
    most = Math.max(most, onDisk);
    assert.ok(onDisk <= QUOTA, `${onDisk} bytes on disk`);
  };
  const newestHour = async (): Promise<void> => {
    const recent = sent.filter(({ at }) => at > now - HOUR);
    const range = { from_ns: BigInt(now - HOUR + 1) * 1_000_000n };
    const { items } = await reader.logs(visible, { range, limit: 1000 });
    const found = new Set(items.map(({ body }) => body.slice(0, 20)));
    assert.deepEqual(
      recent.flatMap(({ marks }) => marks).filter((mark) => !found.has(mark)),
      [],
    );
  };
  const step = async (bytes: number): Promise<void> => {
    now += STEP;
    const marks: string[] = [];
    try {
      await store.accept(lines(now, bytes, marks), ALICE);
      sent.push({ at: now, marks });
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'telemetry_full');
      refused += 1;
    }
    await look();
    await store.flush();
    await look();
    await runUpkeep(upkeep);
    // What was removed is deleted by the next run, as by a timer.
    await runUpkeep(upkeep);
    await look();
    await newestHour();
  };

  for (let count = 0; count < 24; count += 1) await step(300_000);
  assert.equal(refused, 0, 'four hours of 1.8 MB fit, because the oldest go');
  assert.ok(most > QUOTA / 2, `${most} bytes: the quota was used`);
  const { items } = await reader.logs(visible, { range: {}, limit: 1000 });
  assert.ok(items.length < sent.flatMap(({ marks }) => marks).length, 'the oldest are gone');
  for (let count = 0; count < 8; count += 1) await step(800_000);
  assert.ok(refused > 0, 'an hour that does not fit is refused, not forgotten');
});
