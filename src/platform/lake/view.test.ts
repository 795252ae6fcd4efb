import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { columnsOf, segmentBench, snapshotOf } from '../../../test/support/segments.ts';
import { createEngine } from './engine.ts';
import type { SegmentRef } from './snapshot.ts';
import { relation, relationSql } from './view.ts';

const bench = await segmentBench();
const engine = createEngine({ memory_limit: '256MB', threads: 2 });
after(async () => {
  await engine.close();
  await bench.close();
});
const pathOf = (segment: SegmentRef) => join(bench.directory, segment.object_key);
const rows = async (sql: string) => (await engine.query(sql)).getRowObjectsJson();

const A = { name: 'a', field_id: 1, type: 'integer' };
const B = { name: 'b', field_id: 2, type: 'text' };

test('columns are matched by field id, widened, renamed, and NULL where a segment lacks them', async () => {
  const older = await bench.segment('SELECT 7::BIGINT AS "old name"', [{ ...A, name: 'old name' }], { first_line: 2 });
  const newer = await bench.segment("SELECT 1.5::DOUBLE AS a, 'x' AS b", [{ ...A, type: 'number' }, B], {
    first_line: 2,
  });
  const snapshot = snapshotOf(columnsOf('a:number b:text'), [older, newer]);
  assert.deepEqual(await rows(relationSql(snapshot, pathOf)), [
    { a: 7, b: null },
    { a: 1.5, b: 'x' },
  ]);
});

test('lines count from first_line, or are read where the segment has them', async () => {
  const counted = await bench.segment('SELECT range AS a FROM range(3)', [A], { first_line: 10 });
  const alike = await bench.segment('SELECT range AS a FROM range(2)', [A], { first_line: 5 });
  const third = await bench.segment('SELECT range AS a FROM range(1)', [A], { first_line: 100 });
  const physical = await bench.segment('SELECT range AS a FROM range(2)', [A]);
  const sql = relationSql(snapshotOf(columnsOf('a:integer'), [counted, alike, third, physical]), pathOf, {
    system: true,
  });
  const lines = (await rows(sql)).map((row) => Number(row['_line']));
  assert.deepEqual(lines, [10, 11, 12, 5, 6, 100, 2, 3]);
  assert.equal((await rows(sql))[0]?.['_source'], counted.source_ids[0]);
});

test('a column may be called like a virtual column of the engine', async () => {
  const select = 'SELECT 5 - range AS a, range * 100 AS file_row_number, 7 AS file_index FROM range(3)';
  const columns = [
    A,
    { name: 'file_row_number', field_id: 2, type: 'integer' },
    { name: 'file_index', field_id: 3, type: 'integer' },
  ];
  const one = await bench.segment(select, columns, { first_line: 1 });
  const two = await bench.segment(select, columns, { first_line: 50 });
  const snapshot = snapshotOf(columnsOf('a:integer file_row_number:integer file_index:integer'), [one, two]);
  const found = await rows(relationSql(snapshot, pathOf, { system: true }));
  assert.deepEqual(
    found.map((row) => [Number(row['file_row_number']), Number(row['_line'])]),
    [
      [0, 1],
      [100, 2],
      [200, 3],
      [0, 50],
      [100, 51],
      [200, 52],
    ],
  );
});

test('an empty dataset is a typed empty relation', async () => {
  const sql = relationSql(snapshotOf(columnsOf('a:integer b:decimal(5,2)'), []), pathOf, { system: true });
  const reader = await engine.query(sql);
  assert.deepEqual(reader.columnTypes().map(String), ['BIGINT', 'DECIMAL(5,2)', 'UUID', 'BIGINT', 'TIMESTAMP']);
  assert.equal(reader.currentRowCount, 0);
});

test('reading goes on after a position; segments before it are not even named', async () => {
  const one = await bench.segment('SELECT range AS a FROM range(4)', [A], { first_line: 1 });
  const two = await bench.segment('SELECT 10 + range AS a FROM range(4)', [A], { first_line: 1 });
  const snapshot = snapshotOf(columnsOf('a:integer'), [one, two]);
  const sql = relationSql(snapshot, pathOf, { after: { segment: 1, row: 1 } });
  assert.ok(!sql.includes(one.object_key));
  assert.deepEqual(
    (await rows(sql)).map((row) => Number(row['a'])),
    [12, 13],
  );
});

test('many changes of shape gather equal shapes, and say that order needs a sort', async () => {
  const one = await bench.segment('SELECT 1::BIGINT AS a', [A], { first_line: 1 });
  const two = await bench.segment("SELECT 'x' AS b", [B], { first_line: 1 });
  const segments = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? one : two));
  const { sql, ordered } = relation(snapshotOf(columnsOf('a:integer b:text'), segments), pathOf, { position: true });
  assert.equal(ordered, false);
  assert.equal(sql.split('UNION ALL').length, 2);
  const found = await rows(`SELECT * FROM (${sql}) ORDER BY __caudal_segment`);
  assert.deepEqual(
    found.map((row) => row['b']),
    Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? null : 'x')),
  );
});

test('rows that have ended are left out, and the others keep their order and places', async () => {
  const of = (from: number) => `SELECT ${from} + range AS a FROM range(200000)`;
  const one = await bench.segment(of(0), [A], { first_line: 1 });
  const two = await bench.segment(of(200_000), [A], { first_line: 1 });
  const every = (step: number) => Array.from({ length: Math.ceil(200_000 / step) }, (_, index) => index * step);
  const segments = [
    { ...one, deleted: every(1000) },
    { ...two, deleted: every(700) },
  ];
  const { sql, ordered } = relation(snapshotOf(columnsOf('a:integer'), segments), pathOf, { position: true });
  assert.ok(ordered);
  const found = (await rows(`SELECT a, __caudal_segment AS s, __caudal_row AS r FROM (${sql})`)).map(placeOf);
  assert.equal(found.length, 400_000 - 200 - 286);
  for (const [index, { a, s, r }] of found.entries()) {
    assert.equal(a, s * 200_000 + r);
    assert.ok(index === 0 || a > (found[index - 1]?.a ?? 0));
    assert.ok(r % (s === 0 ? 1000 : 700) !== 0);
  }
  const rest = relationSql(snapshotOf(columnsOf('a:integer'), segments), pathOf, { after: { segment: 1, row: 699 } });
  assert.equal(Number((await rows(`SELECT min(a) AS a FROM (${rest})`))[0]?.['a']), 200_701);
  const gone = { ...one, rows: 200, deleted: Array.from({ length: 200 }, (_, row) => row) };
  assert.equal((await rows(relationSql(snapshotOf(columnsOf('a:integer'), [gone]), pathOf))).length, 0);
});

function placeOf(row: Record<string, unknown>): { a: number; s: number; r: number } {
  return { a: Number(row['a']), s: Number(row['s']), r: Number(row['r']) };
}
