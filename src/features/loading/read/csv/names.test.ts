import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../../../test/support/laws.ts';
import { columnNames } from './names.ts';

test('names stay as written; repeated and empty ones become unique', () => {
  assert.deepEqual(columnNames(['a', 'a', '', 'A'], 4), ['a', 'a_1', 'column2', 'A_2']);
  assert.deepEqual(columnNames(['c', 'c', 'c', 'c_1'], 4), ['c', 'c_2', 'c_3', 'c_1']);
  assert.deepEqual(columnNames([], 2), ['column0', 'column1']);
  assert.deepEqual(columnNames(['_line', '__proto__'], 2), ['_line_1', '__proto__']);
});

test('all names differ, also without case, and are short enough', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'A', '_', '1', ' ', 'ñ'), maxLength: 3 }), {
        minLength: 1,
        maxLength: 12,
      }),
      (header) => {
        const names = columnNames(header, header.length + 1);
        assert.equal(new Set(names.map((name) => name.toLowerCase())).size, header.length + 1);
      },
    ),
  );
  assert.ok((columnNames(['x'.repeat(10_000), 'x'.repeat(10_000)], 2)[1]?.length ?? 0) <= 1000);
});
