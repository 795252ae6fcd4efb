import assert from 'node:assert/strict';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { first, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import fc from '../../../../test/support/laws.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import {
  compactTestStore,
  spansExport,
  type TestSpan,
  testTelemetryStore,
} from '../../../../test/support/telemetry.ts';
import { withConnection } from '../store/duckdb.ts';
import { readFleet } from './fleet.ts';
import { type Minutes, openRedView } from './red-view.ts';
import { readServices } from './services.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Long ago, so that nothing of it is in the hour that runs. */
const START = Date.UTC(2026, 4, 4, 10);
const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];
const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;

const span = fc.record({
  /** Of the time that is told of; it may arrive hours later. */
  at: fc.oneof(
    fc.nat(4 * HOUR),
    fc.nat(4).map((hour) => hour * HOUR),
    fc.nat(240).map((minute) => minute * MINUTE),
  ),
  ms: fc.constantFrom(0, 5, 6, 2000, 3 * HOUR),
  system: fc.constantFrom('north', 'south'),
  service: fc.constantFrom('shop', 'stock'),
  name: fc.constantFrom('GET /a', 'GET /b', 'load'),
  kind: fc.integer({ min: 1, max: KINDS.length }),
  error: fc.boolean(),
});
const step = fc.record({
  spans: fc.array(span, { minLength: 1, maxLength: 12, size: 'max' }),
  next: fc.oneof(
    { weight: 6, arbitrary: fc.constant('flush') },
    { weight: 4, arbitrary: fc.constant('compact') },
    { weight: 1, arbitrary: fc.constantFrom('stay', 'lose hours') },
  ),
});
/** Whole hours, whole minutes and neither. */
const moment = fc
  .tuple(fc.integer({ min: -60, max: 300 }), fc.constantFrom(0, 0, 1, 30 * SECOND, MINUTE - 1), fc.boolean())
  .map(([minute, more, whole]) => START + (whole ? Math.round(minute / 60) * HOUR : minute * MINUTE + more));
const window = fc.tuple(moment, moment).map(([a, b]): Minutes => ({ from: Math.min(a, b), to: Math.max(a, b) }));

type Made = (typeof span extends fc.Arbitrary<infer T> ? T : never)[];

/** The definition: each span in the minute in which it began. */
function countedIn({ from, to }: Minutes, spans: Made): string[] {
  const counts = new Map<string, [number, number]>();
  for (const { at, ms, system, service, kind, error } of spans) {
    const minute = START + Math.floor(at / MINUTE) * MINUTE;
    if (minute < from || minute > to) continue;
    const bucket = ms === 0 ? 0 : Math.floor(8 * Math.log2(ms * 1e6));
    const key = [system, service, KINDS[kind - 1], bucket].join(' ');
    const [n, errors] = counts.get(key) ?? [0, 0];
    counts.set(key, [n + 1, errors + Number(error)]);
  }
  return [...counts].map(([key, counted]) => `${key} ${counted.join(' ')}`).sort();
}

test('whole hours and their minutes say the same', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  let now = START;
  const clock = { now: () => new Date(now), monotonic: () => performance.now() };
  const store = await testTelemetryStore(db, objects, { clock });
  const compact = () => compactTestStore(store, clock);
  const loseHours = (workspace_id: string) =>
    sql`UPDATE telemetry_segments SET removed_at = now()
        WHERE signal = 'red_1h' AND workspace_id = ${workspace_id}`.execute(db);
  let fromHours = 0;

  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 10, size: 'max' }),
      fc.array(window, { minLength: 6, maxLength: 6 }),
      async (steps, windows) => {
        const workspace_id = newId();
        const visible = { workspace_id, operator: false };
        for (const [index, { spans, next }] of steps.entries()) {
          const sent = spans.map(
            ({ at, ...rest }, position): TestSpan => ({
              ...rest,
              trace: (index + 1).toString(16).padStart(32, '0'),
              span: (position + 1).toString(16).padStart(16, '0'),
              start: ns(START + at),
            }),
          );
          await store.accept(spansExport(sent), { kind: 'workspace', workspace_id });
          if (next !== 'stay') await store.flush();
          now += MINUTE;
          if (next === 'compact') {
            now += 2 * HOUR;
            await compact();
          }
          if (next === 'lose hours') await loseHours(workspace_id);
        }
        const all = steps.flatMap(({ spans }) => spans);
        const counts = async (asked: Minutes): Promise<string[]> => {
          const view = await openRedView(store, visible, [asked]);
          const rows = await withConnection(store.buffer.instance, (read) =>
            read<Record<string, unknown>>(
              `SELECT system, service, kind, bucket, sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
               FROM ${view.from} GROUP BY ALL`,
            ),
          );
          await view.release();
          return rows.map((row) => Object.values(row).join(' ')).sort();
        };
        const answers = (asked: Minutes) => {
          const range = { from_ns: ns(asked.from), to_ns: ns(asked.to) };
          return Promise.all([readFleet(store, visible, range), readServices(store, visible, { range })]);
        };
        for (const asked of windows) assert.deepEqual(await counts(asked), countedIn(asked, all));
        const byHour = await Promise.all(windows.map(answers));
        const kept = await first(
          db,
          sql<{ hours: number }>`SELECT count(*)::integer AS hours FROM telemetry_segments
              WHERE signal = 'red_1h' AND workspace_id = ${workspace_id} AND removed_at IS NULL`,
        );
        fromHours += kept?.hours ?? 0;
        await loseHours(workspace_id);
        assert.deepEqual(inOneOrder(byHour), inOneOrder(await Promise.all(windows.map(answers))));
      },
    ),
    // A case takes a second: to look for a smaller one would take the file its whole time.
    { numRuns: 10, endOnFailure: true },
  );
  assert.ok(fromHours > 3, `${fromHours} hours were compacted`);
});

/** Equals come in any order. */
const inOneOrder = (answers: Awaited<ReturnType<typeof readFleet | typeof readServices>>[][]) =>
  answers.map((pair) =>
    pair.map(({ items, ...rest }) => ({
      ...rest,
      ...('edges' in rest ? { edges: rest.edges.map((each) => JSON.stringify(each)).sort() } : {}),
      items: items.map((each) => JSON.stringify(each)).sort(),
    })),
  );
