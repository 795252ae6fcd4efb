import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEngine } from '#platform/lake/engine.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import fc from '../../../test/support/laws.ts';
import { columnsOf, segmentBench, snapshotOf } from '../../../test/support/segments.ts';
import { readPage } from './rows.ts';

const bench = await segmentBench();
const engine = createEngine({ memory_limit: '256MB', threads: 2 });
after(async () => {
  await engine.close();
  await bench.close();
});
const deps = { engine, objects: bench.objects, sandbox: { export: () => Promise.reject(new Error('not here')) } };
const signal = new AbortController().signal;

interface Thing {
  id: number;
  a: number | null;
  b: string | null;
  c: number | null;
}

const thing = fc.record({
  a: fc.option(fc.integer({ min: -3, max: 3 })),
  b: fc.option(fc.constantFrom('', 'a', 'A', 'ñ', 'b', "it's", '%')),
  c: fc.option(fc.constantFrom(-1.5, 0.1, 0.30000000000000004, 1e300, 5e-324)),
});
const segments = fc.array(fc.array(thing, { maxLength: 12 }), { maxLength: 6 });
const order = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 });

const literal = (value: unknown): string =>
  value === null ? 'NULL' : typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : `${value}::DOUBLE`;

/** Segments differ in shape: every other one has its columns under former names. */
async function store(groups: Omit<Thing, 'id'>[][]): Promise<{ snapshot: DatasetSnapshot; things: Thing[] }> {
  const columns = columnsOf('id:integer a:integer b:text c:number');
  const things: Thing[] = [];
  const written = [];
  for (const [index, group] of groups.entries()) {
    const suffix = index % 2 === 0 ? '' : '_old';
    const rows = group.map((each) => {
      things.push({ id: things.length, ...each });
      return `(${things.length - 1}::BIGINT, ${literal(each.a)}::BIGINT, ${literal(each.b)}::VARCHAR, ${literal(each.c)}::DOUBLE)`;
    });
    const names = columns.map(({ name }) => `${name}${suffix}`).join(', ');
    const values =
      rows.length > 0
        ? `VALUES ${rows.join(', ')}`
        : 'SELECT 1::BIGINT, 1::BIGINT, NULL::VARCHAR, 1.0::DOUBLE WHERE false';
    const physical = columns.map((column) => ({ ...column, name: `${column.name}${suffix}` }));
    written.push(await bench.segment(`SELECT * FROM (${values}) t(${names})`, physical, { first_line: 2 }));
  }
  return { snapshot: snapshotOf(columns, written), things };
}

function compare(left: Thing, right: Thing, keys: { key: 'a' | 'b' | 'c'; descending: boolean }[]): number {
  for (const { key, descending } of keys) {
    const [x, y] = [left[key], right[key]];
    if (x === y) continue;
    if (x === null) return 1;
    if (y === null) return -1;
    const less = typeof x === 'string' ? Buffer.compare(Buffer.from(x), Buffer.from(String(y))) < 0 : x < Number(y);
    return less !== descending ? -1 : 1;
  }
  return left.id - right.id;
}

test('pages hold every row exactly once, in order, whatever the order, the filter and the page', async () => {
  await fc.assert(
    fc.asyncProperty(
      segments,
      order,
      fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 1, max: 7 }),
      fc.option(fc.integer({ min: -3, max: 3 })),
      async (groups, columns, directions, limit, least) => {
        const { snapshot, things } = await store(groups);
        const keys = columns.map((key, index) => ({
          key: key as 'a' | 'b' | 'c',
          descending: directions[index] === true,
        }));
        const query: Record<string, unknown> = { limit, count: true };
        if (keys.length > 0)
          query['order'] = keys.map(({ key, descending }) => `${descending ? '-' : ''}${key}`).join(',');
        if (least !== null) query['where[a][gte]'] = String(least);
        const wanted = things
          .filter(({ a }) => least === null || (a !== null && a >= least))
          .sort((left, right) => compare(left, right, keys));
        const seen: number[] = [];
        for (let cursor: string | null = ''; cursor !== null; ) {
          const page = await readPage(deps, snapshot, { ...query, ...(cursor ? { cursor } : {}) }, signal);
          assert.equal(page.offset, seen.length);
          assert.equal(page.total, wanted.length);
          seen.push(...(JSON.parse(page.body).rows as Thing[]).map(({ id }) => id));
          cursor = page.next_cursor;
        }
        assert.deepEqual(
          seen,
          wanted.map(({ id }) => id),
        );
      },
    ),
    { numRuns: 60 },
  );
  assert.equal(bench.open(), 0);
});

test('a page in plain order opens only the segments it needs', async () => {
  const { snapshot } = await store(Array.from({ length: 30 }, () => [{ a: 1, b: null, c: null }]));
  const opened: string[] = [];
  const counting = {
    ...deps,
    objects: {
      local(key: string) {
        opened.push(key);
        return bench.objects.local(key);
      },
    },
  };
  const first = await readPage(counting, snapshot, { limit: 2 }, signal);
  assert.equal(opened.length, 3);
  opened.length = 0;
  await readPage(counting, snapshot, { limit: 2, cursor: first.next_cursor }, signal);
  assert.ok(opened.length <= 4 && !opened.includes(snapshot.segments[0]?.object_key ?? ''));
});
