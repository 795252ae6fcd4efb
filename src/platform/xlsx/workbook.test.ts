import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { SaxesParser } from 'saxes';
import yauzl from 'yauzl';
import fc from '../../../test/support/laws.ts';
import { type Cell, columnLetters, escapeText, excelSerial } from './cells.ts';
import { createWorkbook, rangeReference, type SheetColumn, sheetName, type WorkbookWriter } from './workbook.ts';

async function written(write: (workbook: WorkbookWriter) => Promise<void>, most_rows = 1_048_576): Promise<Buffer> {
  const sink = new PassThrough();
  const whole = buffer(sink);
  const workbook = createWorkbook(sink, { most_rows });
  await write(workbook);
  await workbook.end();
  sink.end();
  return whole;
}

async function unzipped(bytes: Buffer): Promise<Map<string, string>> {
  const open = promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer);
  const zip = await open(bytes, { lazyEntries: true });
  const parts = new Map<string, string>();
  zip.readEntry();
  for await (const entry of entries(zip)) {
    const stream = await promisify(
      zip.openReadStream.bind(zip) as (
        e: yauzl.Entry,
        cb: (error: Error | null, stream: NodeJS.ReadableStream) => void,
      ) => void,
    )(entry);
    const content = await buffer(stream);
    assert.equal(crc32(content), entry.crc32);
    parts.set(entry.fileName, content.toString());
    zip.readEntry();
  }
  return parts;
}

async function* entries(zip: yauzl.ZipFile): AsyncGenerator<yauzl.Entry> {
  for (;;) {
    const entry = await new Promise<yauzl.Entry | undefined>((resolve, reject) => {
      zip
        .once('entry', resolve)
        .once('end', () => resolve(undefined))
        .once('error', reject);
    });
    zip.removeAllListeners();
    if (!entry) return;
    yield entry;
  }
}

interface Read {
  reference: string;
  type: string;
  style: string;
  text: string;
}

function cellsOf(xml: string): Read[] {
  const parser = new SaxesParser();
  const cells: Read[] = [];
  parser.on('opentag', ({ name, attributes }) => {
    if (name !== 'c') return;
    cells.push({
      reference: String(attributes['r']),
      type: String(attributes['t'] ?? 'n'),
      style: String(attributes['s'] ?? ''),
      text: '',
    });
  });
  parser.on('text', (text) => {
    const cell = cells.at(-1);
    if (cell) cell.text += text;
  });
  parser.write(xml).close();
  return cells;
}

const COLUMNS: SheetColumn[] = [
  { name: 'text & <name>', kind: 'text' },
  { name: 'number', kind: 'number' },
  { name: 'boolean', kind: 'boolean' },
  { name: 'date', kind: 'date' },
];

test('cells are typed, the header is frozen, formulas stay text', async () => {
  const parts = await unzipped(
    await written(async (workbook) => {
      await workbook.sheet('People', COLUMNS);
      await workbook.rows([
        ['=HYPERLINK("x")', 1.5, true, excelSerial(Date.UTC(2026, 0, 2)) ?? null],
        [' a\nb\u0001_x0041_', '12345678901234567890', false, null],
      ]);
    }),
  );
  const sheet = parts.get('xl/worksheets/sheet1.xml') ?? '';
  assert.match(sheet, /<pane ySplit="1"[^>]* state="frozen"\/>/);
  const cells = cellsOf(sheet);
  assert.deepEqual(cells.slice(0, 1), [{ reference: 'A1', type: 'inlineStr', style: '2', text: 'text & <name>' }]);
  assert.deepEqual(cells.slice(4), [
    { reference: 'A2', type: 'inlineStr', style: '10', text: '=HYPERLINK("x")' },
    { reference: 'B2', type: 'n', style: '', text: '1.5' },
    { reference: 'C2', type: 'b', style: '', text: '1' },
    { reference: 'D2', type: 'n', style: '4', text: '46024' },
    { reference: 'A3', type: 'inlineStr', style: '', text: ' a\nb_x0001__x005F_x0041_' },
    { reference: 'B3', type: 'inlineStr', style: '', text: '12345678901234567890' },
    { reference: 'C3', type: 'b', style: '', text: '0' },
  ]);
  for (const part of [
    '[Content_Types].xml',
    '_rels/.rels',
    'xl/workbook.xml',
    'xl/_rels/workbook.xml.rels',
    'xl/styles.xml',
  ]) {
    cellsOf(parts.get(part) ?? assert.fail(`${part} is missing`));
  }
});

