import assert from 'node:assert/strict';
import test from 'node:test';
import { columnWidths } from './columns.ts';
import { lineAfter } from './keys.ts';

test('a column is as wide as nine in ten of its values need, within limits', () => {
  const rows = Array.from({ length: 20 }, (_, index) => ({
    id: index,
    text: index === 0 ? 'x'.repeat(500) : 'twelve chars',
  }));
  const [id, text, long] = columnWidths(
    [
      { name: 'id', type: 'integer' },
      { name: 'text', type: 'text' },
      { name: 'a_name_that_says_more_than_the_values_below_it', type: 'timestamp' },
    ],
    rows,
  );
  assert.equal(id, 114);
  assert.equal(text, 119);
  assert.equal(long, 340);
});

test('keys lead to lines that are there', () => {
  const steps: [key: string, active: number, line: number | undefined][] = [
    ['ArrowDown', -1, 0],
    ['ArrowDown', 99, 99],
    ['ArrowUp', 0, 0],
    ['PageDown', 10, 25],
    ['PageUp', 10, 0],
    ['Home', 50, 0],
    ['End', 50, 99],
    ['a', 50, undefined],
    ['constructor', 50, undefined],
  ];
  for (const [key, active, line] of steps) assert.equal(lineAfter(key, active, 100), line, key);
});
