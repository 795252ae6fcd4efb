import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { type ReadBack, type ReadFileOptions, readBytesBack } from '../../../../../test/support/read-file.ts';
import { makeWorkbook, row, type WorkbookParts } from '../../../../../test/support/workbook.ts';
import { makeZip } from '../../../../../test/support/zip.ts';

async function readAll(parts: WorkbookParts, settings?: ReadFileOptions): Promise<ReadBack[]> {
  return await readBytesBack(makeWorkbook(parts), 'x.xlsx', settings);
}

async function readRows(
  rows: string,
  parts: Partial<WorkbookParts> = {},
  settings?: ReadFileOptions,
): Promise<ReadBack> {
  const [table] = await readAll({ sheets: [{ name: 'Sheet1', rows }], ...parts }, settings);
  assert.ok(table);
  return table;
}

async function refused(bytes: Buffer, settings?: ReadFileOptions): Promise<CaudalError> {
  const error = await readBytesBack(bytes, 'x.xlsx', settings).then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CaudalError, String(error));
  return error;
}

test('types by value and number format', async () => {
  const formats = ['yyyy-mm-dd', 'd/m/yy h:mm', 'h:mm:ss', '0.0%', '00000', '"$"#,##0.00', '[h]:mm:ss'];
  const cells = (line: number, more: number): string =>
    row(line, [
      'x',
      1 + more,
      1.5,
      true,
      [1, 45000 + more],
      [2, 45000.5],
      [3, 0.75],
      [4, 0.125],
      [5, 1001],
      [6, 12.5],
      [7, 1.25],
    ]);
  const names = ['t', 'i', 'n', 'b', 'd', 'ts', 'tm', 'pct', 'code', 'money', 'dur'];
  const result = await readRows(row(1, names) + cells(2, 0) + cells(3, 1), { formats });
  assert.deepEqual(result.types, {
    t: 'text',
    i: 'integer',
    n: 'number',
    b: 'boolean',
    d: 'date',
    ts: 'timestamp',
    tm: 'time',
    pct: 'number',
    code: 'text',
    money: 'number',
    dur: 'text',
  });
  const [first] = result.rows;
  assert.deepEqual(first, {
    t: 'x',
    i: '1',
    n: 1.5,
    b: true,
    d: '2023-03-15',
    ts: '2023-03-15 12:00:00',
    tm: '18:00:00',
    pct: 0.125,
    code: '01001',
    money: 12.5,
    dur: '30:00:00',
  });
  assert.deepEqual(result.lines, [2, 3]);
});

test('a column of several kinds is text, as the sheet shows it', async () => {
  const formats = ['yyyy-mm-dd', '0%', '"$"#,##0.00'];
  const values = ['text', 0.30000000000000004, true, [1, 45000], [2, 0.5], [3, 1234.5]] as const;
  const rows = values.map((value, index) => row(index + 2, [index, value as string]));
  const result = await readRows(row(1, ['n', 'v']) + rows.join(''), { formats });
  assert.deepEqual(
    result.rows.map(({ v }) => v),
    ['text', '0.3', 'TRUE', '2023-03-15', '50%', '$1,234.50'],
  );
});

test('the 1904 epoch', async () => {
  const result = await readRows(row(1, ['d']) + row(2, [[1, 43538]]), { formats: ['d-mmm-yy'], date1904: true });
  assert.deepEqual(result.rows, [{ d: '2023-03-15' }]);
});

test('shared strings: rich text joined, phonetics left out, escapes undone', async () => {
  const strings = `<?xml version="1.0"?><sst><si><t>name</t></si><si><r><t>Aña</t></r><r><t xml:space="preserve"> Ruiz</t></r><rPh><t>x</t></rPh></si><si><t>a_x000A_b</t></si></sst>`;
  const cell = (reference: string, index: number): string => `<c r="${reference}" t="s"><v>${index}</v></c>`;
  const rows = [0, 1, 2].map((index) => `<row r="${index + 1}">${cell(`A${index + 1}`, index)}</row>`).join('');
  const result = await readRows(rows, { extra: [{ name: 'xl/sharedStrings.xml', content: strings }] });
  assert.deepEqual(result.rows, [{ name: 'Aña Ruiz' }, { name: 'a\nb' }]);
});

