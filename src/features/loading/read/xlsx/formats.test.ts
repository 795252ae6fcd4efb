import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, momentOf, type NumberKind, numberFormat, parseFormat } from './formats.ts';

const CODES: [code: string, kind: NumberKind][] = [
  ['General', 'number'],
  ['0.00', 'number'],
  ['yyyy-mm-dd', 'date'],
  ['m/d/yy', 'date'],
  ['mmm-yy', 'date'],
  ['[$-409]d\\-mmm\\-yy;@', 'date'],
  ['dd"of"mmmm', 'date'],
  ['m/d/yy h:mm', 'datetime'],
  ['yyyy-mm-ddThh:mm', 'datetime'],
  ['h:mm AM/PM', 'time'],
  ['mm:ss.0', 'time'],
  ['[h]:mm', 'elapsed'],
  ['[Red]#,##0.00;[Blue]-#,##0.00', 'number'],
  ['0" days"', 'number'],
  ['0.00E+00', 'number'],
  ['# ?/?', 'number'],
  ['00000', 'code'],
  ['@', 'text'],
];
for (const [code, kind] of CODES) {
  test(`“${code}” is a ${kind}`, () => assert.equal(parseFormat(code).kind, kind));
}

const SHOWN: [code: string, value: number, text: string][] = [
  ['0.00', 2.345678, '2.35'],
  ['#,##0', 1234567, '1,234,567'],
  ['#,###', 7890, '7,890'],
  ['0%', 0.125, '13%'],
  ['"$"#,##0.00', -1234.5, '-$1,234.50'],
  ['[$€-2] #,##0.0', 12, '€ 12.0'],
  ['00000', 801, '00801'],
  ['0" kg"', 5, '5 kg'],
];
for (const [code, value, text] of SHOWN) {
  test(`${value} under “${code}” shows ${text}`, () => assert.equal(parseFormat(code).show?.(value), text));
}

test('built-in formats, and custom ones in their place', () => {
  assert.equal(numberFormat(14, new Map()).kind, 'date');
  assert.equal(numberFormat(22, new Map()).kind, 'datetime');
  assert.equal(numberFormat(46, new Map()).kind, 'elapsed');
  assert.equal(numberFormat(57, new Map()).kind, 'date');
  assert.equal(numberFormat(0, new Map()).kind, 'number');
  assert.equal(numberFormat(170, new Map([[170, 'h:mm']])).kind, 'time');
});

test('serial numbers of both systems', () => {
  assert.deepEqual(momentOf(45000, false), { day: '2023-03-15', time: '00:00:00', whole: true });
  assert.deepEqual(momentOf(45000.5, false), { day: '2023-03-15', time: '12:00:00', whole: false });
  assert.equal(momentOf(1, false)?.day, '1900-01-01');
  assert.equal(momentOf(59, false)?.day, '1900-02-28');
  assert.equal(momentOf(60, false), undefined);
  assert.equal(momentOf(61, false)?.day, '1900-03-01');
  assert.equal(momentOf(0, true)?.day, '1904-01-01');
  assert.equal(momentOf(-1, false), undefined);
  assert.equal(momentOf(2_958_465, false)?.day, '9999-12-31');
  assert.equal(momentOf(3_000_000, false), undefined);
  assert.equal(momentOf(0.1234567, false)?.time, '02:57:46.659');
});

test('durations pass 24 hours', () => {
  assert.equal(durationText(1.25), '30:00:00');
  assert.equal(durationText(-0.5), '-12:00:00');
});
