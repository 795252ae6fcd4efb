import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Column } from '#contract/columns.ts';
import type { Principal } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import { createAnswerCache } from '#platform/http/answer-cache.ts';
import { createEngine } from '#platform/lake/engine.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { listeningApp, temporaryDirectory } from '../../../test/support/object-store.ts';
import { columnsOf, segmentBench, snapshotOf } from '../../../test/support/segments.ts';
import { nice } from './chart-data.ts';
import { chartRoutes } from './charts.route.ts';
import { pngDrawer } from './draw.ts';

const COLUMNS = columnsOf('city:text amount:integer score:number day:date paid:boolean');
const SELECT = `
  SELECT ['Bogotá', 'BOGOTA', 'Cali', 'cali ', '<script>alert(1)</script>', NULL, 'Bogotá'][1 + i % 7] AS city, i AS amount,
    CASE WHEN i = 0 THEN 'inf'::DOUBLE ELSE i / 2 END AS score, DATE '2026-01-01' + (i % 3)::INT AS day, i % 2 = 0 AS paid
  FROM range(14) t(i)`;

test('charts', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const bench = await segmentBench();
  after(() => bench.close());
  const engine = createEngine({ memory_limit: '256MB', threads: 2 });
  after(() => engine.close());
  const workspace_id = newId();
  const segment = await bench.segment(SELECT, COLUMNS as Column[], { first_line: 2 });
  let snapshot: DatasetSnapshot = snapshotOf(COLUMNS, [segment], { workspace_id, name: 'visits' });
  const principal = (): Principal => ({
    ...{ kind: 'user', user_id: newId(), username: 'ana', workspace_id, role: 'owner' },
    ...{ scopes: ['datasets:read:visits'], operator: false, credential_id: newId() },
  });
  const routes = chartRoutes({
    ...{ engine, objects: bench.objects, cache: createAnswerCache(10_000_000) },
    snapshot: async () => snapshot,
    drawPng: pngDrawer(await temporaryDirectory()),
  });
  const { origin } = await listeningApp(db, routes, principal);
  const ask = (format: string, query: string, headers = {}) =>
    fetch(`${origin}/datasets/visits/chart.${format}${query}`, { headers });
  const json = async (query: string) => (await (await ask('json', query)).json()) as Record<string, unknown>;
  const points = async (query: string) =>
    ((await json(query))['points'] as { x: unknown; y: unknown }[]).map(({ x, y }) => [x, y]);

  await t.test('groups, aggregates, the rest', async () => {
    assert.deepEqual(await points('?x=city'), [
      ['Bogotá', 6],
      ['Cali', 4],
      ['<script>alert(1)</script>', 2],
      [null, 2],
    ]);
    const top = await json('?x=city&y=sum(amount)&top=1');
    assert.deepEqual(
      (top['points'] as { x: unknown; y: unknown }[]).map(({ x, y }) => [x, y]),
      [['Bogotá', 0 + 1 + 6 + 7 + 8 + 13]],
    );
    assert.deepEqual(top['rest'], { groups: 3, y: 91 - 35, rows: 8 });
    assert.deepEqual((await points('?x=city&y=avg(score)&where[city]=Cali'))[0], ['Cali', (1 + 4.5) / 2]);
    assert.deepEqual(await points('?x=day&y=max(amount)'), [
      ['2026-01-01', 12],
      ['2026-01-02', 13],
      ['2026-01-03', 11],
    ]);
    assert.deepEqual(
      new Set(await points('?x=paid')),
      new Set([
        [true, 7],
        [false, 7],
      ]),
    );
    assert.equal((await points('?x=city&normalize=false')).length, 6);
    assert.match(
      String((await json('?x=city&locale=es'))['description']),
      /^Gráfico de barras\. Cantidad por city: Bogotá 6, /,
    );
  });

  await t.test('a histogram holds every row once', async () => {
    const bars = await points('?x=amount&kind=histogram&bins=4');
    assert.equal(
      bars.reduce((sum, [, y]) => sum + Number(y), 0),
      14,
    );
    assert.deepEqual(
      bars.map(([x]) => x),
      [0, 5, 10],
    );
    assert.deepEqual(nice(0, 1, 10), { low: 0, step: 0.1, count: 11 });
    assert.deepEqual(nice(-3, -3, 5), { low: -3, step: 1, count: 1 });
  });

  await t.test('pictures say what they show, and nothing in them runs', async () => {
    const response = await ask('svg', '?x=city&theme=dark');
    const svg = await response.text();
    assert.equal(response.headers.get('content-type'), 'image/svg+xml; charset=utf-8');
    assert.match(response.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
    assert.match(
      svg,
      /^<svg role="img" aria-labelledby="chart-title chart-description" [^>]*><title id="chart-title">Count by city<\/title><desc/,
    );
    assert.doesNotMatch(svg, /<script|\son\w+=|href/i);
    assert.match(svg, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    for (const query of ['?x=city&kind=pie', '?x=day', '?x=amount&kind=histogram', '?x=city&where[amount]=99']) {
      const png = Buffer.from(await (await ask('png', query)).arrayBuffer());
      assert.equal(png.subarray(1, 4).toString(), 'PNG', query);
      assert.equal(png.readUInt32BE(16), 1600, query);
    }
  });

  await t.test('kept until the data changes or a report is made', async () => {
    const first = await ask('svg', '?x=day&y=sum(amount)');
    assert.deepEqual([first.headers.get('x-cache'), first.headers.get('age')], ['MISS', '0']);
    const again = await ask('svg', '?x=day&y=sum(amount)');
    assert.equal(again.headers.get('x-cache'), 'HIT');
    const picture = await first.text();
    assert.equal(await again.text(), picture);
    const etag = first.headers.get('etag') ?? '';
    assert.equal((await ask('svg', '?x=day&y=sum(amount)', { 'if-none-match': etag })).status, 304);
    snapshot = { ...snapshot, reports: 1 };
    const after_ = await ask('svg', '?x=day&y=sum(amount)');
    assert.equal(after_.headers.get('x-cache'), 'MISS', 'a report asks for a new one');
    assert.equal(await after_.text(), picture, 'the same data is the same picture');
    snapshot = { ...snapshot, version: 2, segments: [segment, segment] };
    assert.deepEqual((await points('?x=city'))[0], ['Bogotá', 12]);
  });

  await t.test('what is wrong is named', async () => {
    const refused: [query: string, code: string, field: string | undefined][] = [
      ['', 'invalid_input', 'x'],
      ['?x=town', 'column_not_found', 'x'],
      ['?x=city&y=sum(city)', 'invalid_input', 'y'],
      ['?x=city&y=median(amount)', 'invalid_input', 'y'],
      ['?x=city&y=sum(nope)', 'column_not_found', 'y'],
      ['?x=city&kind=histogram', 'invalid_input', 'kind'],
      ['?x=city&kind=radar', 'invalid_input', 'kind'],
      ['?x=city&top=0', 'invalid_input', 'top'],
      ['?x=city&locale=no%20such', 'invalid_input', 'locale'],
      ['?x=city&colour=red', 'invalid_input', 'colour'],
      ['?x=city&where[day]=2026-02-30', 'invalid_input', 'where'],
    ];
    for (const [query, code, field] of refused) {
      const response = await ask('svg', query);
      const problem = (await response.json()) as { code: string; errors?: { field: string }[] };
      assert.deepEqual([response.status, problem.code, problem.errors?.[0]?.field], [422, code, field], query);
    }
    assert.equal(bench.open(), 0, 'files are released');
  });
});
