import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTyping, sawBoolean, sawNull, sawNumber, sawString, typeOf } from './typing.ts';

type Value = string | boolean | null | { number: string };
const n = (number: string): Value => ({ number });

const CASES: [values: Value[], type: string][] = [
  [[], 'text'],
  [[null], 'text'],
  [[n('1'), null, n('-20')], 'integer'],
  [[n('9223372036854775807'), n('-9223372036854775808')], 'integer'],
  [[n('9223372036854775808')], 'decimal(20,0)'],
  [[n('123456789012345678901')], 'decimal(38,0)'],
  [[n('1'.repeat(39))], 'text'],
  [[n('1'), n('2.5')], 'number'],
  [[n('0.30000000000000004')], 'number'],
  [[n('0.12345678901234567890')], 'decimal(21,20)'],
  [[n('9007199254740993'), n('0.5')], 'decimal(17,1)'],
  [[n('1.50')], 'number'],
  [[n('1e400')], 'text'],
  [[n('1E3')], 'number'],
  [[n('-0.0')], 'number'],
  [[true, false, null], 'boolean'],
  [[true, n('1')], 'text'],
  [['2024-02-29', '1999-12-31'], 'date'],
  [['2023-02-29'], 'text'],
  [['2024-01-01', '2024-01-01T10:00:00Z'], 'timestamp'],
  [['2024-01-01 10:00', '2024-01-01T10:00:00.123456+02:00'], 'timestamp'],
  [['2024-01-01T10:00:00.123456789Z'], 'text'],
  [['2024-01-01T25:00:00Z'], 'text'],
  [['0191e5a2-7b1c-7c3e-9d2f-1a2b3c4d5e6f'], 'uuid'],
  [['0191E5A2-7B1C-7C3E-9D2F-1A2B3C4D5E6F'], 'text'],
  [['2024-01-01', 'soon'], 'text'],
  [['1', '2'], 'text'],
];

for (const [values, type] of CASES) {
  test(`${JSON.stringify(values)} is ${type}`, () => {
    const typing = newTyping();
    for (const value of values) {
      if (value === null) sawNull(typing);
      else if (typeof value === 'boolean') sawBoolean(typing);
      else if (typeof value === 'string') sawString(typing, value);
      else sawNumber(typing, value.number);
    }
    assert.equal(typeOf(typing), type);
  });
}
