import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { type Grouping, groupsSql, keyedSql } from './groups.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => {
  connection.closeSync();
  instance.closeSync();
});

await connection.run(`CREATE TABLE visits AS SELECT *, 0 AS __caudal_segment, row_number() OVER () AS __caudal_row FROM (VALUES
  ('Bogotá', 'web', 10, 1.5::DOUBLE, 1.10::DECIMAL(6,2)), ('BOGOTA', 'Web ', 20, 'nan'::DOUBLE, 2.20), ('bogotá ', 'WEB', NULL, 2.5, NULL),
  ('BOGOTA', 'tel', 5, 0.25, 0), ('Cali', 'web', 1, NULL, 3), (NULL, 'web', 9007199254740993, 1, 4), ('  ', 'tel', 2, 1, 5))
  AS t(city, channel, amount, score, price)`);

async function groups(grouping: Grouping): Promise<Record<string, unknown>[]> {
  const sql = `WITH keyed AS (${keyedSql('SELECT * FROM visits', grouping)}) ${groupsSql('keyed', grouping)} ORDER BY n DESC, first`;
  return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[];
}

const text = (name: string) => ({ name, type: 'text' });
const pick = (rows: Record<string, unknown>[], ...names: string[]) => rows.map((row) => names.map((name) => row[name]));

test('spellings are one group under the most frequent one; of equals under the first', async () => {
  const found = await groups({ by: [text('city')], measures: [], normalize: true });
  // "Bogotá" and "bogotá " are once each, "BOGOTA" twice; NULL and blanks are the group of nothing.
  assert.deepEqual(pick(found, 'k0', 'g0', 'n'), [
    ['bogota', 'BOGOTA', '4'],
    [null, null, '2'],
    ['cali', 'Cali', '1'],
  ]);
  const channels = await groups({ by: [text('channel')], measures: [], normalize: true });
  assert.deepEqual(pick(channels, 'g0', 'n'), [
    ['web', '5'],
    ['tel', '2'],
  ]);
});

test('normalize=false keeps every spelling apart', async () => {
  const found = await groups({ by: [text('city')], measures: [], normalize: false });
  assert.deepEqual(
    new Set(found.map((row) => row['g0'])),
    new Set(['Bogotá', 'BOGOTA', 'bogotá ', 'Cali', null, '  ']),
  );
});

test('two columns: each is shown the same in all its groups', async () => {
  const found = await groups({ by: [text('city'), text('channel')], measures: [], normalize: true });
  assert.deepEqual(pick(found, 'g0', 'g1', 'n'), [
    ['BOGOTA', 'web', '3'],
    ['BOGOTA', 'tel', '1'],
    ['Cali', 'web', '1'],
    [null, 'web', '1'],
    [null, 'tel', '1'],
  ]);
});

test('measures: sums are exact, what is no number does not count, what no double holds is counted', async () => {
  const measures = [
    { name: 'amount', type: 'integer' },
    { name: 'score', type: 'number' },
    { name: 'price', type: 'decimal(6,2)' },
  ];
  const [bogota, nothing] = await groups({ by: [text('city')], measures, normalize: true });
  assert.deepEqual(pick([bogota ?? {}], 's0', 'c0', 'lo0', 'hi0', 's1', 'c1', 's2'), [
    ['35', '3', '5', '20', 4.25, '3', '3.30'],
  ]);
  assert.deepEqual([nothing?.['s0'], nothing?.['x0']], ['9007199254740995', '1']);
  const all = await groups({ by: [], measures, normalize: true });
  assert.deepEqual(pick(all, 'n', 'c0', 's2'), [['7', '6', '15.30']]);
});
