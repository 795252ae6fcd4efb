import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeOf } from './schedule.ts';

const failed = { status: 503, error: 'answered 503', final: false };
const HOUR = 3_600_000;

test('delays double from 5 s to 2 h, and a day of failures is a dead letter', () => {
  const delays = [1, 2, 3, 9, 12, 100].map((attempts) => outcomeOf(failed, attempts, 0, () => 1));
  assert.deepEqual(
    delays.map((outcome) => (outcome.state === 'waiting' ? outcome.delay_ms / 1000 : outcome.state)),
    [5, 10, 20, 1280, 7200, 7200],
  );
  assert.equal(outcomeOf(failed, 20, 24 * HOUR - 1).state, 'waiting');
  assert.equal(outcomeOf(failed, 20, 24 * HOUR).state, 'dead');
});

test('what was taken is delivered however late; what cannot get better is dead at once', () => {
  assert.deepEqual(outcomeOf({ status: 204, error: null, final: false }, 30, 30 * HOUR), { state: 'delivered' });
  assert.deepEqual(outcomeOf({ status: 410, error: 'gone', final: true }, 1, 0), { state: 'dead' });
});

test('jitter takes away at most half of a delay', () => {
  const least = outcomeOf(failed, 1, 0, () => 0);
  assert.deepEqual(least, { state: 'waiting', delay_ms: 2500 });
});
