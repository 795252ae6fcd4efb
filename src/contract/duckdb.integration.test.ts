import assert from 'node:assert/strict';
import test from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { tryCast } from './duckdb.ts';

test('a text is a decimal only where its digits fit, however its zeros and powers are written', async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const nines = '9'.repeat(38);
  const cases: [text: string | null, type: string, value: string | null][] = [
    ['0.3e21', 'decimal(20,0)', null],
    ['0.3e20', 'decimal(20,0)', '30000000000000000000'],
    ['-0.03e22', 'decimal(20,0)', null],
    ['0.1e39', 'decimal(38,0)', null],
    [nines, 'decimal(38,0)', nines],
    [`-0.${nines}`, 'decimal(38,38)', `-.${nines}`],
    ['999.99', 'decimal(5,2)', '999.99'],
    ['1000', 'decimal(5,2)', null],
    ['x', 'decimal(5,2)', null],
    [null, 'decimal(5,2)', null],
    ['0.3e18', 'integer', '300000000000000000'],
  ];
  try {
    for (const [text, type, value] of cases) {
      const sql = `SELECT CAST(${tryCast('$1::VARCHAR', type)} AS VARCHAR)`;
      const rows = (await connection.runAndReadAll(sql, [text])).getRows();
      assert.deepEqual(rows, [[value]], `${text} as ${type}`);
    }
  } finally {
    instance.closeSync();
  }
});
