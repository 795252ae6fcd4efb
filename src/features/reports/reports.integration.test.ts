import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Column } from '#contract/columns.ts';
import type { Principal } from '#contract/principal.ts';
import { systemClock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { insertWorkspace, listeningApp, temporaryDirectory } from '../../../test/support/object-store.ts';
import { columnsOf, segmentBench, snapshotOf } from '../../../test/support/segments.ts';
import {
  type ReadSheet,
  readWorkbook,
  recomputed,
  withoutOffice,
  withoutOpenpyxl,
} from '../../../test/support/spreadsheet.ts';
import { reportRoutes } from './reports.route.ts';
import { makeInChild } from './spawn.ts';

const COLUMNS = columnsOf(
  'id:integer city:text amount:decimal(10,2) score:number day:date at:timestamp ok:boolean note:text huge:integer',
);
/** Cities in four spellings, formulas as notes, a date that Excel does not know, a number that no double holds. */
const SELECT = `
  SELECT i AS id, ['Bogotá', 'BOGOTA', 'Cali ', 'cali', NULL, 'Bogotá'][1 + i % 6] AS city,
    (i * 1.25)::DECIMAL(10,2) AS amount, CASE WHEN i = 3 THEN 'nan'::DOUBLE ELSE i / 4 END AS score,
    CASE WHEN i = 1 THEN DATE '1850-01-02' ELSE DATE '2026-01-01' + i::INT END AS day,
    TIMESTAMP '2026-01-01 10:00:00.5' + to_hours(i) AS at, i % 2 = 0 AS ok,
    ['=1+1', '+CMD|''/C calc''!A0', '-2', '@SUM(A1)', 'a' || chr(1) || '<b>&', chr(9) || 'x'][1 + i % 6] AS note,
    CASE WHEN i = 4 THEN 9007199254740993 ELSE i END AS huge
  FROM range(12) t(i)`;

test('reports', { skip: needsDatabase || withoutOpenpyxl }, async (t) => {
  const { db } = await testDatabase();
  const bench = await segmentBench();
  after(() => bench.close());
  const workspace = await insertWorkspace(db);
  const { id } = await transaction(db, (tx) => createDataset(tx, { workspace_id: workspace, name: "visits: 'all'" }));
  const segment = await bench.segment(SELECT, COLUMNS as Column[], { first_line: 2 });
  let snapshot: DatasetSnapshot = snapshotOf(COLUMNS, [segment], {
    id,
    workspace_id: workspace,
    name: "visits: 'all'",
  });
  const principal = (): Principal => ({
    ...{ kind: 'user', user_id: newId(), username: 'ana', workspace_id: workspace, role: 'owner' },
    ...{ scopes: ['datasets:read'], operator: false, credential_id: newId() },
  });
  const { origin } = await listeningApp(
    db,
    reportRoutes({
      ...{ db, objects: bench.objects, clock: systemClock, make: makeInChild, most_rows: 1000, program: 'Caudal test' },
      snapshot: async () => snapshot,
      tempDir: await temporaryDirectory(),
      enqueue: () => assert.fail('no task was asked for'),
      describeTask: () => assert.fail('no task was asked for'),
    }),
    principal,
  );
  const ask = (query: string) => fetch(`${origin}/datasets/visits/report.xlsx${query}`);
  const report = async (query: string): Promise<ReadSheet[]> => {
    const response = await ask(query);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(response.status, 200, bytes.toString().slice(0, 500));
    return readWorkbook(bytes);
  };
  const sheet = (sheets: ReadSheet[], name: string) =>
    sheets.find((each) => each.name === name) ?? assert.fail(`no sheet ${name} in ${sheets.map((each) => each.name)}`);

  await t.test('summary, detail, provenance', async () => {
    const sheets = await report('?group_by=city&order=-id');
    assert.deepEqual(
      sheets.map(({ name }) => name),
      ['Summary', 'Detail', 'Provenance'],
    );
    const summary = sheet(sheets, 'Summary');
    // Bogotá twice as often as BOGOTA; "Cali" and "cali" are as frequent, and Cali came first.
    assert.deepEqual(summary.rows, [
      ['city', 'Count', 'Total amount', 'Total score', 'Total huge'],
      ['Bogotá', 6, 37.5, 7.5, 30],
      ['Cali', 4, 27.5, 4.75, 22],
      ['(empty)', 2, 17.5, 3.5, '9007199254741003'],
      ['Total', 12, 82.5, 15.75, '9007199254741055'],
    ]);
    assert.equal(summary.formulas['B2'], "=ROWS('Detail'!A2:A7)");
    assert.equal(summary.formulas['C3'], "=SUM('Detail'!C8:C11)");
    assert.equal(summary.formulas['C5'], "=SUM('Summary'!C2:C4)");
    assert.equal(summary.formulas['E4'], undefined, 'what Excel cannot add exactly is no formula');
    assert.equal(summary.links['A3'], "'Detail'!A8");
    assert.deepEqual([summary.frozen, summary.filter], ['A2', 'A1:E4']);
    const detail = sheet(sheets, 'Detail');
    assert.deepEqual([detail.frozen, detail.filter], ['A2', 'A1:I13']);
    assert.deepEqual(detail.formulas, {}, 'text is never a formula');
    assert.deepEqual(
      detail.rows.map(([rowId]) => rowId),
      ['id', 11, 7, 6, 5, 1, 0, 9, 8, 3, 2, 10, 4],
    );
    assert.deepEqual(detail.rows[6], [
      0,
      'Bogotá',
      0,
      0,
      '2026-01-01T00:00:00',
      '2026-01-01T10:00:00.500000',
      true,
      '=1+1',
      0,
    ]);
    const [, one] = detail.rows.filter(([rowId]) => rowId === 1 || rowId === 3);
    assert.deepEqual([one?.[3], detail.rows.find(([rowId]) => rowId === 1)?.[4]], [null, '1850-01-02']);
    assert.equal(detail.rows.find(([rowId]) => rowId === 4)?.[8], '9007199254740993');
    const facts = Object.fromEntries(sheet(sheets, 'Provenance').rows as [string, unknown][]);
    assert.equal(facts['Dataset'], "visits: 'all'");
    assert.deepEqual([facts['Rows in this report'], facts['Groups'], facts['Truncated']], [12, 3, 'no']);
    assert.deepEqual([facts['Made by'], facts['Grouped by'], facts['Program']], ['ana', 'city', 'Caudal test']);
    assert.ok('Trace id' in facts);
    assert.match(String(facts['Query']), /group_by=city&order=-id$/);
    assert.match(String(facts['Note']), /huge/);
  });

  await t.test('every text arrives as it is kept', async () => {
    const notes = sheet(await report('?select=id,note&order=id'), 'Detail')
      .rows.slice(1, 7)
      .map(([, note]) => note);
    // Excel reads _x0001_ as the character that XML cannot hold; openpyxl leaves it as it is.
    assert.deepEqual(notes, ['=1+1', "+CMD|'/C calc'!A0", '-2', '@SUM(A1)', 'a_x0001_<b>&', '\tx']);
  });

  await t.test('filters, two columns, a sheet for each group, none, Spanish', async () => {
    const sheets = await report('?group_by=city,ok&where[id][gte]=6&totals=amount&detail=sheets&locale=es');
    const summary = sheet(sheets, 'Resumen');
    assert.deepEqual(summary.rows.slice(0, 3), [
      ['city', 'ok', 'Cantidad', 'Total amount'],
      ['Bogotá', false, 2, 22.5],
      ['Bogotá', true, 1, 7.5],
    ]);
    assert.equal(sheets[1]?.name, 'Bogotá · false');
    assert.equal(sheets.at(-1)?.name, 'Procedencia');
    assert.match(JSON.stringify(sheets.at(-1)?.rows), /id gte 6/);
    const none = await report('?detail=none&group_by=city&normalize=false');
    assert.deepEqual(
      none.map(({ name }) => name),
      ['Summary', 'Provenance'],
    );
    assert.deepEqual(
      none[0]?.rows.map(([city]) => city),
      ['city', 'BOGOTA', 'Bogotá', 'Cali ', 'cali', '(empty)', 'Total'],
    );
  });

  await t.test('a limit cuts and says so; nothing is a report too', async () => {
    const cut = await report('?limit=5');
    assert.equal(sheet(cut, 'Detail').rows.length, 6);
    assert.deepEqual(sheet(cut, 'Summary').rows[1]?.[0], 5);
    assert.match(JSON.stringify(sheet(cut, 'Provenance').rows), /the first 5 of 12 rows/);
    const nothing = await report('?group_by=city&where[id]=99');
    assert.deepEqual(sheet(nothing, 'Summary').rows.at(-1), ['Total', 0, 0, 0, 0]);
    snapshot = { ...snapshot, segments: [], columns: [] };
    assert.equal((await report('')).length, 3);
    snapshot = { ...snapshot, segments: [segment], columns: COLUMNS };
  });

  await t.test('LibreOffice computes what was kept', { skip: withoutOffice }, async () => {
    const bytes = Buffer.from(await (await ask('?group_by=city')).arrayBuffer());
    const [kept] = readWorkbook(bytes);
    const [office] = recomputed(bytes);
    assert.deepEqual(office?.rows, kept?.rows);
    assert.ok(Object.keys(office?.formulas ?? {}).length > 10, 'they are formulas there');
  });

  await t.test('what is wrong is named, before any byte of a workbook', async () => {
    const refused: [query: string, code: string, field: string][] = [
      ['?group_by=town', 'column_not_found', 'group_by'],
      ['?totals=city', 'invalid_input', 'totals'],
      ['?groupby=city', 'invalid_input', 'groupby'],
      ['?where[id]=x', 'invalid_input', 'where[id]'],
      ['?where[day]=2026-02-30', 'invalid_input', 'where'],
      ['?detail=all', 'invalid_input', 'detail'],
      ['?limit=0', 'invalid_input', 'limit'],
      ['?locale=xx', 'invalid_input', 'locale'],
    ];
    for (const [query, code, field] of refused) {
      const response = await ask(query);
      const problem = (await response.json()) as { code: string; errors?: { field: string }[] };
      assert.deepEqual([response.status, problem.code, problem.errors?.[0]?.field], [422, code, field], query);
    }
    assert.equal((await ask('?async=true')).status, 403, 'who cannot fetch the file is told at once');
  });

  await t.test('each was written down, and files are released', async () => {
    const row = await first(
      db,
      sql<{ n: number; reports: number; whole: number }>`
        SELECT count(*)::int AS n, max(d.reports)::int AS reports, count(finished_at)::int AS whole
        FROM reports r JOIN datasets d ON d.id = r.dataset_id WHERE r.rows IS NULL OR r.rows >= 0`,
    );
    assert.equal(row?.n, row?.reports);
    assert.ok((row?.n ?? 0) >= 7);
    assert.equal(bench.open(), 0);
  });
});
