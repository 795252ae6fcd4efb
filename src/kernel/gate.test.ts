import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../test/support/laws.ts';
import { createGate, createTurns, GateFull } from './gate.ts';

test('a gate never lets more through than it may, and everybody in the end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      async (limit, works) => {
        const gate = createGate(limit, 100);
        let inside = 0;
        let most = 0;
        const ended = await Promise.allSettled(
          works.map((fails) =>
            gate.run(async () => {
              inside += 1;
              most = Math.max(most, inside);
              await new Promise((done) => setImmediate(done));
              inside -= 1;
              if (fails) throw new Error('refused');
            }),
          ),
        );
        assert.equal(ended.filter((end) => end.status === 'rejected').length, works.filter(Boolean).length);
        assert.ok(most <= limit);
        assert.equal(most, Math.min(limit, works.length));
      },
    ),
    { numRuns: 50 },
  );
});

test('a full line refuses at once', async () => {
  const gate = createGate(1, 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = gate.run(() => promise);
  const second = gate.run(async () => 'second');
  await assert.rejects(
    gate.run(async () => 'third'),
    GateFull,
  );
  resolve();
  await first;
  assert.equal(await second, 'second');
});

test('turns keep the order within a key, and an error does not break the line', async () => {
  const inTurn = createTurns();
  const seen: number[] = [];
  const step = (n: number, fails = false) =>
    inTurn('a', async () => {
      await new Promise((done) => setImmediate(done));
      seen.push(n);
      if (fails) throw new Error('no');
    });
  await Promise.allSettled([step(1), step(2, true), step(3)]);
  assert.deepEqual(seen, [1, 2, 3]);
});
