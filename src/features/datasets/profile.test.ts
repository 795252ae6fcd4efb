import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { histogram } from './profile.ts';

test('a histogram of one value, and of none', () => {
  assert.deepEqual(histogram([5, 5], 9), [{ from: 5, to: 5, count: 9 }]);
  assert.equal(histogram([], 9), null);
});

test('law: bars touch, cover the range and add up', () => {
  const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 101 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 1e9 }), (found, values) => {
      const points = found.sort((a, b) => a - b);
      const bars = histogram(points, values) ?? [];
      assert.equal(
        bars.reduce((total, { count }) => total + count, 0),
        values,
      );
      assert.ok(bars.every(({ count }) => count >= 0));
      assert.deepEqual([bars[0]?.from, bars.at(-1)?.to], [points[0], points.at(-1)]);
    }),
  );
});
