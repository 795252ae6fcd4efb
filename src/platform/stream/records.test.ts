import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { parseRecords, type RecordFormat, readRecords } from './records.ts';

function read(text: string | Buffer, format: RecordFormat = 'json'): string[] {
  const { ndjson, count } = readRecords(Buffer.from(text), format);
  const lines = ndjson.toString().split('\n');
  assert.equal(lines.pop(), '');
  assert.equal(lines.length, count);
  return lines.map((line) => line.trim());
}

test('an object, an array, lines: one line per record, the bytes as they were', () => {
  assert.deepEqual(read('{"a": 1.10}'), ['{"a": 1.10}']);
  assert.deepEqual(read('[{"a":9007199254740993},\n {"b":",]\\"\\n["}]'), [
    '{"a":9007199254740993}',
    '{"b":",]\\"\\n["}',
  ]);
  assert.deepEqual(read('\ufeff{"a":\r\n [1,\n{}]}'), ['{"a":   [1, {}]}']);
  assert.deepEqual(read('{"a":1}\r\n\n  \n{"b":[1,2]}', 'ndjson'), ['{"a":1}', '{"b":[1,2]}']);
  assert.deepEqual(read('{"a":1}\n{"b":"{"}\n', 'ndjson'), ['{"a":1}', '{"b":"{"}']);
  assert.deepEqual(read('{"a":1}\n{"b":2}', 'ndjson'), ['{"a":1}', '{"b":2}']);
});

test('`__proto__` is a name like any other', () => {
  const [record] = parseRecords(readRecords(Buffer.from('[{"__proto__":{"admin":true}}]'), 'json'));
  assert.deepEqual(Object.keys(record ?? {}), ['__proto__']);
  assert.equal(({} as Record<string, unknown>)['admin'], undefined);
});

test('whatever JSON there is in an array comes out again, record by record', () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(record, { minLength: 1 }), fc.constantFrom(undefined, 1, '\t'), (records, indent) => {
      const back = parseRecords(readRecords(Buffer.from(JSON.stringify(records, null, indent)), 'json'));
      assert.deepEqual(JSON.stringify(back), JSON.stringify(records));
    }),
  );
});

function refused(text: string | Buffer, format: RecordFormat = 'json'): CaudalError {
  try {
    read(text, format);
  } catch (error) {
    assert.ok(error instanceof CaudalError, String(error));
    return error;
  }
  return assert.fail('was accepted');
}

const REFUSED: [text: string | Buffer, format: RecordFormat, code: string, field?: string][] = [
  ['{"name": "Ana", "age": }', 'json', 'invalid_json', 'age'],
  ['[{"a":1},{"b":{"c":tru}}]', 'json', 'invalid_json', '1.b.c'],
  ['[{"a":1}', 'json', 'invalid_json', '0'],
  ['nothing', 'json', 'invalid_json', 'body'],
  ['{"a":1}\n{"a":1}', 'json', 'invalid_json', 'body'],
  [Buffer.from([0x7b, 0xff, 0x7d]), 'json', 'invalid_json'],
  ['{"a":1}\n\n{"a": x}', 'ndjson', 'malformed_json', '1.a'],
  ['{"a":1}\n{"a":1} 7', 'ndjson', 'malformed_json', '1'],
  ['{"a":1}\n7', 'ndjson', 'invalid_input', '1'],
  ['[{"a":1},[1]]', 'json', 'invalid_input', '1'],
  ['7', 'json', 'invalid_input', 'body'],
  ['null', 'json', 'invalid_input', 'body'],
  ['[]', 'json', 'invalid_input', 'body'],
  ['', 'ndjson', 'invalid_input', 'body'],
  ['['.repeat(100_000), 'json', 'json_too_deep'],
  ['{"a":'.repeat(100_000), 'ndjson', 'json_too_deep'],
  [`${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, 'ndjson', 'json_too_deep'],
  [`{"a":${'['.repeat(101)}${']'.repeat(101)},"a":1}`, 'ndjson', 'json_too_deep'],
  [`[${'{},'.repeat(100_000)}{}]`, 'json', 'payload_too_large'],
  ['{}\n'.repeat(100_001), 'ndjson', 'payload_too_large'],
];

for (const [text, format, code, field] of REFUSED) {
  test(`refused: ${String(text).slice(0, 40)} (${format})`, () => {
    const error = refused(text, format);
    assert.equal(error.code, code);
    if (field) assert.equal(error.errors?.[0]?.field, field);
  });
}
