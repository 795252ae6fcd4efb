import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { planParts } from './part-plan.ts';

const MIB = 1 << 20;

test('small files are one part, even empty ones', () => {
  assert.deepEqual(planParts(0), { part_size: 8 * MIB, part_count: 1 });
  assert.deepEqual(planParts(8 * MIB), { part_size: 8 * MIB, part_count: 1 });
  assert.deepEqual(planParts(8 * MIB + 1), { part_size: 8 * MIB, part_count: 2 });
  assert.equal(planParts(1e9).part_size, 8 * MIB);
  assert.equal(planParts(100e9).part_size, 64 * MIB);
});

test('any size is held by at most 10,000 parts of at least 8 MiB, the last of them not empty', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 45 }), (size) => {
      const { part_size, part_count } = planParts(size);
      return (
        part_size >= 8 * MIB &&
        part_size % MIB === 0 &&
        part_count <= 10_000 &&
        part_size * part_count >= size &&
        part_size * (part_count - 1) < size
      );
    }),
  );
});
