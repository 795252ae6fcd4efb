import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../../test/support/laws.ts';
import { type Counted, count, quantileMs, quantilesOf } from './durations.ts';

const bucketOf = (ns: number) => Math.floor(8 * Math.log2(ns));

test('a quantile is within the width of a bucket of the true one, however the parts were counted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1_000, max: 60_000_000_000 }), { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.5, 0.95, 0.99),
      (durations, q) => {
        const counted: Counted = new Map();
        for (const ns of durations) count(counted, bucketOf(ns), 1);
        const sorted = [...durations].sort((a, b) => a - b);
        const truth = (sorted[Math.ceil(q * sorted.length) - 1] ?? 0) / 1e6;
        const found = quantileMs(counted, q) ?? 0;
        assert.ok(found / truth < 1.095 && truth / found < 1.095, `${found} for ${truth}`);
      },
    ),
    { numRuns: 300, seed: 5 },
  );
});

test('what took no time is said to take none', () => {
  assert.deepEqual(quantilesOf(new Map([[0, 3]])), { p50_ms: 0, p95_ms: 0, p99_ms: 0 });
});

test('nothing counted, nothing said', () => {
  assert.deepEqual(quantilesOf(new Map()), { p50_ms: null, p95_ms: null, p99_ms: null });
});