test('formulas count by their cached value; errors are NULL among numbers, told once per column', async () => {
  const rows =
    row(1, ['f', 'g']) +
    '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>"a"</f><v>a</v></c></row>' +
    '<row r="3"><c r="A3" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="B3" t="e"><v>#N/A</v></c></row>' +
    '<row r="4"><c r="A4" t="str"><f>""</f><v></v></c><c r="B4" t="str"><v>b</v></c></row>';
  const result = await readRows(rows);
  assert.deepEqual(result.types, { f: 'integer', g: 'text' });
  assert.deepEqual(result.rows, [
    { f: '2', g: 'a' },
    { f: null, g: '#N/A' },
    { f: null, g: 'b' },
  ]);
  assert.deepEqual(result.table.accounting.skipped, [
    { line: 3, why: 'error values in “f” are NULL: 1, the first is #DIV/0!' },
  ]);
});

test('titles above, blank rows and columns around, unnamed and repeated columns', async () => {
  const rows =
    row(2, [null, 'Report of sales']) +
    row(4, [null, 'city', null, 'city', 'total']) +
    row(5, [null, 'Cali', 1, 'x', 10]) +
    row(7, [null, 'Bogotá', 2, 'y', 20, 'beside']);
  const result = await readRows(rows);
  assert.deepEqual(result.types, {
    city: 'text',
    column1: 'integer',
    city_1: 'text',
    total: 'integer',
    column4: 'text',
  });
  assert.deepEqual(result.lines, [5, 7]);
  assert.deepEqual(result.rows[1], { city: 'Bogotá', column1: '2', city_1: 'y', total: '20', column4: 'beside' });
  assert.deepEqual(result.table.accounting.skipped, [
    { line: 2, why: 'above the table: Report of sales' },
    { line: 6, why: 'blank row' },
  ]);
  assert.equal(result.table.sniffed.header, true);
  assert.equal(result.table.sniffed.skip, 3);
});

test('without a header columns are numbered; options override what is found', async () => {
  const plain = await readRows(row(1, ['a', 1]) + row(2, ['b', 2]));
  assert.deepEqual(plain.types, { column0: 'text', column1: 'integer' });
  assert.equal(plain.table.sniffed.header, false);
  const named = await readRows(row(1, ['a', 1]) + row(2, ['b', 2]), {}, { options: { header: true } });
  assert.deepEqual(named.rows, [{ a: 'b', '1': '2' }]);
  const skipped = await readRows(
    row(1, ['x', 'y']) + row(2, ['a', 'b']) + row(3, [1, 2]),
    {},
    { options: { skip: 1 } },
  );
  assert.deepEqual(skipped.rows, [{ a: '1', b: '2' }]);
  const data = await readRows(row(1, ['x', 'y']) + row(2, ['a', 'b']), {}, { options: { header: false } });
  assert.equal(data.rows.length, 2);
});

test('years may name columns', async () => {
  const result = await readRows(row(1, ['country', 2019, 2020]) + row(2, ['Perú', 1.5, 2.5]));
  assert.deepEqual(result.rows, [{ country: 'Perú', '2019': 1.5, '2020': 2.5 }]);
});

test('one table per sheet; empty, hidden and chart sheets are not tables', async () => {
  const sheets = [
    { name: 'Año 1', rows: row(1, ['a']) + row(2, [1]) },
    { name: 'empty', rows: '' },
    { name: 'secret', rows: row(1, ['s']) + row(2, [2]), state: 'hidden' as const },
    { name: 'header only', rows: row(1, ['h']) },
  ];
  const tables = await readAll({ sheets });
  assert.deepEqual(
    tables.map(({ table, rows }) => [table.name, rows.length]),
    [
      ['Año 1', 1],
      ['header only', 0],
    ],
  );
  assert.match(tables[0]?.table.accounting.skipped[0]?.why ?? '', /hidden sheet “secret”/);
  const [secret] = await readAll({ sheets }, { options: { sheet: 'secret' } });
  assert.deepEqual(secret?.rows, [{ s: '2' }]);
  const error = await refused(makeWorkbook({ sheets }), { options: { sheet: 'none' } });
  assert.equal(error.code, 'no_table');
  assert.match(error.hint ?? '', /“Año 1”/);
});

