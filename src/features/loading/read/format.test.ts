import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { type Format, formatOf } from './format.ts';

async function format(
  t: TestContext,
  content: Buffer | string,
  filename: string,
  options: ReaderOptions = {},
): Promise<Format> {
  const directory = await mkdtemp(join(tmpdir(), 'caudal-format-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'object');
  const bytes = Buffer.from(content);
  await writeFile(path, bytes);
  return await formatOf({ path, size: bytes.length, filename }, options);
}

const FORMATS: [content: string, filename: string, format: Format][] = [
  ['a,b\n1,2\n', 'x', 'csv'],
  ['a,b\n1,2\n', 'x.xlsx', 'csv'],
  ['a\tb\n1\t2\n', 'x.tsv', 'tsv'],
  ['[{"a": 1}]', 'x.csv', 'json'],
  ['{"a": 1}\n{"a": 2}\n', 'x.txt', 'ndjson'],
  ['{"a": 1}\n{"a": 2}\n', 'x.json', 'ndjson'],
  ['{"a": 1}', 'x.jsonl', 'ndjson'],
  ['not json', 'x.json', 'json'],
  ['PAR1....PAR1', 'x.csv', 'parquet'],
  ['PK\x03\x04....', 'x.csv', 'xlsx'],
];
for (const [content, filename, expected] of FORMATS) {
  test(`${JSON.stringify(content)} named ${filename} is ${expected}`, async (t) => {
    assert.equal(await format(t, content, filename), expected);
  });
}

test('a given format decides about text, not about what is plainly binary', async (t) => {
  assert.equal(await format(t, '[1]', 'x.json', { format: 'csv' }), 'csv');
  assert.equal(await format(t, 'PAR1....PAR1', 'x', { format: 'csv' }), 'parquet');
});

/** The beginning of a compound file with the given names in its directory ([MS-CFB]). */
function compoundFile(...names: string[]): Buffer {
  const file = Buffer.alloc(2048);
  file.write('d0cf11e0a1b11ae1', 0, 'hex');
  file.writeUInt16LE(9, 30);
  file.writeUInt32LE(0, 48);
  for (const [index, name] of names.entries()) {
    const at = 512 + index * 128;
    file.write(name, at, 'utf16le');
    file.writeUInt16LE((name.length + 1) * 2, at + 64);
  }
  return file;
}

const REFUSED: [what: string, content: Buffer | string, filename: string, code: string][] = [
  ['an old workbook', compoundFile('Root Entry', 'Workbook'), 'x.xlsx', 'legacy_xls'],
  ['an encrypted workbook', compoundFile('Root Entry', 'EncryptedPackage'), 'x.xlsx', 'encrypted_file'],
  ['an old document', compoundFile('Root Entry', 'WordDocument'), 'x.doc', 'unsupported_format'],
  ['an encrypted Parquet file', 'PARE....PARE', 'x.parquet', 'encrypted_file'],
  ['a PDF', '%PDF-1.7\n', 'x.csv', 'unsupported_format'],
  ['an image', Buffer.from('89504e470d0a1a0a', 'hex'), 'x.csv', 'unsupported_format'],
  ['a video', Buffer.from('000000186674797069736f6d', 'hex'), 'x.csv', 'unsupported_format'],
  ['a web page', '\n<!DOCTYPE html><html>', 'x.csv', 'unsupported_format'],
  ['a tar archive', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0')]), 'x.tar', 'unsupported_format'],
  ['rubbish under the name of a workbook', Buffer.from([1, 0, 2, 0, 3]), 'x.xlsx', 'corrupt_file'],
  ['nothing', '', 'x.csv', 'empty_file'],
];
for (const [what, content, filename, code] of REFUSED) {
  test(`${what} is refused: ${code}, with a hint`, async (t) => {
    await assert.rejects(format(t, content, filename), (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && 'hint' in error);
      assert.equal(error.code, code);
      if (code !== 'empty_file') assert.ok(error.hint);
      return true;
    });
  });
}
