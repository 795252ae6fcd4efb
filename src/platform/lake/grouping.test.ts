import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DuckDBInstance, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import fc from '../../../test/support/laws.ts';
import { groupingKey, keysSql } from './grouping.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => {
  connection.closeSync();
  instance.closeSync();
});

async function keysOf(texts: string[], what: 'key' | 'shown' = 'key'): Promise<(string | null)[]> {
  const reader = await connection.runAndReadAll(
    `WITH given AS (SELECT unnest($1) AS t, generate_subscripts($1, 1) AS i)
     SELECT ${what} FROM given LEFT JOIN (${keysSql('given', 't')}) ON text = t ORDER BY i`,
    [listValue(texts)],
    [LIST(VARCHAR)],
  );
  return reader.getColumns()[0] as (string | null)[];
}

const expected = (text: string): string | null => groupingKey(text).normalize('NFC') || null;

/**
 * Letters that Unicode added after the version that DuckDB 1.5 knows: they group by how they are written. In
 * ranges of code points.
 */
const NEWER: [number, number][] = [
  [0x897, 0x897],
  [0x1acf, 0x1aeb],
  [0x1c89, 0x1c89],
  [0xa7cb, 0xa7dc],
  [0x105c9, 0x105e4],
  [0x10d50, 0x10d6d],
  [0x10efa, 0x10efc],
  [0x11380, 0x113e2],
  [0x11b60, 0x11b67],
  [0x11f5a, 0x11f5a],
  [0x1611e, 0x1612f],
  [0x16ea0, 0x16eb8],
  [0x1e5ee, 0x1e5ef],
  [0x1e6e3, 0x1e6f5],
];
const isNewer = (code: number): boolean => NEWER.some(([first, last]) => code >= first && code <= last);

/** Han and Hangul, private use, and what has no letters: of each, one in a thousand will do. */
const LARGE: [number, number][] = [
  [0x3400, 0x9fff],
  [0xac00, 0xd7a3],
  [0xe000, 0xf8ff],
  [0x17000, 0x18cff],
  [0x20000, 0x10ffff],
];

function looked(code: number): boolean {
  if ((code >= 0xd800 && code <= 0xdfff) || isNewer(code)) return false;
  return code % 1000 === 0 || !LARGE.some(([first, last]) => code >= first && code <= last);
}

test('every character has the key that JavaScript gives it', async () => {
  const codes = Array.from({ length: 0x110000 - 1 }, (_, index) => index + 1).filter(looked);
  const wrong: string[] = [];
  for (let start = 0; start < codes.length; start += 50_000) {
    // Between letters, so that blanks at the ends do not hide.
    const texts = codes.slice(start, start + 50_000).map((code) => `x${String.fromCodePoint(code)}y`);
    const keys = await keysOf(texts);
    texts.forEach((text, index) => {
      if (keys[index] !== expected(text)) wrong.push(`${text.codePointAt(1)?.toString(16)} ${keys[index]}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test('texts have the key that JavaScript gives them', async () => {
  const letter = fc
    .oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom(
        'á',
        'A\u0301\u0323',
        'ß',
        'ẞ',
        'Σ',
        'ς',
        'ﬁ',
        'ｘ',
        '½',
        '\u00a0',
        '\t',
        '\u3000',
        '각',
        '\u1100\u1161',
        'İ',
        'ǆ',
        "'",
      ),
    )
    .filter((text) => ![...text].some((character) => isNewer(character.codePointAt(0) ?? 0)) && !text.includes('\0'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(letter, { maxLength: 12 }), { minLength: 1, maxLength: 50 }), async (words) => {
      const texts = words.map((letters) => letters.join(''));
      assert.deepEqual(await keysOf(texts), texts.map(expected));
    }),
    { numRuns: 30 },
  );
});

test('spellings of one place meet, others do not', async () => {
  const same = ['Bogotá', 'BOGOTÁ', ' bogota ', 'Bogota\u0301', 'ｂｏｇｏｔá', 'bogotá\u00a0'];
  assert.deepEqual(new Set(await keysOf(same)), new Set(['bogota']));
  assert.deepEqual(await keysOf(['San  José', 'san\tjose', 'Sanjosé']), ['san jose', 'san jose', 'sanjose']);
  assert.deepEqual(await keysOf(['Straße', 'STRASSE', '', ' \n']), ['strasse', 'strasse', null, null]);
});

test('what is shown keeps its letters and loses its blanks', async () => {
  assert.deepEqual(await keysOf(['  San \n José\u00a0', 'ﬁ', '\u2003'], 'shown'), ['San José', 'ﬁ', null]);
});
