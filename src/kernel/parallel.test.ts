import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../test/support/laws.ts';
import { eachParallel } from './parallel.ts';

const turn = () => new Promise<void>((done) => setImmediate(done));

test('every item once, never more at a time than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 6 }), async (items, width) => {
      const seen: number[] = [];
      let inside = 0;
      await eachParallel(items, width, async (item) => {
        inside += 1;
        assert.ok(inside <= width);
        await turn();
        inside -= 1;
        seen.push(item);
      });
      assert.deepEqual(seen.sort(), [...items].sort());
    }),
    { numRuns: 50 },
  );
});

test('after an error nothing begins, and what is under way ends before it is thrown', async () => {
  const began: number[] = [];
  let ended = 0;
  const work = async (item: number): Promise<void> => {
    began.push(item);
    if (item === 2) throw new Error('two');
    await turn();
    ended += 1;
  };
  await assert.rejects(eachParallel([1, 2, 3, 4, 5, 6], 3, work), /two/);
  assert.deepEqual(began, [1, 2, 3]);
  assert.equal(ended, 2);
});
