import assert from 'node:assert/strict';
import test from 'node:test';
import { normalise, scoreAll, scoreFile } from './pollock.ts';

test('typing is no difference', () => {
  assert.equal(normalise('48.00'), normalise('48'));
  assert.equal(normalise('00:15'), normalise('00:15:00'));
  assert.equal(normalise('28/01/2018'), normalise('2018-01-28'));
  assert.equal(normalise('2012/09/26 12:00:00'), normalise('2012-09-26 12:00:00'));
  assert.equal(normalise('true'), '1');
  assert.equal(normalise('$1,234.50'), '$1234.5');
  assert.notEqual(normalise('007a'), normalise('7a'));
});

test('ten measures, as the benchmark counts them', () => {
  const truth = [
    ['a', 'b'],
    ['1', 'x'],
    ['2', 'y'],
  ];
  assert.deepEqual(scoreFile(truth, truth), new Array(10).fill(1));
  assert.deepEqual(scoreFile(truth, undefined), new Array(10).fill(0));
  assert.deepEqual(scoreFile([], [['whatever']]), new Array(10).fill(1));
  const [success, ...rest] = scoreFile(truth, truth.slice(0, 2));
  assert.equal(success, 1);
  assert.deepEqual(rest.slice(3, 6), [0.5, 1, 2 / 3]);
  const score = scoreAll(
    new Map([
      ['f', scoreFile(truth, truth)],
      ['g', scoreFile(truth, undefined)],
    ]),
    { f: 3, g: 1 },
  );
  assert.deepEqual([score.simple, score.weighted, score.perfect, score.failed], [5, 7.5, 1, 1]);
});
