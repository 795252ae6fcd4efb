import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReadBack, readBytesBack } from '../../../../../test/support/read-file.ts';

async function read(text: Buffer | string, filename = 'x.ndjson'): Promise<ReadBack> {
  const [table] = await readBytesBack(text, filename);
  assert.ok(table);
  return table;
}

test('each line is a row on its own line of the file', async () => {
  const result = await read('{"a": 1}\r\n{"a": 2}\n\n{"a": null}');
  assert.deepEqual(result.types, { a: 'integer' });
  assert.deepEqual(result.rows, [{ a: '1' }, { a: '2' }, { a: null }]);
  assert.deepEqual(result.lines, [1, 2, 4]);
  assert.deepEqual(result.table.accounting.skipped, [{ line: 3, why: 'blank line' }]);
  assert.equal(result.table.sniffed.format, 'ndjson');
});

test('a bad line is quarantined: its number, the reason, its text', async () => {
  const bytes = Buffer.concat([
    Buffer.from('{"a": 1}\n{"a": }\n{"a": 2} x\n{"a": "'),
    Buffer.from([0xff]),
    Buffer.from('"}\n{"a": 3}\n'),
  ]);
  const result = await read(bytes);
  assert.deepEqual(result.rows, [{ a: '1' }, { a: '3' }]);
  assert.deepEqual(result.lines, [1, 5]);
  assert.deepEqual(result.table.accounting, { read: 5, accepted: 2, quarantined: 3, duplicates: 0, skipped: [] });
  assert.deepEqual(result.quarantine, [
    {
      line: 2,
      column: null,
      reason: 'not valid JSON: "}" where a value should be (byte 7)',
      value: null,
      raw: '{"a": }',
    },
    {
      line: 3,
      column: null,
      reason: 'not valid JSON: something follows the value (byte 10)',
      value: null,
      raw: '{"a": 2} x',
    },
    { line: 4, column: null, reason: 'not UTF-8', value: null, raw: '{"a": "\ufffd"}' },
  ]);
});

test('a deep line is one bad line, not the end', async () => {
  const result = await read(`{"a": 1}\n${'['.repeat(100_000)}\n{"a": 2}\n`);
  assert.equal(result.rows.length, 2);
  assert.match(result.quarantine[0]?.reason ?? '', /nested more than 1000 deep/);
  assert.equal(result.quarantine[0]?.raw.length, 65_536);
});

test('record separators, byte order mark, lines of arrays', async () => {
  assert.deepEqual((await read('\x1e{"a": 1}\n\x1e{"a": 2}\n')).rows, [{ a: '1' }, { a: '2' }]);
  assert.deepEqual((await read('\ufeff{"a": 1}\n')).rows, [{ a: '1' }]);
  assert.deepEqual((await read('["id", "n"]\n[1, "x"]\n')).rows, [{ id: '1', n: 'x' }]);
});

test('NDJSON under the name .json is recognised; a document under .jsonl too', async () => {
  const lines = await read('{"a": 1}\n{"a": 2}\n', 'x.json');
  assert.equal(lines.table.sniffed.format, 'ndjson');
  const document = await read('[\n {"a": 1},\n {"a": 2}\n]', 'x.jsonl');
  assert.equal(document.table.sniffed.format, 'json');
  assert.equal(document.rows.length, 2);
});

test('a first line too long for the look at the beginning is NDJSON all the same', async () => {
  const result = await read(`{"a": "${'x'.repeat(100_000)}"}\n{"a": "y"}\n`, 'x.json');
  assert.equal(result.table.sniffed.format, 'ndjson');
  assert.equal(result.rows.length, 2);
});

test('a file without a single good line is refused', async () => {
  await assert.rejects(read('not\njson\n'), { code: 'malformed_json', message: /None of the file's 2 lines/ });
});

test('columns that come late are NULL before', async () => {
  const result = await read('{"a": 1}\n{"b": {"c": 1}}\n{"a": 2, "d": [1]}\n');
  assert.deepEqual(result.types, { a: 'integer', 'b.c': 'integer', d: 'json' });
  assert.deepEqual(result.rows[0], { a: '1', 'b.c': null, d: null });
  assert.deepEqual(result.rows[2], { a: '2', 'b.c': null, d: '[1]' });
});
