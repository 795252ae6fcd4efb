import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type DuckDBConnection, DuckDBInstance, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import fc from '../../../test/support/laws.ts';
import { type Cell, type CellKind, cellXml, columnLetters, LONGEST_TEXT, TRUNCATED } from './cells.ts';
import { rowsSql } from './row-sql.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection: DuckDBConnection = await instance.connect();
after(() => {
  connection.closeSync();
  instance.closeSync();
});

const columnsOf = (kinds: CellKind[], values: string[][]) =>
  kinds.map((kind, index) => ({ name: `c${index}`, kind, values: values[index] ?? [] }));
const NUMBER = 'row_number() OVER () + 1';

async function made(from: string, kinds: CellKind[], values: string[][]): Promise<string[]> {
  const reader = await connection.runAndReadAll(rowsSql(from, columnsOf(kinds, values), NUMBER));
  return reader.getRows().map(([xml]) => String(xml));
}

const textRows = await connection.prepare(
  rowsSql('SELECT unnest(CAST($1 AS VARCHAR[])) AS t', columnsOf(['text'], [['t']]), NUMBER),
);

async function madeOf(texts: string[]): Promise<string[]> {
  textRows.bindList(1, listValue(texts), LIST(VARCHAR));
  return (await textRows.runAndReadAll()).getRows().map(([xml]) => String(xml));
}

function expected(cells: Cell[], kinds: CellKind[], row: number): string {
  const xml = cells.map((cell, index) => cellXml(`${columnLetters(index)}${row}`, cell, kinds[index] ?? 'text'));
  // A line feed is written as what XML reads as one: rows go out as lines.
  return `<row r="${row}">${xml.join('')}</row>`.replaceAll('\n', '&#10;');
}

const odd = [
  '=1+1',
  '+x',
  '-1',
  '@a',
  '\tx',
  ' x',
  'x ',
  'a\nb',
  '<b>&"\'',
  '_x0041_',
  'a\u0001b\r',
  '\ufffe',
  '',
  '😀é',
];

test('any text is written as JavaScript writes it', async () => {
  const letter = fc.constantFrom(...'ab=+-@ \t\n\r&<>_x041\u0000\u0001\u001f\ufffe\uffffé😀');
  const texts = fc.array(
    fc.oneof(
      fc.constantFrom(...odd),
      fc.array(letter).map((letters) => letters.join('')),
    ),
    {
      minLength: 1,
      maxLength: 20,
    },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (list) => {
      const found = await madeOf(list);
      // Several escapes in a row are all kept apart; so is, here, an `_x` that is none beside one that is.
      const apart = (xml: string) => xml.replaceAll('_x005F_', '_');
      assert.deepEqual(
        found.map(apart),
        list.map((text, index) => apart(expected([text], ['text'], index + 2))),
      );
      for (const [index, text] of list.entries()) {
        const inner = /<t[^>]*>(.*)<\/t>/s.exec(found[index] ?? '')?.[1] ?? '';
        assert.equal(readAsExcel(inner), text);
      }
    }),
    { numRuns: 50 },
  );
});

/** ECMA-376 part 1, §22.9.2.19: `_x0041_` is the letter of that code. */
function readAsExcel(xml: string): string {
  const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&#10;': '\n' };
  return xml
    .replace(/&(amp|lt|gt|#10);/g, (entity) => entities[entity] ?? '')
    .replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

test('numbers, dates, booleans, nothing, and what a kind cannot hold', async () => {
  const kinds: CellKind[] = ['number', 'amount', 'boolean', 'date', 'timestamp', 'time', 'text'];
  const values = kinds.map((_, index) => (index === 0 ? ['v0', 'instead'] : [`v${index}`]));
  const from = `SELECT * FROM (VALUES
    (7::BIGINT, NULL, 12.5::DOUBLE, true, 46000, 46000.25::DOUBLE, 0.5::DOUBLE, 'a'),
    (NULL, '123456789012345678', -1e300, false, 61, 0.30000000000000004::DOUBLE, 1e-7, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS t(v0, instead, v1, v2, v3, v4, v5, v6)`;
  const cells: Cell[][] = [
    [7, 12.5, true, 46000, 46000.25, 0.5, 'a'],
    ['123456789012345678', -1e300, false, 61, 0.1 + 0.2, 1e-7, null],
    kinds.map(() => null),
  ];
  const numbers = (xml: string) => xml.replace(/<v>([^<]*)<\/v>/g, (_, text: string) => `<v>${Number(text)}</v>`);
  assert.deepEqual(
    (await made(from, kinds, values)).map(numbers),
    cells.map((row, index) => numbers(expected(row, kinds, index + 2))),
  );
});

test('a text is cut at the length that a cell holds, as UTF-16 counts', async () => {
  const texts = [
    'a'.repeat(LONGEST_TEXT),
    'é'.repeat(LONGEST_TEXT),
    '😀'.repeat(16_383),
    'b'.repeat(LONGEST_TEXT + 1),
    '😀'.repeat(16_384),
    `${'c'.repeat(LONGEST_TEXT - 1)}😀`,
  ];
  const found = await madeOf(texts);
  const shown = found.map((xml) => /<t>(.*)<\/t>/.exec(xml)?.[1] ?? '');
  assert.deepEqual(shown.slice(0, 3), texts.slice(0, 3));
  assert.equal(shown[3], 'b'.repeat(LONGEST_TEXT - TRUNCATED.length) + TRUNCATED);
  for (const [index, text] of shown.entries()) {
    assert.ok(text.length <= LONGEST_TEXT, `${index}: ${text.length}`);
    assert.ok(text.isWellFormed());
    assert.equal(text.endsWith(TRUNCATED), index > 2);
  }
});
