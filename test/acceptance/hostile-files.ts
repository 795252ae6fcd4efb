import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import type { ErrorCode } from '#kernel/errors.ts';
import { sharedData } from '../support/shared-data.ts';
import { makeWorkbook, row } from '../support/workbook.ts';
import { makeZip } from '../support/zip.ts';
import { SOAK } from './caudal.ts';
import { numbersCsv } from './numbers.ts';

export interface HostileFile {
  what: string;
  filename: string;
  data(): Buffer | string;
  /** Loaded, with so many rows accepted and quarantined. */
  rows?: number;
  quarantined?: number;
  /** Of its only row, as the API gives it. */
  holds?: Record<string, unknown>;
  /** Or refused with one of these. */
  refused?: ErrorCode[];
}

const MB = 1_000_000;
const DEEP = 100_000;
const HUGE_CELL = (SOAK ? 100 : 20) * MB;
const LONG_NAME = `${'n'.repeat(9_996)}.csv`;
const TWO = 'a,b\n1,2\n3,4\n';

const CSV: HostileFile[] = [
  { what: 'no header', filename: 'bare.csv', data: () => '1,2\n3,4\n5,6\n', rows: 3 },
  { what: 'only a header', filename: 'head.csv', data: () => 'a,b,c\n', rows: 0 },
  { what: 'nothing at all', filename: 'empty.csv', data: () => '', rows: 0 },
  {
    what: 'ragged records: a short one is filled up, a long one waits',
    filename: 'ragged.csv',
    data: () => 'a,b,c\n1,2,3\n1,2\n1,2,3,4\n7,8,9\n',
    rows: 3,
    quarantined: 1,
  },
  { what: 'mixed line ends', filename: 'ends.csv', data: () => 'a,b\r\n1,2\n3,4\r\n5,6\n7,8\r\n', rows: 4 },
  { what: 'NUL bytes in a cell', filename: 'nul.csv', data: () => 'a,b\n1,x\0y\n2,z\n', rows: 2 },
  {
    what: 'nothing but NUL bytes',
    filename: 'zeros.csv',
    data: () => Buffer.alloc(2 * MB),
    refused: ['undecodable_text', 'unsupported_format', 'no_table', 'corrupt_file'],
  },
  {
    what: 'an enormous cell: quarantined, as is what follows until the next line',
    filename: 'cell.csv',
    data: () => `a,b\n1,"${'x'.repeat(HUGE_CELL)}"\n2,y\n`,
    rows: 1,
    quarantined: 2,
  },
  {
    what: 'a quote that is never closed is no quote',
    filename: 'open.csv',
    data: () => 'a,b,c\n0,z,1\n1,"x,2\n3,y,4\n5,y,6\n',
    rows: 4,
  },
  {
    what: '10,000 columns',
    filename: 'wide.csv',
    data: () => `${wide('c')}\n${wide('')}\n`,
    refused: ['too_many_columns'],
  },
  { what: 'duplicate and empty column names', filename: 'same.csv', data: () => 'a,a,,A\n1,2,3,x\n4,5,6,y\n', rows: 2 },
  {
    what: 'column names that are SQL',
    filename: 'sql.csv',
    data: () => '"a""); DROP TABLE control; --","\'; SELECT 1"\n1,2\n',
    rows: 1,
  },
  {
    what: 'columns named like our own',
    filename: 'own.csv',
    data: () => '_source,_line,_loaded_at\nx,1,y\nz,2,w\n',
    rows: 2,
  },
  { what: 'formulas', filename: 'formulas.csv', data: () => 'f\n=1+1\n+cmd\n-2+3\n@SUM(A1)\n', rows: 4 },
  {
    what: 'bad UTF-8',
    filename: 'latin.csv',
    data: () => Buffer.from('ciudad,n\nBogot\xe1,1\nMedell\xedn,2\n', 'latin1'),
    rows: 2,
  },
  {
    what: 'UTF-16 with half a surrogate',
    filename: 'half.csv',
    data: () => Buffer.from('\ufeffa,b\n1,\ud83d\n2,x\n', 'utf16le'),
    rows: 1,
    quarantined: 1,
  },
];