test('a full sheet is followed by another with the same header', async () => {
  const rows: Cell[][] = Array.from({ length: 40 }, (_, row) => [row]);
  const parts = await unzipped(
    await written(async (workbook) => {
      await workbook.sheet('Many', [{ name: 'n', kind: 'number' }]);
      for (let block = 0; block < 5; block += 1) await workbook.rows(rows);
    }, 101),
  );
  const sheets = [1, 2].map((number) => cellsOf(parts.get(`xl/worksheets/sheet${number}.xml`) ?? ''));
  assert.deepEqual(
    sheets.map((cells) => cells.length),
    [101, 101],
  );
  assert.deepEqual(
    sheets[1]?.slice(0, 2).map(({ reference, text }) => [reference, text]),
    [
      ['A1', 'n'],
      ['A2', '20'],
    ],
  );
  assert.match(parts.get('xl/workbook.xml') ?? '', /name="Many".*name="Many 2"/);
});

test('sheets shown first may be written last; formulas, links, filters, totals', async () => {
  const parts = await unzipped(
    await written(async (workbook) => {
      await workbook.sheet("It's", [{ name: 'n', kind: 'integer' }], { filter: true });
      const ranges = await workbook.rows([[1], [2], [3]]);
      assert.deepEqual(ranges, [
        { sheet: "It's", first: 2, last: 3 },
        { sheet: "It's 2", first: 2, last: 2 },
      ]);
      await workbook.sheet(
        'Sum',
        [
          { name: 'of', kind: 'text' },
          { name: 'n', kind: 'integer', width: 30 },
        ],
        { first: true },
      );
      await workbook.rows([
        [
          { text: '=all', link: "'It''s'!A2" },
          { formula: rangeReference(ranges[0] ?? assert.fail(), 0), value: 3 },
        ],
      ]);
      await workbook.rows([['Total', null]], { total: true });
    }, 3),
  );
  const book = parts.get('xl/workbook.xml') ?? '';
  assert.match(book, /name="Sum".*name="It's".*name="It's 2"/);
  assert.match(book, /localSheetId="1" hidden="1">'It''s'!\$A\$1:\$A\$3</);
  assert.match(parts.get('xl/worksheets/sheet1.xml') ?? '', /<\/sheetData><autoFilter ref="A1:A3"\/><\/worksheet>/);
  const sum = parts.get('xl/worksheets/sheet3.xml') ?? '';
  assert.match(sum, /width="32"/);
  assert.match(sum, /<c r="B2" s="12"><f>'It''s'!A2:A3<\/f><v>3<\/v><\/c>/);
  assert.match(sum, /<c r="A3" s="1" t="inlineStr">.*<c r="B3" s="13"\/>/);
  assert.match(sum, /<hyperlinks><hyperlink ref="A2" location="'It''s'!A2"\/><\/hyperlinks>/);
});

test('a sink that goes away ends the writing', async () => {
  const sink = new PassThrough({ highWaterMark: 1 });
  const workbook = createWorkbook(sink);
  const rows = Array.from({ length: 2000 }, (_, row): Cell[] => [`text ${row} ${Math.sin(row)}`, row, true, null]);
  sink.once('readable', () => sink.destroy(new Error('gone'))).on('error', () => undefined);
  await assert.rejects(async () => {
    await workbook.sheet('x', COLUMNS);
    for (let block = 0; block < 1000; block += 1) await workbook.rows(rows);
  }, /gone/);
});

test('names of sheets and columns, dates', () => {
  assert.deepEqual([0, 25, 26, 701, 702, 16_383].map(columnLetters), ['A', 'Z', 'AA', 'ZZ', 'AAA', 'XFD']);
  assert.equal(sheetName("a/b:c*'", []), 'a b c*'.replace('*', ' ').trim());
  assert.equal(sheetName('x'.repeat(40), ['x'.repeat(31)]), `${'x'.repeat(29)} 2`);
  assert.equal(sheetName('', []), 'Sheet');
  assert.equal(sheetName('History', []), 'History 1');
  assert.equal(excelSerial(Date.UTC(1900, 1, 28)), undefined);
  assert.equal(excelSerial(Date.UTC(1900, 2, 1)), 61);
});

test('any text makes well-formed XML', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (text) => {
      cellsOf(`<c>${escapeText(text)}</c>`);
    }),
  );
});
