import assert from 'node:assert/strict';
import test from 'node:test';
import type { TraceSpan } from '../../../../src/contract/telemetry.ts';
import fc from '../../../../test/support/laws.ts';
import { isQuietDatabaseCall, layOut, ticks, visibleRows } from './waterfall.ts';

function span(
  span_id: string,
  parent_span_id: string | null,
  start_ns: number,
  duration_ns: number,
  more = {},
): TraceSpan {
  const start = `2026-01-01T00:00:00.${String(start_ns).padStart(9, '0')}Z`;
  const empty = {
    status: 'unset',
    status_message: null,
    attributes: {},
    events: [],
    links: [],
  } satisfies Partial<TraceSpan>;
  return {
    span_id,
    parent_span_id,
    service: 's',
    instance: null,
    name: span_id,
    kind: 'internal',
    start,
    duration_ns,
    ...empty,
    ...more,
  };
}

const names = (rows: { span: TraceSpan }[]) => rows.map((row) => row.span.name);

test('children stand below their parents in order of time, to the nanosecond', () => {
  const { rows, length_ns } = layOut([
    span('late', 'root', 900, 100),
    span('root', null, 0, 1000),
    span('leaf', 'early', 101, 10),
    span('early', 'root', 100, 50),
  ]);
  assert.deepEqual(names(rows), ['root', 'early', 'leaf', 'late']);
  assert.deepEqual(
    rows.map(({ depth, below }) => [depth, below]),
    [
      [0, 3],
      [1, 1],
      [2, 0],
      [1, 0],
    ],
  );
  assert.equal(length_ns, 1000);
  assert.deepEqual([rows[2]?.left, rows[2]?.width], [0.101, 0.01]);
});

test('a span whose parent has not arrived stands at the top and says so', () => {
  const { rows } = layOut([span('orphan', 'gone', 5, 5), span('root', null, 0, 20)]);
  assert.deepEqual(
    rows.map((row) => [row.span.name, row.depth, row.orphan]),
    [
      ['root', 0, false],
      ['orphan', 0, true],
    ],
  );
});

test('ten thousand spans in one chain', () => {
  const chain = Array.from({ length: 10_000 }, (_, index) =>
    span(`s${index}`, index === 0 ? null : `s${index - 1}`, index, 1),
  );
  assert.equal(layOut(chain).rows.at(-1)?.depth, 9_999);
});

test('law: every span is drawn once, within the picture, whatever its parent', () => {
  const id = fc.integer({ min: 0, max: 12 }).map(String);
  const any = fc.record({
    id,
    parent: fc.option(id),
    start: fc.integer({ min: 0, max: 999_999 }),
    length: fc.integer({ min: 0, max: 999_999 }),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 20 }), (drawn) => {
      const { rows } = layOut(drawn.map((each) => span(each.id, each.parent, each.start, each.length)));
      assert.deepEqual(names(rows).sort(), [...new Set(drawn.map((each) => each.id))].sort());
      assert.ok(rows.every(({ left, width }) => left >= 0 && width >= 0 && left + width <= 1 + 1e-9));
    }),
  );
});

test('what is below a folded span is hidden, and quiet database calls on demand', () => {
  const database = { attributes: { 'db.system.name': 'postgresql' } };
  const { rows } = layOut([
    span('root', null, 0, 100),
    span('a', 'root', 1, 10),
    span('SELECT', 'a', 2, 1, database),
    span('ROLLBACK', 'a', 3, 1, { ...database, status: 'error' }),
    span('b', 'root', 20, 10),
  ]);
  assert.deepEqual(names(visibleRows(rows, new Set(), isQuietDatabaseCall)), ['root', 'a', 'ROLLBACK', 'b']);
  assert.deepEqual(names(visibleRows(rows, new Set(['a']), () => false)), ['root', 'a', 'b']);
  assert.deepEqual(names(visibleRows(rows, new Set(['root', 'a']), () => false)), ['root']);
});

test('law: a few round marks, from nought, within the axis', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e15 }), (length) => {
      const marks = ticks(length);
      assert.ok(marks.length >= 2 && marks.length <= 6, String(marks.length));
      assert.equal(marks[0]?.ns, 0);
      assert.ok(marks.every(({ at }) => at >= 0 && at <= 1));
    }),
  );
});
