import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from '../../../../../test/support/laws.ts';
import { createLineCounter } from './line-counter.ts';
import { type Scan, scanRecords } from './scan.ts';

const directory = await mkdtemp(join(tmpdir(), 'caudal-scan-'));
test.after(() => rm(directory, { recursive: true }));

async function scan(text: string | Buffer, header?: string): Promise<Scan> {
  const path = join(directory, 'text');
  await writeFile(path, text);
  return scanRecords(path, {
    offset: 0,
    quote: 34,
    header: header === undefined ? undefined : Buffer.from(header),
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

test('the counter sees what a loop over the bytes sees', () => {
  const counter = createLineCounter(4096);
  const bytes = fc
    .uint8Array({ minLength: 1, maxLength: 300 })
    .map((array) => array.map((byte) => [10, 13, 34, 65][byte & 3] ?? 65));
  fc.assert(
    fc.property(bytes, (array) => {
      counter.chunk.set(array);
      const text = Buffer.from(array);
      const found = counter.count(text.length, 34, [65, 65]);
      const joined = `AA${text.toString('latin1')}`;
      assert.equal(found.lines, text.filter((byte) => byte === 10).length);
      assert.equal(found.quotes, text.includes(34));
      assert.equal(found.blanks, /\n\r?\n/.test(joined));
    }),
  );
});

test('records are lines with or without a last line end; blank lines at the end are none', async () => {
  assert.deepEqual(await scan('a,1\nb,2\n'), { records: 2, plain: true });
  assert.deepEqual(await scan('a,1\r\nb,2'), { records: 2, plain: true });
  assert.deepEqual(await scan('a,1\nb,2\n\n\r\n'), { records: 2, plain: true });
  assert.deepEqual(await scan('"a,",1\n"b",2'), { records: 2, plain: true });
});

test('what needs the careful reader is named', async () => {
  assert.equal((await scan('"a\nb",1\n')).reason, 'multi-line records');
  assert.equal((await scan('a,1\n\nb,2\n')).reason, 'blank lines');
  assert.equal((await scan('"a",1\n\nb,2\n')).reason, 'blank lines');
  assert.equal((await scan('1,2\na,b\n3,4\n', 'a,b')).reason, 'the header comes again');
  assert.equal((await scan('1,2\nxa,b\n3,4\n', 'a,b')).plain, true);
});

test('counts hold over chunk borders', async () => {
  const line = `${'x'.repeat(996)},1\n`;
  assert.deepEqual(await scan(line.repeat(3000)), { records: 3000, plain: true });
  assert.equal((await scan(`${line.repeat(1052)}\n${line}`)).reason, 'blank lines');
  const header = 'h'.repeat(500);
  assert.equal((await scan(`${line.repeat(1050)}${header}\n${line}`, header)).reason, 'the header comes again');
});