const NAMES: HostileFile[] = [
  { what: 'a name that climbs', filename: '../../../etc/passwd.csv', data: () => TWO, rows: 2 },
  { what: 'a name with slashes and quotes', filename: `a/b\\c "d' e;f.csv`, data: () => TWO, rows: 2 },
  { what: 'a name of SQL', filename: `x"; DROP TABLE files; --.csv`, data: () => TWO, rows: 2 },
  { what: 'a name of emoji', filename: '🚰🌊 números.csv', data: () => TWO, rows: 2 },
  { what: 'a name of control characters', filename: 'a\r\nSet-Cookie: x=1\u202e.csv', data: () => TWO, rows: 2 },
  { what: 'a name of 10,000 characters', filename: LONG_NAME, data: () => TWO, rows: 2 },
  { what: 'a name that is nothing but dots', filename: '...', data: () => TWO, rows: 2 },
];

const PACKED: HostileFile[] = [
  { what: 'a CSV that says it is Parquet: what it is counts', filename: 'lie.parquet', data: () => TWO, rows: 2 },
  {
    what: 'a picture that says it is a CSV',
    filename: 'picture.csv',
    data: () => Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01', 'latin1'),
    refused: ['unsupported_format'],
  },
  {
    what: 'a program that says it is a CSV',
    filename: 'program.csv',
    data: () => readFileSync(process.execPath).subarray(0, MB),
    refused: ['unsupported_format', 'undecodable_text', 'corrupt_file'],
  },
  {
    what: 'a truncated gzip',
    filename: 'cut.csv.gz',
    data: () => gzipSync(numbersCsv(5_000)).subarray(0, 20_000),
    refused: ['truncated_file', 'corrupt_file'],
  },
  {
    what: 'a gzip with a wrong checksum',
    filename: 'sum.csv.gz',
    data: wrongChecksum,
    refused: ['corrupt_file', 'truncated_file'],
  },
  {
    what: 'a gzip bomb',
    filename: 'bomb.csv.gz',
    data: () => gzipSync(Buffer.alloc(200 * MB, 'a,b\n1,2\n')),
    refused: ['decompression_bomb'],
  },
  {
    what: 'a zip bomb',
    filename: 'bomb.zip',
    data: () => makeZip([{ name: 'bomb.csv', content: Buffer.alloc(200 * MB, 'a,b\n1,2\n') }]),
    refused: ['decompression_bomb'],
  },
  { what: 'a zip of many bombs', filename: 'bombs.zip', data: manyBombs, refused: ['decompression_bomb'] },
  {
    what: 'a zip that lies about sizes',
    filename: 'lies.zip',
    data: () => makeZip([{ name: 'a.csv', content: TWO, claimed_size: 4_000_000_000 }]),
    refused: ['corrupt_file', 'decompression_bomb', 'truncated_file'],
  },
  {
    what: 'a zip whose entry climbs: its last name counts',
    filename: 'climb.zip',
    data: () => makeZip([{ name: '../../../../tmp/climbed.csv', content: TWO }]),
    rows: 2,
  },
  {
    what: 'an encrypted zip',
    filename: 'locked.zip',
    data: () => makeZip([{ name: 'a.csv', content: TWO, flags: 0x801 }]),
    refused: ['encrypted_file'],
  },
  { what: 'a zip without entries', filename: 'none.zip', data: () => makeZip([]), refused: ['no_table', 'empty_file'] },
];

