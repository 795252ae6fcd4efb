import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { compactionGroup } from './compaction.ts';

const MB = 2 ** 20;
const OPTIONS = { target_bytes: 128 * MB, most_small: 8 };
const sized = (...bytes: number[]) => bytes.map((size, id) => ({ id, bytes: size }));

test('few small segments are left alone, however many large ones there are', () => {
  assert.equal(compactionGroup(sized(...Array<number>(8).fill(MB)), OPTIONS), undefined);
  assert.equal(compactionGroup(sized(...Array<number>(500).fill(100 * MB)), OPTIONS), undefined);
});

test('neighbours are merged, never across a large segment', () => {
  const segments = sized(MB, MB, 100 * MB, MB, MB, MB, MB, MB, MB, MB, MB);
  assert.deepEqual(
    compactionGroup(segments, OPTIONS)?.map(({ id }) => id),
    [3, 4, 5, 6, 7, 8, 9, 10],
  );
});

test('a merged segment stays within the target', () => {
  const group = compactionGroup(sized(...Array<number>(40).fill(20 * MB)), OPTIONS);
  assert.equal(group?.length, 6);
});

/** Commits segments of these sizes one by one, compacting as the task does; returns bytes written and the state. */
function simulate(sizes: number[]): { written: number; live: number; bytes: number } {
  let segments: { bytes: number }[] = [];
  let written = 0;
  for (const bytes of sizes) {
    segments.push({ bytes });
    for (let group = compactionGroup(segments, OPTIONS); group; group = compactionGroup(segments, OPTIONS)) {
      const merged = { bytes: group.reduce((total, segment) => total + segment.bytes, 0) };
      const at = segments.indexOf(group[0] as { bytes: number });
      assert.deepEqual(segments.slice(at, at + group.length), group);
      segments = [...segments.slice(0, at), merged, ...segments.slice(at + group.length)];
      written += merged.bytes;
    }
  }
  return { written, live: segments.length, bytes: segments.reduce((total, segment) => total + segment.bytes, 0) };
}

test('law: it ends, loses no byte, and few small segments are left', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90 * MB }), { maxLength: 200 }), (sizes) => {
      const { bytes } = simulate(sizes);
      assert.equal(
        bytes,
        sizes.reduce((total, size) => total + size, 0),
      );
    }),
  );
});

test('rows are rewritten a logarithmic number of times, not once per commit', () => {
  const sizes = Array<number>(20_000).fill(10_000);
  const { written, bytes, live } = simulate(sizes);
  const times = written / bytes;
  assert.ok(times < 1.5 * Math.log2(sizes.length), `each byte was written ${times.toFixed(1)} times`);
  assert.ok(live < 20);
});
