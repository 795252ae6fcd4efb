import assert from 'node:assert/strict';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import { compactTestStore, jsonExport, spansExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import { localReader } from './local-reader.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 4, 4, 10);
const HOURS = 7;
const ALICE = { kind: 'workspace', workspace_id: newId() } as const;
const visible = { workspace_id: ALICE.workspace_id, operator: false };

const traceOf = (hour: number, number: number): string => `${hour}${number}`.padStart(32, '0');

/** A line of a trace, and one of none. */
const linesOf = (traceId: string, ms: number) =>
  jsonExport('logs', {
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: [{ traceId }, {}].map((of) => ({
              ...of,
              timeUnixNano: String(BigInt(ms) * 1_000_000n),
              body: { stringValue: `of ${traceId}` },
            })),
          },
        ],
      },
    ],
  });

test('a trace is read from the segments that have it, and from all of them', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  let now = START;
  const clock = { now: () => new Date(now), monotonic: () => performance.now() };
  const store = await testTelemetryStore(db, objects, { clock });
  for (let hour = 0; hour < HOURS; hour += 1) {
    now = START + hour * HOUR;
    for (const number of [1, 2]) {
      const trace = traceOf(hour, number);
      await store.accept(linesOf(trace, now), ALICE);
      await store.accept(spansExport([{ trace, span: 'aaaaaaaaaaaaaaaa', start: BigInt(now) * 1_000_000n }]), ALICE);
      // A late line, hours after its trace.
      await store.accept(linesOf(traceOf(0, number), now), ALICE);
      await store.flush();
    }
  }
  const bodies = async (trace: string) =>
    (await localReader(store).trace(visible, trace))?.logs.map(({ body }) => body);
  const allAreThere = async (): Promise<void> => {
    for (let hour = 0; hour < HOURS; hour += 1) {
      for (const number of [1, 2]) {
        const trace = traceOf(hour, number);
        assert.deepEqual(
          await bodies(trace),
          Array.from({ length: hour === 0 ? HOURS + 1 : 1 }, () => `of ${trace}`),
        );
        assert.equal((await localReader(store).trace(visible, trace))?.spans.length, 1);
      }
    }
    assert.equal(await bodies(`f${traceOf(0, 1).slice(1)}`), undefined, 'ends like another');
    assert.equal(await bodies('f'.repeat(32)), undefined);
  };
  await allAreThere();

  // All but the last two hours.
  await compactTestStore(store, clock);
  const indexes = await rows(
    db,
    sql<{
      id: string;
      rows: number;
    }>`SELECT id, rows FROM telemetry_segments WHERE signal = 'log_traces_1h' ORDER BY from_ns`,
  );
  assert.deepEqual(
    indexes.map((each) => each.rows),
    [2, 4, 4, 4, 4],
  );
  await allAreThere();

  await sql`UPDATE telemetry_segments SET removed_at = now() WHERE id = ${indexes[2]?.id}`.execute(db);
  await allAreThere();
});
