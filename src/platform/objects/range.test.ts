import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { ifRangeHolds, noneMatchHits, parseRange } from './range.ts';

test('one range is understood; what is no single byte range means the whole', () => {
  const cases: [header: string | undefined, expected: { start: number; end: number } | undefined][] = [
    [undefined, undefined],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=5-500', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-300', { start: 0, end: 9 }],
    ['bytes=4-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['items=0-1', undefined],
    ['bytes=a-b', undefined],
    [`bytes=0-${'9'.repeat(30)}`, undefined],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 10), expected, header);
});

test('a range outside of the object is refused', () => {
  for (const [header, size] of [
    ['bytes=10-', 10],
    ['bytes=-0', 10],
    ['bytes=0-', 0],
    ['bytes=-1', 0],
  ] as const) {
    assert.throws(
      () => parseRange(header, size),
      (error) => error instanceof CaudalError && error.code === 'range_not_satisfiable',
    );
  }
});

test('whatever the header, a range lies within the object', () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.nat(2000), fc.integer({ min: 1, max: 1000 }), (from, to, size) => {
      fc.pre(from < size);
      const span = parseRange(`bytes=${from}-${to}`, size);
      if (!span) return to < from;
      return span.start === from && span.end < size && span.end >= span.start;
    }),
  );
});

test('If-Range holds for the same strong ETag or the same second, and no weak one', () => {
  const object = { etag: '"a"', modified_at: new Date('2026-01-02T03:04:05.678Z') };
  assert.equal(ifRangeHolds(undefined, object), true);
  assert.equal(ifRangeHolds('"a"', object), true);
  assert.equal(ifRangeHolds('"b"', object), false);
  assert.equal(ifRangeHolds('W/"a"', object), false);
  assert.equal(ifRangeHolds('Fri, 02 Jan 2026 03:04:05 GMT', object), true);
  assert.equal(ifRangeHolds('Fri, 02 Jan 2026 03:04:06 GMT', object), false);
});

test('If-None-Match compares weakly and knows lists and *', () => {
  assert.equal(noneMatchHits(undefined, '"a"'), false);
  assert.equal(noneMatchHits('*', '"a"'), true);
  assert.equal(noneMatchHits('"b", W/"a"', '"a"'), true);
  assert.equal(noneMatchHits('"b"', '"a"'), false);
});
