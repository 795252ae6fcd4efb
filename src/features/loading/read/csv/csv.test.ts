import assert from 'node:assert/strict';
import test from 'node:test';
import iconv from 'iconv-lite';
import type { TargetSchema } from '#contract/load.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../../../test/support/laws.ts';
import { type ReadBack, readBytesBack } from '../../../../../test/support/read-file.ts';

async function read(bytes: string | Buffer, options: ReaderOptions = {}, target?: TargetSchema): Promise<ReadBack> {
  const [first] = await readBytesBack(bytes, 'data.csv', { options, ...(target ? { target } : {}) });
  assert.ok(first);
  return first;
}

interface Scenario {
  title: string;
  text: string | Buffer;
  options?: ReaderOptions;
  types?: Record<string, string>;
  rows?: Record<string, unknown>[];
  lines?: number[];
  quarantine?: [line: number, reason: string][];
  sniffed?: Record<string, unknown>;
}

const SCENARIOS: Scenario[] = [
  {
    title: 'identifiers keep their zeros, numbers and dates get their types',
    text: 'code,n,x,day\n007,1,1.5,2024-01-31\n012,,2,2024-02-01\n',
    types: { code: 'text', n: 'integer', x: 'number', day: 'date' },
    rows: [
      { code: '007', n: '1', x: 1.5, day: '2024-01-31' },
      { code: '012', n: null, x: 2, day: '2024-02-01' },
    ],
    lines: [2, 3],
  },
  {
    title: 'records over several lines know the line they begin on',
    text: 'a,b\n1,"x\ny\nz"\n2,"p ""q"" r"\n',
    rows: [
      { a: '1', b: 'x\ny\nz' },
      { a: '2', b: 'p "q" r' },
    ],
    lines: [2, 5],
  },
  {
    title: 'titles, blank lines and comments are no records',
    text: 'Sales of 2024\n\nname,amount\n# half a year\nana,1\n\nluis,2\n',
    rows: [
      { name: 'ana', amount: '1' },
      { name: 'luis', amount: '2' },
    ],
    lines: [5, 7],
    sniffed: { skip: 2, comment: '#', header: true },
  },
  {
    title: 'rows of another width and broken quotes go to quarantine with line and reason',
    text: `a,b,c\n${'1,2,3\n'.repeat(30)}1,2\n1,2,3,4\n1,"2"x,3\n1,2,3,\n4,5,6\n`,
    quarantine: [
      [32, 'too_few_fields: 2 instead of 3'],
      [33, 'too_many_fields: 4 instead of 3'],
      [34, 'broken_quotes: text follows a closing quote'],
    ],
    types: { a: 'integer', b: 'integer', c: 'integer' },
  },
  {
    title: 'a lone quote costs its own line',
    text: `a,b\n${'1,x\n'.repeat(20)}2,"never closed\n${'3,y\n'.repeat(20)}`,
    quarantine: [[22, 'broken_quotes: the quote is never closed']],
  },
  {
    title: 'decimal commas, points between thousands, days first',
    text: 'importe;total;fecha\n1,5;1.234,50;31/12/2024\n2,25;12,00;01/02/2024\n',
    types: { importe: 'number', total: 'number', fecha: 'date' },
    rows: [
      { importe: 1.5, total: 1234.5, fecha: '2024-12-31' },
      { importe: 2.25, total: 12, fecha: '2024-02-01' },
    ],
    sniffed: { delimiter: ';', decimal: ',', date_order: 'dmy' },
  },
  {
    title: 'month first when some date says so',
    text: 'd\n01/02/2024\n12/31/2024\n',
    rows: [{ d: '2024-01-02' }, { d: '2024-12-31' }],
  },
  {
    title: 'no header: columns are numbered',
    text: '1,ana,2024-01-01\n2,luis,2024-01-02\n',
    types: { column0: 'integer', column1: 'text', column2: 'date' },
    lines: [1, 2],
    sniffed: { header: false },
  },
  {
    title: 'words for "no value" in a typed column; text keeps them',
    text: 'year,word\n2001,NA\nN/A,b\n2003,c\n',
    types: { year: 'integer', word: 'text' },
    rows: [
      { year: '2001', word: 'NA' },
      { year: null, word: 'b' },
      { year: '2003', word: 'c' },
    ],
  },
  {
    title: 'carriage returns alone end lines',
    text: 'a,b\r1,x\r2,"y\rz"\r',
    rows: [
      { a: '1', b: 'x' },
      { a: '2', b: 'y\rz' },
    ],
    lines: [2, 3],
  },
  {
    title: 'the header again (files pasted together) is no record',
    text: 'a,b\n1,2\na,b\n3,4\n',
    types: { a: 'integer', b: 'integer' },
    lines: [2, 4],
  },
  {
    title: 'options override what is sniffed',
    text: 'a;b\n1;2\n',
    options: { delimiter: ',', header: false },
    rows: [{ column0: 'a;b' }, { column0: '1;2' }],
  },
  { title: 'a header alone is a table without rows', text: 'a,b\n', types: { a: 'text', b: 'text' }, rows: [] },
  {
    title: 'an Excel hint for the delimiter is obeyed',
    text: 'sep=;\na;b\n1;2,5\n',
    rows: [{ a: '1', b: 2.5 }],
    lines: [3],
  },
  {
    title: 'a name of 10,000 characters, emoji, quotes and paths',
    text: `${'n'.repeat(10_000)},😀,"a ""b""",../../etc/passwd\n1,2,3,4\n`,
    types: { ['n'.repeat(1000)]: 'integer', '😀': 'integer', 'a "b"': 'integer', '../../etc/passwd': 'integer' },
  },
  {
    title: 'NUL bytes inside text stay',
    text: 'a,b\n1,x\0y\n2,z\n',
    rows: [
      { a: '1', b: 'x\0y' },
      { a: '2', b: 'z' },
    ],
  },
  {
    title: 'bytes that are no UTF-8 in a file that otherwise is: those rows only',
    text: Buffer.concat([Buffer.from(`a,b\n${'ñandú,1\n'.repeat(40)}x`), Buffer.from([0xff]), Buffer.from('y,2\n')]),
    quarantine: [[42, 'undecodable: bytes that are no text in the encoding of the file']],
  },
];

