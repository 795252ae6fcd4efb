import assert from 'node:assert/strict';
import test from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

test('durations are read with a unit, and nothing else', () => {
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('1.5 h'), 5_400_000);
  assert.equal(parseDuration('7d'), 604_800_000);
  for (const wrong of ['', '7', '-1s', '1 fortnight', '1e3s']) assert.equal(parseDuration(wrong), undefined, wrong);
});

test('durations are written as people say them', () => {
  assert.equal(formatDuration(0.5), '0.50 ms');
  assert.equal(formatDuration(4.26), '4.3 ms');
  assert.equal(formatDuration(750), '750 ms');
  assert.equal(formatDuration(1234), '1.23 s');
  assert.equal(formatDuration(59_990), '1 min');
  assert.equal(formatDuration(61_000), '1 min 1 s');
  assert.equal(formatDuration(93_784_000), '1 d 2 h');
});
