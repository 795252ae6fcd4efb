import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { balances } from '#contract/accounting.ts';
import { duckdbType, quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { DeclaredColumn } from '#contract/datasets.ts';
import type { ReadTable } from '#contract/load.ts';
import { CaudalError } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import fc from '../../../test/support/laws.ts';
import { conform, quarantineOf } from './conform.ts';

const root = await mkdtemp(join(tmpdir(), 'caudal-conform-'));
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
after(async () => {
  instance.closeSync();
  await rm(root, { recursive: true, force: true });
});

/** One column of these values, as a reader would have written it. */
async function tableOf(
  name: string,
  type: string,
  values: (string | null)[],
): Promise<{ table: ReadTable; dir: string }> {
  const dir = join(root, newId());
  await mkdir(dir);
  const path = join(dir, 'read.parquet');
  const list = values.map((value) => (value === null ? 'NULL' : quoteLiteral(value))).join(', ');
  await connection.run(`COPY (SELECT unnest([${list}]::VARCHAR[])::${duckdbType(type)} AS ${quoteIdentifier(name)},
    uuid() AS _source, TIMESTAMP '2026-01-01' AS _loaded_at) TO ${quoteLiteral(path)} (FORMAT parquet)`);
  const { size: bytes } = await stat(path);
  const rows = values.length;
  const table: ReadTable = {
    source_id: newId(),
    sniffed: { format: 'csv' },
    columns: [{ name, type, nullable: true }],
    segments: [{ path, rows, bytes, first_line: 2, profile: null }],
    accounting: { read: rows, accepted: rows, quarantined: 0, duplicates: 0, skipped: [] },
  };
  return { table, dir };
}

async function conformed(table: ReadTable, dir: string, declared: DeclaredColumn[]) {
  const signal = new AbortController().signal;
  const result = await conform(
    table,
    { name: 'd', declared },
    { out_dir: dir, memory_bytes: 200e6, threads: 1, signal },
  );
  const refused = [];
  for await (const row of quarantineOf(result)) refused.push(row);
  const taken = [];
  for (const { path, first_line } of result.segments) {
    const line = first_line === null ? '_line' : `${first_line} + file_row_number`;
    const names = declared.map(({ name }) => `CAST(${quoteIdentifier(name)} AS VARCHAR)`).join(', ');
    const reader = await connection.runAndReadAll(
      `SELECT ${line}, ${names} FROM read_parquet(${quoteLiteral(path)}, file_row_number = true)`,
    );
    for (const [at, value] of reader.getRowsJson()) taken.push({ line: Number(at), value: value as string | null });
  }
  return { result, refused, taken };
}

const CASES: [
  name: string,
  declared: Omit<DeclaredColumn, 'name'>,
  given: string,
  taken: (string | null)[],
  refused: string[],
][] = [
  ['integers are whole', { type: 'integer' }, '7| 8 |1.5|x|1e3||-0', ['7', '8', '1000', null, '0'], ['1.5', 'x']],
  ['decimals keep their scale', { type: 'decimal(5,2)' }, '1.25|1.255|1000|1', ['1.25', '1.00'], ['1.255', '1000']],
  ['required', { type: 'text', required: true }, 'a||b', ['a', '', 'b'], []],
  ['required integers', { type: 'integer', required: true }, '1||2', ['1', '2'], ['']],
  ['patterns match the whole text', { type: 'text', pattern: "[a-z']+" }, "it's|a b|x", ["it's", 'x'], ['a b']],
  ['enum, with quotes', { type: 'text', enum: ["d'or", 'x'] }, "d'or|y", ["d'or"], ['y']],
  [
    'bounds of dates',
    { type: 'date', min: '2020-01-01', max: '2020-12-31' },
    '2020-06-01|2019-12-31|2021-01-01',
    ['2020-06-01'],
    ['2019-12-31', '2021-01-01'],
  ],
  ['a default fills what is empty', { type: 'integer', default: 5 }, '1||2', ['1', '5', '2'], []],
];
for (const [name, rules, given, wanted, unwanted] of CASES) {
  test(name, async () => {
    const { table, dir } = await tableOf('c', 'text', given.split('|'));
    const { result, refused, taken } = await conformed(table, dir, [{ name: 'c', ...rules }]);
    assert.deepEqual(
      taken.map(({ value }) => value),
      wanted,
    );
    assert.deepEqual(
      refused.map(({ value }) => value),
      unwanted,
    );
    assert.ok(balances(result.accounting));
  });
}

test('numbers that do not fit an integer column exactly are refused, with the record as JSON', async () => {
  const { table, dir } = await tableOf('n', 'number', ['1', '2.5', '3']);
  const { refused, taken } = await conformed(table, dir, [{ name: 'N', type: 'integer' }]);
  assert.deepEqual(taken, [
    { line: 2, value: '1' },
    { line: 4, value: '3' },
  ]);
  assert.deepEqual(refused, [
    { line: 3, column: 'N', reason: 'not a valid integer', value: '2.5', raw: '{"n":2.5}', raw_format: 'json' },
  ]);
});

test('what fits already is not written again', async () => {
  const { table, dir } = await tableOf('n', 'integer', ['1', '2']);
  const { result } = await conformed(table, dir, [{ name: 'n', type: 'integer', required: true, min: 0 }]);
  assert.equal(result.segments[0], table.segments[0]);
});

test('columns nobody declared, and required ones that are missing, refuse the file by name', async () => {
  const { table, dir } = await tableOf('other', 'text', ['a']);
  await assert.rejects(
    conformed(table, dir, [{ name: 'c', type: 'text', required: true }]),
    (error) => error instanceof CaudalError && error.errors?.map(({ field }) => field).join() === 'other,c',
  );
});

test('law: every record is either taken or refused, once, and the account balances', async () => {
  const text = fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '0',
      '-1',
      '1.5',
      '1e400',
      'NaN',
      'true',
      '2020-02-30',
      '2020-02-28',
      "'",
      '"',
      '9'.repeat(30),
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => !value.includes('\0')),
  );
  const type = fc.constantFrom(
    'integer',
    'number',
    'boolean',
    'date',
    'timestamp',
    'uuid',
    'json',
    'decimal(6,2)',
    'time',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(text), { minLength: 1, maxLength: 30 }),
      type,
      fc.boolean(),
      async (values, to, required) => {
        const { table, dir } = await tableOf('v', 'text', values);
        const { result, refused, taken } = await conformed(table, dir, [{ name: 'v', type: to, required }]);
        assert.ok(balances(result.accounting));
        const lines = [...refused, ...taken].map(({ line }) => line).sort((a, b) => a - b);
        assert.deepEqual(
          lines,
          values.map((_, index) => index + 2),
        );
        assert.equal(refused.length, result.accounting.quarantined);
        await rm(dir, { recursive: true });
      },
    ),
    { numRuns: 60 },
  );
});
