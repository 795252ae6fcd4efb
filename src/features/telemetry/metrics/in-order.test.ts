import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../../test/support/laws.ts';
import { inOrder } from './in-order.ts';

/** Hours that lie apart, hours that overlap, repeats: whatever segments may hold. */
const runs = fc
  .array(fc.array(fc.nat(30), { maxLength: 8 }), { maxLength: 6 })
  .chain((parts) =>
    fc.boolean().map((apart) => parts.map((part, hour) => part.map((time) => time + (apart ? hour * 100 : 0)))),
  )
  .chain((parts) => fc.shuffledSubarray(parts, { minLength: parts.length }))
  .map((parts) => parts.flatMap((part) => part.sort((a, b) => a - b)));

test('lists in the order of their times are what a sort makes of them, and stay in step', () => {
  fc.assert(
    fc.property(runs, (times) => {
      const [sorted = [], positions = []] = inOrder(times, [times, [...times.keys()]]) as number[][];
      assert.deepEqual(
        sorted,
        times.toSorted((a, b) => a - b),
      );
      assert.deepEqual(
        positions.map((index) => times[index]),
        sorted,
      );
      assert.deepEqual(
        positions.toSorted((a, b) => a - b),
        [...times.keys()],
      );
    }),
  );
});
