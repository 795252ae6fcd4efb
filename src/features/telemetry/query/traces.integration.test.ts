import assert from 'node:assert/strict';
import test from 'node:test';
import type { TracePage } from '#contract/telemetry.ts';
import { newId } from '#kernel/ids.ts';
import { sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import fc from '../../../../test/support/laws.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import {
  compactTestStore,
  spansExport,
  type TestSpan,
  testTelemetryStore,
} from '../../../../test/support/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { Position, TraceSearch } from '../reader.ts';
import { withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { decodePosition } from './cursor.ts';
import { searchTraces, spanConditions } from './traces.ts';
import { openView } from './view.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Long ago, so that nothing of it is in the hour that runs. */
const START = Date.UTC(2026, 4, 4, 10);
const ns = (minute: number): bigint => BigInt(START + minute * MINUTE) * 1_000_000n;

/** All at once, from all spans, as the search is defined: what it must answer by any shorter way. */
async function searchSpans(
  store: TelemetryStore,
  visible: Visibility,
  search: TraceSearch,
): Promise<TracePage['items'][number][]> {
  const { where, values } = spanConditions(search);
  const view = await openView(store, 'spans', visible, search.range);
  const found = await withConnection(store.buffer.instance, (read) =>
    read<Record<string, unknown> & { trace_id: string; start_ns: bigint; end_ns: bigint }>(
      `WITH seen AS (SELECT * FROM ${view.from}),
            found AS (SELECT DISTINCT trace_id FROM seen WHERE ${where()})
       SELECT trace_id, min(start_ns) AS start_ns, max(start_ns + dur_ns) AS end_ns,
              first(service ORDER BY parent_span_id IS NOT NULL, start_ns, span_id) AS root_service,
              first(name ORDER BY parent_span_id IS NOT NULL, start_ns, span_id) AS root_name,
              count(DISTINCT span_id)::INTEGER AS spans,
              (count(DISTINCT span_id) FILTER (status = 'error'))::INTEGER AS errors,
              list_sort(list_distinct(list(service))) AS services
       FROM seen SEMI JOIN found USING (trace_id) GROUP BY trace_id ORDER BY start_ns DESC, trace_id DESC`,
      values,
    ),
  );
  await view.release();
  return found.map(
    ({ start_ns, end_ns, ...rest }) =>
      ({ ...rest, start: formatNs(start_ns), duration_ns: Number(end_ns - start_ns) }) as TracePage['items'][number],
  );
}

async function allPages(store: TelemetryStore, visible: Visibility, search: TraceSearch) {
  const items: TracePage['items'] = [];
  let cursor: Position | undefined;
  do {
    const page = await searchTraces(store, visible, { ...search, ...(cursor ? { cursor } : {}) });
    assert.ok(page.items.length <= search.limit);
    items.push(...page.items);
    cursor = page.next_cursor === null ? undefined : decodePosition(page.next_cursor);
  } while (cursor);
  return items;
}

const minutes = fc.integer({ min: 0, max: 240 });
const service = fc.constantFrom('shop', 'stock', 'post');
const operation = fc.constantFrom('GET /a', 'GET /b', 'load');
/** Most searches ask for one or two things: all at once would find nothing. */
const optional = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const span = fc.record({
  trace: fc.integer({ min: 0, max: 39 }),
  minute: minutes,
  ms: fc.constantFrom(0, 5, 2000, 3 * HOUR),
  service,
  operation,
  error: fc.boolean(),
  root: fc.boolean(),
  color: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('red', 'blue') },
    { weight: 1, arbitrary: fc.constant('gold') },
  ),
  /** Sent again with the next step, as after a lost answer. */
  again: fc.boolean(),
});
const step = fc.record({
  spans: fc.array(span, { minLength: 1, maxLength: 16, size: 'max' }),
  next: fc.constantFrom('stay', 'flush', 'flush', 'compact', 'lose rollups'),
});
const search = fc
  .record({
    service: optional(service),
    operation: optional(operation),
    status: optional(fc.constantFrom('error' as const, 'unset' as const)),
    min_duration_ns: optional(fc.constantFrom(1e6, 1e9, 1e13)),
    max_duration_ns: optional(fc.constantFrom(0, 1e9)),
    attributes: optional(fc.constantFrom({ color: 'red' }, { color: 'gold' })),
    from: optional(minutes),
    to: optional(minutes),
    limit: fc.constantFrom(1, 2, 50),
  })
  .map(({ from, to, ...rest }) => {
    const range = {
      ...(from === undefined ? {} : { from_ns: ns(from) }),
      ...(to === undefined ? {} : { to_ns: ns(to) }),
    };
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    return { ...given, range } as TraceSearch;
  });

test('a search by way of the rollup finds what a search of all spans finds', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  let now = START;
  const clock = { now: () => new Date(now), monotonic: () => performance.now() };
  const store = await testTelemetryStore(db, objects, { clock });
  const compact = () => compactTestStore(store, clock);
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 5 }),
      fc.array(search, { minLength: 6, maxLength: 6 }),
      async (steps, searches) => {
        const workspace_id = newId();
        const visible = { workspace_id, operator: false };
        let again: TestSpan[] = [];
        for (const [index, { spans, next }] of steps.entries()) {
          const made = spans.map((each, at): TestSpan & { again: boolean } => ({
            trace: (each.trace + 1).toString(16).padStart(32, '0'),
            span: (index * 100 + at + 1).toString(16).padStart(16, '0'),
            ...(each.root ? {} : { parent: 'ffffffffffffffff' }),
            name: each.operation,
            service: each.service,
            start: ns(each.minute),
            ms: each.ms,
            error: each.error,
            attributes: { color: each.color },
            again: each.again,
          }));
          await store.accept(spansExport([...made, ...again]), { kind: 'workspace', workspace_id });
          again = made.filter((each) => each.again);
          if (next !== 'stay') await store.flush();
          now += 20 * MINUTE;
          if (next === 'compact') {
            now += 2 * HOUR;
            await compact();
          }
          if (next === 'lose rollups')
            await sql`UPDATE telemetry_segments SET removed_at = now()
                      WHERE signal = 'traces' AND workspace_id = ${workspace_id}`.execute(db);
        }
        for (const each of searches) {
          const expected = await searchSpans(store, visible, each);
          assert.deepEqual(await allPages(store, visible, each), expected);
        }
      },
    ),
    // A case takes a second: to look for a smaller one would take the file its whole time.
    { numRuns: 15, endOnFailure: true },
  );
});
