import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ReportPlan } from './report-plan.ts';
import { bytesSql, cellColumns, detailSql, groupTables } from './report-sql.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => {
  connection.closeSync();
  instance.closeSync();
});

const ROWS = 8;
/** Groups of three, three and two rows in turn; their order is not that of the rows. */
const plan = (detail: ReportPlan['detail'], by: string[]): ReportPlan => ({
  ...{ dataset: 'things', locale: 'en', detail, where: '', parameters: [], order: [], limit: 100, ordered: true },
  relation: `SELECT i AS id, ['b', 'a', 'c'][1 + i % 3] AS before, 0 AS __caudal_segment, i AS __caudal_row FROM range(${ROWS}) t(i)`,
  columns: [
    { name: 'id', type: 'integer' },
    { name: 'before', type: 'text' },
  ],
  grouping: { by: by.map((name) => ({ name, type: 'text' })), measures: [], normalize: true },
  facts: {
    ...{ version: 1, committed_at: '', query: '', filters: [], made_at: '', made_by: '', program: '' },
    ...{ trace_id: null, task_id: null },
  },
  ...{ engine: { temp_directory: '' }, pipe: '' },
});

async function rowsOf(of: ReportPlan, most: number): Promise<[row: number, id: number][]> {
  for (const table of groupTables(of, ROWS)) await connection.run(table);
  const reader = await connection.runAndReadAll(detailSql(of, cellColumns(of.columns), ROWS, most));
  return reader.getRows().map(([xml]) => {
    const [, row, id] = /^<row r="(\d+)"><c r="A\1"><v>(\d+)<\/v><\/c><c r="B\1"/.exec(String(xml)) ?? [];
    return [Number(row), Number(id)];
  });
}

test('rows begin anew below the header of each sheet', async () => {
  assert.deepEqual(await rowsOf(plan('list', ['before']), 5), [
    ...[1, 4, 7, 0, 3].map((id, index): [number, number] => [index + 2, id]),
    ...[6, 2, 5].map((id, index): [number, number] => [index + 2, id]),
  ]);
  assert.deepEqual(await rowsOf(plan('sheets', ['before']), 2), [
    ...[2, 3, 2].map((row, index): [number, number] => [row, [1, 4, 7][index] ?? -1]),
    ...[2, 3, 2].map((row, index): [number, number] => [row, [0, 3, 6][index] ?? -1]),
    ...[2, 3].map((row, index): [number, number] => [row, [2, 5][index] ?? -1]),
  ]);
  assert.deepEqual(
    await rowsOf(plan('list', []), 3),
    Array.from({ length: ROWS }, (_, id) => [2 + (id % 3), id]),
  );
});

test('texts are measured as bytes', async () => {
  const [found] = (await connection.runAndReadAll(bytesSql(plan('list', [])))).getRows();
  assert.deepEqual(found, [ROWS, 1]);
});