test('missing parts are tolerated where Excel does: styles, strings, references', async () => {
  const rows =
    '<row><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row><row><c><v>1</v></c><c><v>2</v></c></row>';
  const result = await readRows(rows, {
    without: ['xl/styles.xml', 'xl/sharedStrings.xml', '_rels/.rels', '[Content_Types].xml'],
  });
  assert.deepEqual(result.rows, [{ a: '1', b: '2' }]);
  assert.deepEqual(result.lines, [2]);
});

test('a workbook is one under any name, packed too', async () => {
  const workbook = makeWorkbook({ sheets: [{ name: 's', rows: row(1, ['a']) + row(2, [1]) }] });
  const [inside] = await readBytesBack(makeZip([{ name: 'book.csv', content: workbook }]), 'x.csv');
  assert.deepEqual(inside?.rows, [{ a: '1' }]);
});

test('given types: what does not fit is quarantined', async () => {
  const result = await readRows(
    row(1, ['n']) + row(2, ['seven']) + row(3, [8]),
    {},
    { options: { types: { n: 'integer' } } },
  );
  assert.deepEqual(result.rows, [{ n: '8' }]);
  assert.deepEqual(result.quarantine, [
    { line: 2, column: 'n', reason: 'not a valid integer', value: 'seven', raw: '{"n":"seven"}' },
  ]);
});

const SHEET = { name: 's', rows: row(1, ['a']) + row(2, [1]) };
const HOSTILE: [what: string, parts: WorkbookParts, code: string, settings?: ReadFileOptions][] = [
  [
    'entities that multiply',
    {
      sheets: [SHEET],
      extra: [
        {
          name: 'xl/sharedStrings.xml',
          content:
            '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>',
        },
      ],
    },
    'malformed_xml',
  ],
  [
    'an external entity',
    {
      sheets: [SHEET],
      extra: [{ name: 'xl/workbook.xml', content: '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w>&x;</w>' }],
    },
    'malformed_xml',
  ],
  ['an undeclared entity', { sheets: [{ name: 's', rows: '<row r="1"><c><v>&nope;</v></c></row>' }] }, 'malformed_xml'],
  ['XML that breaks off', { sheets: [{ name: 's', rows: '<row r="1"><c' }] }, 'malformed_xml'],
  [
    'a shared string that is not there',
    { sheets: [{ name: 's', rows: '<row r="1"><c r="A1" t="s"><v>9</v></c></row>' }] },
    'corrupt_file',
  ],
  [
    'a cell beyond the last column',
    { sheets: [{ name: 's', rows: '<row r="1"><c r="ZZZZ1"><v>1</v></c></row>' }] },
    'corrupt_file',
  ],
  [
    'a bomb of blanks',
    { sheets: [{ name: 's', rows: ' '.repeat(80 * 2 ** 20) }] },
    'decompression_bomb',
    { limits: { max_ratio: 100, max_value_bytes: 2 ** 30 } },
  ],
  [
    'a bomb in one cell',
    { sheets: [{ name: 's', rows: `<row r="1"><c t="inlineStr"><is><t>${'x'.repeat(3e6)}</t></is></c></row>` }] },
    'value_too_large',
    { limits: { max_value_bytes: 1e6 } },
  ],
  [
    'too many columns',
    {
      sheets: [
        {
          name: 's',
          rows: row(
            1,
            Array.from({ length: 20 }, (_, index) => `c${index}`),
          ),
        },
      ],
    },
    'too_many_columns',
    { limits: { max_columns: 10 } },
  ],
];
for (const [what, parts, code, settings] of HOSTILE) {
  test(`${what}: ${code}`, async () => {
    assert.equal((await refused(makeWorkbook(parts), settings)).code, code);
  });
}

test('an encrypted part, a cut-off file', async () => {
  const workbook = makeWorkbook({ sheets: [SHEET] });
  assert.equal((await refused(workbook.subarray(0, workbook.length - 30))).code, 'truncated_file');
  const locked = makeZip([
    {
      name: 'xl/workbook.xml',
      content: '<workbook><sheets><sheet name="s" r:id="x"/></sheets></workbook>',
      flags: 0x801,
    },
    { name: 'xl/worksheets/sheet1.xml', content: '<worksheet/>' },
  ]);
  assert.equal((await refused(locked)).code, 'encrypted_file');
});
