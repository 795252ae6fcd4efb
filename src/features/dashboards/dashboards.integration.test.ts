import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Dashboard, filledQuery } from '#contract/dashboards.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { newId } from '#kernel/ids.ts';
import { sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { builtinDashboards } from './builtin.ts';
import { dashboardRoutes } from './dashboards.route.ts';
import { seedDashboards } from './dashboards.ts';

test('variables: what is chosen means itself, what is not is everything', () => {
  const query = 'sum(rate(a_total{system=~"$system",service=~"$service"}[$interval]))';
  assert.equal(filledQuery(query, {}, '5m'), 'sum(rate(a_total{system=~".*",service=~".*"}[5m]))');
  const odd = filledQuery(query, { service: 'a.b"} or up{x="\\' }, '1m');
  assert.equal(odd, 'sum(rate(a_total{system=~".*",service=~"a\\\\.b\\"\\\\} or up\\\\{x=\\"\\\\\\\\"}[1m]))');
  parseExpression(odd);
  for (const { panels } of Object.values(builtinDashboards())) {
    for (const { queries } of panels) for (const each of queries) parseExpression(filledQuery(each.query, {}, '5m'));
  }
});

test('dashboards are made, changed, answered, exported and removed by their owners', {
  skip: needsDatabase,
}, async () => {
  const { db } = await testDatabase();
  const workspace = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'w')`.execute(db);
  const asked: { query: string; workspace: string; step?: string }[] = [];
  const { call, grant } = await testGateway(db, (app) =>
    dashboardRoutes({
      db,
      ask: async ({ workspace_id }, query, { step }) => {
        asked.push({ query, workspace: workspace_id, ...(step ? { step } : {}) });
        return { query, series: [] };
      },
    })(app),
  );
  const mine = grant(workspace);
  const panel = {
    title: 'Orders',
    unit: 'per_second',
    queries: [{ query: 'rate(a_total{service=~"$service"}[$interval])' }],
  };
  const body = { name: 'Shop', variables: ['service', 'system'], panels: [panel, { ...panel, title: 'Again' }] };
  const made = await call('POST', '/dashboards', body, mine);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const dashboard = made.body as Dashboard;
  assert.deepEqual(dashboard.variables, ['system', 'service'], 'each within the one before');
  assert.deepEqual([dashboard.scope, dashboard.builtin, dashboard.panels.length], ['workspace', null, 2]);
  const path = `/dashboards/${dashboard.id}`;
  assert.deepEqual((await call('GET', '/dashboards', undefined, mine)).body, { items: [dashboard], next_cursor: null });

  const answer = await call('GET', `${path}/panels/1?service=till&step=1m`, undefined, mine);
  assert.equal(answer.body.title, 'Again');
  assert.deepEqual(asked, [{ query: 'rate(a_total{service=~"till"}[1m])', workspace, step: '1m' }]);
  for (const number of ['2', 'x', '-1']) {
    assert.equal((await call('GET', `${path}/panels/${number}`, undefined, mine)).status, 404);
  }
  const grafana = (await call('GET', `${path}/grafana`, undefined, mine)).body;
  assert.equal(grafana.panels[0].targets[0].expr, 'rate(a_total{service=~"$service"}[$__rate_interval])');
  assert.deepEqual(
    grafana.templating.list.map(({ name }: { name: string }) => name),
    ['datasource', 'system', 'service'],
  );

  const wrong = { ...panel, queries: [{ query: 'up' }, { query: 'rate(up' }] };
  const refused = await call('POST', '/dashboards', { name: 'x', panels: [panel, wrong] }, mine);
  assert.deepEqual([refused.status, refused.body.errors[0].field], [422, 'panels.1.queries.1.query']);
  assert.equal((await call('POST', '/dashboards', { ...body, name: 'SHOP' }, mine)).status, 409);
  assert.equal((await call('POST', '/dashboards', { ...body, name: 'y', scope: 'installation' }, mine)).status, 403);
  const renamed = (await call('PATCH', path, { name: 'Till' }, mine)).body;
  assert.deepEqual([renamed.name, renamed.panels], ['Till', dashboard.panels]);

  const stranger = grant(newId());
  for (const [method, where] of [
    ['GET', path],
    ['GET', `${path}/grafana`],
    ['GET', `${path}/panels/0`],
    ['PATCH', path],
    ['DELETE', path],
  ] as const) {
    assert.equal((await call(method, where, method === 'PATCH' ? { name: 'z' } : undefined, stranger)).status, 404);
  }

  await seedDashboards(db);
  await seedDashboards(db);
  const { rows: seeded } = await sql<{ id: string }>`SELECT id FROM dashboards WHERE builtin IS NOT NULL`.execute(db);
  assert.equal(seeded.length, 2);
  assert.equal((await call('GET', `/dashboards/${seeded[0]?.id}`, undefined, mine)).status, 404, 'the operator’s');
  await sql`UPDATE dashboards SET workspace_id = ${workspace} WHERE builtin IS NOT NULL`.execute(db);
  assert.equal((await call('DELETE', `/dashboards/${seeded[0]?.id}`, undefined, mine)).status, 409);
  assert.equal((await call('DELETE', path, undefined, mine)).status, 204);
  assert.equal((await call('GET', path, undefined, mine)).status, 404);
});
