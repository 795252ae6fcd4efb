import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError } from '#kernel/errors.ts';
import { type ReadBack, type ReadFileOptions, readBytesBack } from '../../../../../test/support/read-file.ts';

/** The bytes of a Parquet file with the rows of a query. */
async function makeParquet(query: string, options = ''): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'caudal-parquet-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const path = join(directory, 'made.parquet');
    await connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet${options})`);
    return await readFile(path);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(directory, { recursive: true });
  }
}

async function read(bytes: Buffer, settings?: ReadFileOptions): Promise<ReadBack> {
  const [table] = await readBytesBack(bytes, 'x.parquet', settings);
  assert.ok(table);
  return table;
}

async function refused(bytes: Buffer): Promise<CaudalError> {
  const error = await read(bytes).then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CaudalError, String(error));
  return error;
}

const TYPES: [sql: string, type: string, value: unknown][] = [
  ["'x'", 'text', 'x'],
  ['7::TINYINT', 'integer', '7'],
  ['4294967295::UINTEGER', 'integer', '4294967295'],
  ['18446744073709551615::UBIGINT', 'decimal(20,0)', '18446744073709551615'],
  ['0.5::FLOAT', 'number', 0.5],
  ['12345678901234567.89::DECIMAL(30,2)', 'decimal(30,2)', '12345678901234567.89'],
  ['true', 'boolean', true],
  ["DATE '2024-02-29'", 'date', '2024-02-29'],
  ["TIME '12:34:56'", 'time', '12:34:56'],
  ["TIMESTAMP '2024-02-29 12:34:56.123456'", 'timestamp', '2024-02-29 12:34:56.123456'],
  ["TIMESTAMP_NS '2024-02-29 12:34:56.123456789'", 'timestamp', '2024-02-29 12:34:56.123456'],
  ["TIMESTAMPTZ '2024-02-29 12:00:00+02:00'", 'timestamp', '2024-02-29 10:00:00'],
  ["UUID '0191e5a2-7b1c-7c3e-9d2f-1a2b3c4d5e6f'", 'uuid', '0191e5a2-7b1c-7c3e-9d2f-1a2b3c4d5e6f'],
  ["{'a': 1, 'b': [NULL, 'x']}", 'json', '{"a":1,"b":[null,"x"]}'],
  ["MAP {'k': 1}", 'json', '{"k":1}'],
  ["'[1]'::JSON", 'json', '[1]'],
  ["encode('ñ')", 'text', 'ñ'],
  ["'\\xff\\x00'::BLOB", 'text', '/wA='],
  ["INTERVAL '3 days'", 'text', '3 days'],
];

test('every type becomes one of ours', async () => {
  const bytes = await makeParquet(`SELECT ${TYPES.map(([sql], index) => `${sql} AS c${index}`).join(', ')}`);
  const result = await read(bytes);
  for (const [index, [sql, type, value]] of TYPES.entries()) {
    assert.equal(result.types[`c${index}`], type, sql);
    assert.deepEqual(result.rows[0]?.[`c${index}`], value, sql);
  }
});

test('rows are numbered from 1, in the order of the file, over row groups', async () => {
  const bytes = await makeParquet('SELECT range AS n FROM range(10000)', ', ROW_GROUP_SIZE 2048');
  const result = await read(bytes);
  assert.deepEqual(result.table.accounting, {
    read: 10_000,
    accepted: 10_000,
    quarantined: 0,
    duplicates: 0,
    skipped: [],
  });
  assert.ok(result.rows.every((row, index) => Number(row['n']) === index && result.lines[index] === index + 1));
});

test('an empty table keeps its columns; names that clash with the system’s give way', async () => {
  const empty = await read(await makeParquet('SELECT 1 AS a, NULL::VARCHAR AS b WHERE false'));
  assert.deepEqual(empty.types, { a: 'integer', b: 'text' });
  assert.equal(empty.table.segments.length, 0);
  const clash = await read(await makeParquet('SELECT 1 AS _line, 2 AS "quote""d"'));
  assert.deepEqual(clash.rows, [{ _line_1: '1', 'quote"d': '2' }]);
});

test('given types: what does not fit is quarantined, what fits is cast', async () => {
  const bytes = await makeParquet("SELECT * FROM (VALUES ('1', 1.5), ('two', 2.5), (NULL, 3.5)) t(a, b)");
  const target = { mode: 'declared' as const, columns: [{ name: 'a', type: 'integer', field_id: 1 }] };
  const result = await read(bytes, { target });
  assert.deepEqual(result.types, { a: 'integer', b: 'decimal(2,1)' });
  assert.deepEqual(result.rows, [
    { a: '1', b: '1.5' },
    { a: null, b: '3.5' },
  ]);
  assert.deepEqual(result.lines, [1, 3]);
  assert.deepEqual(result.quarantine, [
    { line: 2, column: 'a', reason: 'not a valid integer', value: 'two', raw: '{"a":"two","b":"2.5"}' },
  ]);
});

test('cut off, damaged and lying files are refused before they are decoded', async () => {
  const bytes = await makeParquet("SELECT range AS n, 'text ' || range AS t FROM range(1000)");
  assert.equal((await refused(bytes.subarray(0, bytes.length - 1))).code, 'truncated_file');
  assert.equal((await refused(bytes.subarray(0, 6))).code, 'truncated_file');
  const long_footer = Buffer.from(bytes);
  long_footer.writeUInt32LE(bytes.length, bytes.length - 8);
  assert.equal((await refused(long_footer)).code, 'corrupt_file');
  const no_footer = Buffer.from(bytes);
  no_footer.fill(0xff, bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8), bytes.length - 8);
  assert.equal((await refused(no_footer)).code, 'corrupt_file');
  const bad_page = Buffer.from(bytes);
  bad_page.fill(0xff, 4, 40);
  const error = await refused(bad_page);
  assert.equal(error.code, 'corrupt_file');
  assert.match(error.message, /page/);
  const encrypted = Buffer.concat([Buffer.from('PARE'), bytes.subarray(4, -4), Buffer.from('PARE')]);
  assert.equal((await refused(encrypted)).code, 'encrypted_file');
});

test('too many columns', async () => {
  const bytes = await makeParquet(`SELECT ${Array.from({ length: 12 }, (_, index) => `1 AS c${index}`).join(', ')}`);
  await assert.rejects(read(bytes, { limits: { max_columns: 10 } }), { code: 'too_many_columns' });
});
