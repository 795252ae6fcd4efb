import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { columnsOf, snapshotOf } from '../../../test/support/segments.ts';
import { conditionSql, type Operator } from './conditions.ts';
import { readQuestion } from './question.ts';

const condition = (type: string, value: string, operator: Operator = 'eq') =>
  conditionSql({ field: 'where[c]', column: 'c', type, operator, value });

test('values never become SQL text', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom('text', 'json', 'file'), (value, type) => {
      const { sql, parameters } = condition(type, value);
      assert.deepEqual(parameters, [value]);
      assert.match(sql, /^(CAST\("c" AS VARCHAR\)|"c") = CAST\(\? AS VARCHAR\)$/);
    }),
  );
});

test('a value is compared in a type that does not round it', () => {
  assert.equal(condition('integer', '9223372036854775807').sql, '"c" = CAST(? AS BIGINT)');
  assert.equal(condition('integer', '9223372036854775808').sql, 'CAST("c" AS DOUBLE) = CAST(? AS DOUBLE)');
  assert.equal(condition('integer', '5.5', 'gt').sql, 'CAST("c" AS DOUBLE) > CAST(? AS DOUBLE)');
  assert.equal(condition('decimal(6,2)', '001.50').sql, '"c" = CAST(? AS DECIMAL(6,2))');
  assert.equal(condition('decimal(6,2)', '1.505').sql, 'CAST("c" AS DOUBLE) = CAST(? AS DOUBLE)');
  assert.equal(condition('date', '2026-01-02T10:00:00Z').sql, 'CAST("c" AS TIMESTAMP) = CAST(? AS TIMESTAMP)');
});

test('what is no value of the type names its field', () => {
  const cases = [
    ['integer', 'x'],
    ['integer', ''],
    ['number', '1,5'],
    ['decimal(6,2)', '.'],
    ['boolean', 'maybe'],
    ['date', '1.2.2026'],
    ['time', '25'],
    ['uuid', 'x'],
  ];
  for (const [type = '', value = ''] of cases) {
    assert.throws(
      () => condition(type, value),
      (error) => error instanceof CaudalError && error.errors?.[0]?.field === 'where[c]',
      `${type} ${value}`,
    );
  }
});

test('names of columns may hold what the query string uses', () => {
  const snapshot = snapshotOf(columnsOf('a:integer a][gt:integer -a:integer b,c:text'), []);
  const question = readQuestion(
    { 'where[a][gt]': '1', 'where[a][gt][lt]': '5', order: '-a', select: ['b,c', 'a'] },
    snapshot,
  );
  assert.deepEqual(
    question.conditions.map(({ column, operator }) => [column, operator]),
    [
      ['a][gt', 'eq'],
      ['a][gt', 'lt'],
    ],
  );
  assert.deepEqual(question.order, [{ column: '-a', type: 'integer', descending: false }]);
  assert.deepEqual(
    question.columns.map(({ name }) => name),
    ['b,c', 'a'],
  );
});
