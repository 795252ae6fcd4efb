import assert from 'node:assert/strict';
import test from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { KINDS, kindsOfType } from './kinds.ts';

const VALUES = [
  ...[
    '0',
    '1',
    '-5',
    '+5',
    '007',
    '00',
    '-0',
    '1.5',
    '1.',
    '.5',
    '1e3',
    '1E-3',
    '0x10',
    '1_000',
    '9223372036854775807',
  ],
  ...['9223372036854775808', '123456789012345678901', '1,5', '1,234', '1.234', '1.234,5', '1,234.5', '1 234', "1'234"],
  ...['12,34', 'nan', 'inf', '+573001234567', '2020-01-02', '2020-1-2', '2020-02-30', '2020/01/02', '01/02/2020'],
  ...[
    '31/12/2020',
    '12/31/2020',
    '30.04.2020',
    '2020-01-02 10:00',
    '2020-01-02T10:00:00Z',
    '2020-01-02T10:00:00+02:00',
  ],
  ...[
    '2020-01-02 10:00:00.123456',
    '31/12/2020 23:59',
    '10:00',
    '1:02:03',
    '24:00',
    '10:00:00.5',
    'true',
    'FALSE',
    'yes',
    't',
  ],
  ...[
    '24 October 2011',
    '5-Jan-2020',
    '5 Jan 2020',
    '0192f0c0-0000-7000-8000-000000000000',
    '{"a":1}',
    'abc',
    'infinity',
  ],
];

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
test.after(() => {
  connection.closeSync();
  instance.closeSync();
});

const ALL = [...KINDS, ...['integer', 'number', 'timestamp', 'boolean', 'decimal(6,2)'].flatMap(kindsOfType)];

test('a kind recognises the same texts in TypeScript and in SQL', async () => {
  const list = VALUES.map((value) => `(${quoteLiteral(value)})`).join(', ');
  const tests = ALL.map((kind) => `coalesce(${kind.test('v')}, false)`).join(', ');
  const reader = await connection.runAndReadAll(`SELECT v, ${tests} FROM (VALUES ${list}) AS t(v)`);
  for (const [value, ...answers] of reader.getRows()) {
    for (const [index, kind] of ALL.entries()) {
      assert.equal(answers[index], kind.matches(String(value)), `${kind.id} on ${value}`);
    }
  }
});

test('what a kind recognises it reads, and integers are never rounded or shortened', async () => {
  for (const kind of ALL) {
    for (const value of VALUES) {
      const read = connection.runAndReadAll(
        `SELECT CAST(${kind.read('v')} AS VARCHAR) FROM (SELECT ${quoteLiteral(value)} AS v)`,
      );
      if (kind.matches(value)) {
        const reader = await read.catch((error: Error) => assert.fail(`${kind.id} reads ${value}: ${error.message}`));
        assert.notEqual(reader.getRows()[0]?.[0], null, `${kind.id} reads ${value}`);
      } else if (kind.id === 'integer' && /[.]|^0\d|^\+/.test(value))
        await assert.rejects(read, `${kind.id} refuses ${value}`);
      else await read.catch(() => undefined);
    }
  }
});

test('an offset is applied, not dropped', async () => {
  const kind = KINDS.find((each) => each.id === 'timestamp-zone');
  const reader = await connection.runAndReadAll(`SELECT CAST(${kind?.read("'2020-01-02T10:00:00+02:00'")} AS VARCHAR)`);
  assert.equal(reader.getRows()[0]?.[0], '2020-01-02 08:00:00');
});