for (const { title, text, options, types, rows, lines, quarantine, sniffed } of SCENARIOS) {
  test(title, async () => {
    const back = await read(text, options);
    if (types) assert.deepEqual(back.types, types);
    if (rows) assert.deepEqual(back.rows, rows);
    if (lines) assert.deepEqual(back.lines, lines);
    assert.deepEqual(
      back.quarantine.map((row) => [row.line, row.reason]),
      quarantine ?? [],
    );
    for (const [key, value] of Object.entries(sniffed ?? {}))
      assert.deepEqual((back.table.sniffed as Record<string, unknown>)[key], value, key);
  });
}

test('every encoding people use', async () => {
  const text = `nombre,país\n${'José Ñandú,España y Perú\n'.repeat(20)}`;
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be', 'utf-32le', 'windows-1252']) {
    for (const bom of encoding.startsWith('utf') ? [true, false] : [false]) {
      const back = await read(iconv.encode(text, encoding, { addBOM: bom }));
      assert.deepEqual(back.rows[0], { nombre: 'José Ñandú', país: 'España y Perú' }, `${encoding} ${bom}`);
      assert.equal(back.table.sniffed.encoding, encoding);
    }
  }
  const japanese = `名前,年齢\n${'山田太郎さん,25\n'.repeat(10)}`;
  for (const encoding of ['shift_jis', 'euc-jp']) {
    assert.deepEqual(
      (await read(iconv.encode(japanese, encoding))).rows[0],
      { 名前: '山田太郎さん', 年齢: '25' },
      encoding,
    );
  }
});

test('an encoding that only shows far below the sample is still found', async () => {
  const text = `a,b\n${`1,${'plain words '.repeat(100)}\n`.repeat(1000)}${'2,José Ñandú\n'.repeat(100)}`;
  const back = await read(iconv.encode(text, 'windows-1252'));
  assert.equal(back.table.sniffed.encoding, 'windows-1252');
  assert.deepEqual(back.rows.at(-1), { a: '2', b: 'José Ñandú' });
  assert.equal(back.table.accounting.quarantined, 0);
});

test('what only comes after the sample widens the column, and nothing is rounded or lost', async () => {
  const many = Array.from({ length: 20_000 }, (_, row) => `${row},${row},${row},2024-01-01`);
  many.splice(15_001, 0, '1.5,007,x,2024-01-01 10:00:00');
  const back = await read(`a,b,c,d\n${many.join('\n')}\n`);
  assert.deepEqual(back.types, { a: 'number', b: 'text', c: 'text', d: 'text' });
  assert.deepEqual(back.rows[15_001], { a: 1.5, b: '007', c: 'x', d: '2024-01-01 10:00:00' });
  assert.equal(back.lines[15_001], 15_003);
  assert.equal(back.rows.length, 20_001);
});

