import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../../../test/support/laws.ts';
import {
  BROKEN,
  createCells,
  type Dialect,
  grammarOf,
  NEED_MORE,
  parseRecord,
  recordTexts,
  UNCLOSED,
} from './grammar.ts';

const RFC: Dialect = {
  delimiter: ',',
  quote: '"',
  escape: '"',
  comment: '',
  newline: '\n',
  cr: false,
  skip_space: false,
  lax: false,
};

function parse(text: string, dialect: Dialect = RFC): string[][] | number {
  const buffer = Buffer.from(text);
  const cells = createCells();
  const rows: string[][] = [];
  for (let at = 0; at < buffer.length; ) {
    const next = parseRecord(buffer, at, true, grammarOf(dialect), cells);
    if (next < 0) return next;
    rows.push(recordTexts(buffer, cells, dialect));
    at = next;
  }
  return rows;
}

const cell = fc.string({
  unit: fc.constantFrom('a', 'é', '"', ',', ';', '\n', '\r', ' ', '\\', "'", '0'),
  maxLength: 6,
});
const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });

test('whatever is written with doubled quotes is read back', () => {
  fc.assert(
    fc.property(
      rows,
      fc.constantFrom(',', ';', '\t', '||'),
      fc.constantFrom('\n', '\r\n', '\r\r\n'),
      (table, delimiter, newline) => {
        const text = table
          .map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(delimiter))
          .join(newline);
        assert.deepEqual(parse(text + newline, { ...RFC, delimiter }), table);
      },
    ),
  );
});

test('whatever is written with backslashes is read back', () => {
  fc.assert(
    fc.property(rows, (table) => {
      const text = table.map((row) => row.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')).join('\n');
      assert.deepEqual(parse(text, { ...RFC, escape: '\\' }), table);
    }),
  );
});

test('a record is the same wherever the buffer is cut', () => {
  fc.assert(
    fc.property(rows, fc.nat(), (table, seed) => {
      const text = Buffer.from(
        `${table.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')).join('\r\n')}\r\n`,
      );
      const cells = createCells();
      const whole = parseRecord(text, 0, true, grammarOf(RFC), cells);
      const cut = seed % text.length;
      const part = parseRecord(text.subarray(0, cut), 0, false, grammarOf(RFC), cells);
      assert.equal(part, cut >= whole ? whole : part);
      if (cut < whole - 2) assert.equal(part, NEED_MORE);
    }),
  );
});

test('quotes that break are told apart from quotes that never close', () => {
  assert.equal(parse('a,"b"c\n'), BROKEN);
  assert.equal(parse('a,"b\nc,d\n'), UNCLOSED);
  assert.deepEqual(parse('a,b"c\n'), [['a', 'b"c']]);
  assert.deepEqual(parse('a,"b" ,c\n'), [['a', 'b', 'c']]);
});

test('liberties that files take', () => {
  assert.deepEqual(parse('a, "b, c", d\n', { ...RFC, skip_space: true }), [['a', 'b, c', 'd']]);
  assert.deepEqual(parse('"10" pipe",b\n', { ...RFC, lax: true, escape: '' }), [['10" pipe', 'b']]);
  assert.deepEqual(parse('a,b\rc,d\r', { ...RFC, cr: true }), [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  assert.deepEqual(parse('a|"b\0"c"\n', { ...RFC, delimiter: '|', escape: '\0' }), [['a', 'b"c']]);
});
