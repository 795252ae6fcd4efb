import assert from 'node:assert/strict';
import test from 'node:test';
import { isDatasetName } from '#contract/datasets.ts';
import fc from '../../../test/support/laws.ts';
import { freeName, tableName } from './table-name.ts';

const NAMES: [filename: string, name: string][] = [
  ['titanic.csv', 'titanic'],
  ['Titanic.CSV', 'titanic'],
  ['municipios_es.csv.gz', 'municipios_es'],
  ['Años 2020 (final).csv', 'años_2020_final'],
  ['15codmun.xlsx', '15codmun'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\temp\\data.csv', 'data'],
  ['a"; DROP TABLE x; --.csv', 'a_drop_table_x'],
  ["it's.json", 'it_s'],
  ['.csv', 'csv'],
  ['🎉.csv', 'table'],
  ['', 'table'],
  ['...', 'table'],
  ['v1.2.csv', 'v1_2'],
  [`${'x'.repeat(10_000)}.csv`, 'x'.repeat(80)],
];

for (const [filename, name] of NAMES) {
  test(`${filename.slice(0, 40)} → ${name.slice(0, 40)}`, () => assert.equal(tableName(filename), name));
}

test('law: whatever the file is called, the name is a dataset name and its own name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (filename) => {
      const name = tableName(filename);
      assert.ok(isDatasetName(name), name);
      assert.equal(tableName(name), name);
    }),
  );
});

test('a taken name is numbered', () => {
  const taken = new Set(['a', 'a_2']);
  assert.equal(
    freeName('a', (name) => taken.has(name)),
    'a_3',
  );
  assert.equal(
    freeName('b', (name) => taken.has(name)),
    'b',
  );
});
