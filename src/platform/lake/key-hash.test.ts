import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { readValue, type StoredValue, storedText } from '#contract/stored-value.ts';
import fc from '../../../test/support/laws.ts';
import { keyHash, keyHashSql } from './key-hash.ts';

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
after(() => instance.closeSync());

const VALUES: Record<string, fc.Arbitrary<unknown>> = {
  text: fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0')),
  integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  'decimal(9,3)': fc.integer({ min: -999_999_999, max: 999_999_999 }).map((n) => n / 1000),
  boolean: fc.boolean(),
  date: fc
    .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  timestamp: fc
    .date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  time: fc.nat(86_399_999).map((ms) => new Date(ms).toISOString().slice(11, 23)),
  uuid: fc.uuid(),
};
const cell = fc
  .constantFrom(...Object.keys(VALUES))
  .chain((type) => fc.option(VALUES[type] as fc.Arbitrary<unknown>, { freq: 12 }).map((given) => ({ type, given })));

test('law: a key has one hash, made of a record or by DuckDB', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(cell, { minLength: 1, maxLength: 4 }), async (cells) => {
      const values = cells.map(({ type, given }) => {
        const value = readValue(given, type);
        assert.notEqual(value, undefined, `${given} as ${type}`);
        return value as StoredValue | null;
      });
      const types = cells.map(({ type }) => type);
      const columns = values.map((value, index) => {
        const type = types[index] ?? '';
        return { sql: value === null ? 'NULL' : quoteLiteral(storedText(value, type)), type };
      });
      const reader = await connection.runAndReadAll(`SELECT CAST(${keyHashSql(columns)} AS VARCHAR)`);
      assert.equal(reader.getRows()[0]?.[0], keyHash(values, types));
    }),
    { numRuns: 300 },
  );
});

test('parts do not run together, and an empty one makes no key', () => {
  const types = ['text', 'text'];
  assert.notEqual(keyHash(['ab', 'c'], types), keyHash(['a', 'bc'], types));
  assert.notEqual(keyHash(['1:a', ''], types), keyHash(['1', ':a'], types));
  assert.equal(keyHash(['a', null], types), null);
  assert.match(keyHash(['a', ''], types) ?? '', /^[0-9a-f]{8}-/);
});