test('a late multi-line record, blank line or repeated header is found by the count', async () => {
  const many = Array.from({ length: 20_000 }, (_, row) => `${row},word ${row}`);
  for (const [late, rows, line] of [
    ['7,"two\nlines"', 20_001, 15_004],
    ['', 20_000, 15_004],
    ['a,b', 20_000, 15_004],
  ] as const) {
    const text = `a,b\n${[...many.slice(0, 15_001), late, ...many.slice(15_001)].join('\n')}\n`;
    const back = await read(text);
    assert.equal(back.rows.length, rows, late);
    assert.equal(back.lines[rows === 20_001 ? 15_002 : 15_001], rows === 20_001 ? line + 1 : line, late);
    assert.equal(back.types['a'], 'integer');
  }
});

test('declared columns quarantine what does not fit, with column and value', async () => {
  const target: TargetSchema = {
    mode: 'declared',
    columns: [
      { name: 'id', type: 'integer', field_id: 1, required: true },
      { name: 'amount', type: 'decimal(8,2)', field_id: 2 },
      { name: 'day', type: 'date', field_id: 3 },
    ],
  };
  const back = await read(
    'id,amount,day\n1,2.50,2024-01-01\nx,1,2024-01-01\n,1,2024-01-01\n3,1.234,2024-01-01\n4,,\n',
    {},
    target,
  );
  assert.deepEqual(back.types, { id: 'integer', amount: 'decimal(8,2)', day: 'date' });
  assert.deepEqual(
    back.rows.map((row) => row['id']),
    ['1', '4'],
  );
  assert.deepEqual(
    back.quarantine.map((row) => [row.line, row.column, row.value, row.reason]),
    [
      [3, 'id', 'x', 'does_not_fit: no integer'],
      [4, 'id', '', 'missing_value: the column is required'],
      [5, 'amount', '1.234', 'does_not_fit: no decimal(8,2)'],
    ],
  );
});

test('a column asked for as text is not read as a number', async () => {
  assert.deepEqual((await read('a\n1.50\n', { types: { a: 'text' } })).rows, [{ a: '1.50' }]);
});

test('several tables in one file', async () => {
  const [first, second] = await readBytesBack('a,b,c\n1,2,3\n4,5,6\n7,8,9\n\nx,y\np,1\nq,2\nr,3\n', 'two.csv');
  assert.equal(first?.rows.length, 3);
  assert.equal(second?.table.name, 'table_2');
  assert.deepEqual(second?.rows[0], { x: 'p', y: '1' });
  assert.deepEqual(second?.lines, [7, 8, 9]);
});

test('10,000 columns are read, more are refused', async () => {
  const wide = (columns: number) =>
    `${Array.from({ length: columns }, (_, column) => `c${column}`).join(',')}\n${'1,'.repeat(columns - 1)}1\n`;
  const back = await read(wide(1000));
  assert.equal(back.table.columns.length, 1000);
  await assert.rejects(
    read(wide(10_001)),
    (error: unknown) => error instanceof CaudalError && error.code === 'too_many_columns',
  );
});

test('binary data is refused by name', async () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7919) % 251));
  for (let at = 0; at < bytes.length; at += 5) bytes[at] = 0;
  await assert.rejects(
    read(bytes, { format: 'csv' }),
    (error: unknown) => error instanceof CaudalError && error.code === 'undecodable_text',
  );
});

test('whatever the mess, every record is accounted for and keeps its line', async () => {
  const line = fc.constantFrom('1,a', '2,"b"', '3', '4,c,d', '5,"e"x', '6,"f', '', '# c', '7,"g\nh"', '8,i,');
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 12 }),
      fc.constantFrom('\n', '\r\n'),
      async (lines, newline) => {
        const back = await read(`id,word${newline}0,z${newline}${lines.join(newline)}${newline}`, {
          header: true,
          delimiter: ',',
          quote: '"',
          comment: '#',
        });
        const { read: count, accepted, quarantined } = back.table.accounting;
        assert.equal(count, accepted + quarantined);
        assert.equal(accepted, back.rows.length);
        assert.equal(quarantined, back.quarantine.length);
        const all = [...back.lines, ...back.quarantine.map((row) => row.line)];
        assert.equal(new Set(all).size, all.length);
      },
    ),
    { numRuns: 25 },
  );
});