const JSONS: HostileFile[] = [
  {
    what: 'JSON nested 10⁵ deep',
    filename: 'deep.json',
    data: () => `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`,
    refused: ['json_too_deep', 'malformed_json'],
  },
  {
    what: 'objects nested 10⁵ deep',
    filename: 'deeper.json',
    data: () => `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
    refused: ['json_too_deep', 'malformed_json'],
  },
  {
    what: 'a value nested 10⁵ deep in NDJSON',
    filename: 'deep.ndjson',
    data: () => `{"a":1}\n{"a":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}\n`,
    rows: 1,
    quarantined: 1,
  },
  {
    what: 'numbers beyond 2⁵³',
    filename: 'big.json',
    data: () => '[{"n":9007199254740993,"m":123456789012345678901234567890}]',
    rows: 1,
    holds: { n: '9007199254740993' },
  },
  { what: 'duplicate keys', filename: 'twice.json', data: () => '[{"a":1,"a":2},{"a":3}]', rows: 2 },
  {
    what: '__proto__ and friends',
    filename: 'proto.json',
    data: () => '[{"__proto__":"x","constructor":"y","toString":"z"}]',
    rows: 1,
    holds: { constructor: 'y', toString: 'z' },
  },
  {
    what: 'JSON that ends too early',
    filename: 'early.json',
    data: () => '[{"a":1},{"a":',
    refused: ['malformed_json', 'truncated_file'],
  },
  {
    what: 'NaN, comments, trailing commas',
    filename: 'loose.json',
    data: () => '[{"a":NaN,}, // x\n]',
    refused: ['malformed_json'],
  },
  {
    what: 'broken lines among good ones',
    filename: 'lines.ndjson',
    data: () => '{"a":1}\n{"a":\n{"a":2}\nnot json\n{"a":3}\n',
    rows: 3,
    quarantined: 2,
  },
];

const WORKBOOKS: HostileFile[] = [
  {
    what: 'a workbook with entities',
    filename: 'laughs.xlsx',
    data: () => withDoctype(),
    refused: ['malformed_xml', 'corrupt_file'],
  },
  {
    what: 'a workbook of one enormous sheet',
    filename: 'sheet.xlsx',
    data: () => hugeSheet(),
    refused: ['decompression_bomb', 'value_too_large'],
  },
  {
    what: 'a workbook without its sheets',
    filename: 'hollow.xlsx',
    data: () => makeWorkbook({ sheets: [{ name: 'x', rows: row(1, ['a']) }], without: ['xl/worksheets/sheet1.xml'] }),
    refused: ['corrupt_file', 'no_table'],
  },
];

function wide(prefix: string): string {
  return Array.from({ length: 10_000 }, (_, at) => `${prefix}${at}`).join(',');
}

function wrongChecksum(): Buffer {
  const packed = gzipSync(numbersCsv(1_000));
  packed.writeUInt32LE(0xdead, packed.length - 8);
  return packed;
}

function manyBombs(): Buffer {
  const content = Buffer.alloc(20 * MB, 'a,b\n1,2\n');
  return makeZip(Array.from({ length: 12 }, (_, at) => ({ name: `${at}.csv`, content })));
}

function withDoctype(): Buffer {
  const laughs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join('');
  const sheet = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha"><!ENTITY file SYSTEM "file:///etc/passwd">${laughs}]><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&l9;&file;</t></is></c></row></sheetData></worksheet>`;
  return makeWorkbook({
    sheets: [{ name: 'x', rows: '' }],
    extra: [{ name: 'xl/worksheets/sheet1.xml', content: sheet }],
  });
}

function hugeSheet(): Buffer {
  return makeWorkbook({ sheets: [{ name: 'x', rows: row(1, ['a', 'b']).repeat(3_000_000) }] });
}

/** Every poison of the shared test data, and sound files of it that were damaged here. */
function fromTheWorld(): HostileFile[] {
  const parquet = sharedData('parquet');
  const workbooks = sharedData('xlsx');
  const refused: ErrorCode[] = [
    'corrupt_file',
    'truncated_file',
    'reader_crashed',
    'reader_memory',
    'unsupported_format',
  ];
  const found: HostileFile[] = [];
  for (const name of parquet ? readdirSync(parquet).filter((each) => each.startsWith('bad__')) : []) {
    found.push({ what: name, filename: name, data: () => readFileSync(join(parquet ?? '', name)), refused });
  }
  if (parquet) {
    const whole = () => readFileSync(join(parquet, 'alpha.parquet'));
    found.push(
      { what: 'a Parquet without its end', filename: 'cut.parquet', data: () => whole().subarray(0, -40), refused },
      {
        what: 'a Parquet with zeros in its pages',
        filename: 'holes.parquet',
        data: () => whole().fill(0, 8, 90),
        refused,
      },
      {
        what: 'a Parquet with a footer of noise',
        filename: 'noise.parquet',
        data: () => noisyFooter(whole()),
        refused,
      },
    );
  }
  for (const name of ['poi__poc-xmlbomb.xlsx', 'exceljs__invalid-xml.xlsx', 'calamine__pass_protected.xlsx']) {
    const codes: ErrorCode[] = ['malformed_xml', 'corrupt_file', 'decompression_bomb', 'encrypted_file'];
    if (workbooks)
      found.push({ what: name, filename: name, data: () => readFileSync(join(workbooks, name)), refused: codes });
  }
  return found;
}

function noisyFooter(file: Buffer): Buffer {
  const length = file.readUInt32LE(file.length - 8);
  const noise = deflateRawSync(file.subarray(0, length * 2 + 64)).subarray(0, length);
  noise.copy(file, file.length - 8 - length);
  return file;
}

export const HOSTILE_FILES: HostileFile[] = [...CSV, ...NAMES, ...PACKED, ...JSONS, ...WORKBOOKS, ...fromTheWorld()];
