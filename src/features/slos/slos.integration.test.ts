import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { evaluateAt, loadSeries } from '#contract/metrics/evaluate.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { NAME, type Series, seriesInMemory } from '#contract/metrics/series.ts';
import type { Clock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { startTelemetry } from '#platform/observe/sdk.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { BURN_ALERTS, budgetLeft, burnRate, summable } from './burn.ts';
import { countMinutes, countOne } from './count.ts';
import { runningTotals } from './running.ts';
import { observeSlos } from './slo-metrics.ts';
import { sloSeries } from './slo-series.ts';
import { sloRoutes } from './slos.route.ts';
import { type SloRow, seedSlos } from './slos.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-03-01T00:00:00Z');
const log = pino({ level: 'silent' });

test('burn rates and budgets', () => {
  assert.equal(burnRate({ good: 990, total: 1000 }, 0.99, 50), 10 / 1000 / (1 - 0.99));
  assert.equal(burnRate({ good: 0, total: 49 }, 0.99, 50), null, 'too few events say nothing');
  assert.equal(burnRate({ good: 51, total: 50 }, 0.99, 50), 0);
  assert.ok(Math.abs((budgetLeft({ good: 995, total: 1000 }, 0.99) ?? 0) - 0.5) < 1e-9);
  assert.ok((budgetLeft({ good: 900, total: 1000 }, 0.99) ?? 0) < 0);
  assert.equal(budgetLeft({ good: 0, total: 0 }, 0.99), null);
  const sum = summable(
    [1, 3, 6, 10].map((good, index) => ({ end: (index + 1) * MINUTE, good, total: 10 * (index + 1) })),
  );
  assert.deepEqual(sum(MINUTE, 3 * MINUTE), { good: 5, total: 20 });
  assert.deepEqual(sum(0, 9 * MINUTE), { good: 10, total: 40 });
  const cut = summable([
    { end: Number.NEGATIVE_INFINITY, good: 3, total: 20 },
    ...[6, 10].map((good, index) => ({ end: (index + 3) * MINUTE, good, total: 10 * (index + 3) })),
  ]);
  assert.deepEqual(
    cut(0, 9 * MINUTE),
    { good: 7, total: 20 },
    'what is before the first minute that is kept is not in it',
  );
  assert.deepEqual(
    BURN_ALERTS.map(({ rate }) => rate),
    [14.4, 6, 3, 1],
  );
});

/** 60 requests a minute; from minute 60 on a fifth of them fail. */
function traffic(minutes: number): Series[] {
  const times = Array.from({ length: minutes * 4 + 1 }, (_, index) => START + index * 15_000);
  const failed = (index: number) => Math.max(0, index - 240) * 3;
  return [
    { labels: { [NAME]: 'all_total' }, times, values: times.map((_, index) => index * 15) },
    { labels: { [NAME]: 'good_total' }, times, values: times.map((_, index) => index * 15 - failed(index)) },
  ];
}

/** Any window, asked for by its ends alone, is the sum of its minutes. */
async function totalsAreSums(db: Db, id: string): Promise<void> {
  const minutes = await rows(
    db,
    sql<{ minute: Date; good: number; total: number }>`SELECT * FROM slo_minutes ORDER BY minute`,
  );
  for (const [from, to] of [
    [-5, 200],
    [0, 1],
    [7, 61],
    [29, 30],
    [30, 82],
    [81, 81],
  ] as const) {
    const ends = [from, to].map((minute) => START + minute * MINUTE) as [number, number];
    const totals = await runningTotals(
      db,
      [id],
      ends.map((at) => ({ from: at, to: at })),
    );
    const found = summable(totals.get(id) ?? [])(...ends);
    const within = minutes.filter(({ minute }) => minute.getTime() > ends[0] && minute.getTime() <= ends[1]);
    for (const part of ['good', 'total'] as const) {
      const sum = within.reduce((before, minute) => before + minute[part], 0);
      assert.ok(Math.abs(found[part] - sum) < 1e-6, `${part} of ${from} to ${to}: ${found[part]} and not ${sum}`);
    }
  }
}

test('minutes are counted once, burn rates are series, and policies over them fire', {
  skip: needsDatabase,
}, async () => {
  const { db } = await testDatabase();
  const workspace = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'w')`.execute(db);
  let now = START;
  const clock: Clock = { now: () => new Date(now), monotonic: () => now };
  const { call, grant } = await testGateway(db, (app) => sloRoutes({ db, clock, watch: async () => undefined })(app));
  const mine = grant(workspace);
  const body = {
    name: 'Orders',
    indicator: {
      ratio_metric: {
        good: { query: 'sum(increase(good_total[1m]))' },
        total: { query: 'sum(increase(all_total[1m]))' },
      },
    },
    objectives: [{ target: 0.99 }],
    time_window: [{ duration: '7d', is_rolling: true }],
  };
  const made = await call('POST', '/slos', body, mine);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.state, 'no_data');

  const deps = { db, clock, log, selectFor: () => seriesInMemory(traffic(90)) };
  // The first minute, then after a pause all that was missed, then nothing new.
  for (const minutes of [1, 80, 80]) {
    now = START + minutes * MINUTE + 30_000;
    await countMinutes(deps, START + minutes * MINUTE);
  }
  const counted = await rows(db, sql<{ good: number; total: number }>`SELECT * FROM slo_minutes ORDER BY minute`);
  assert.equal(counted.length, 80);
  assert.ok(counted.every(({ total }) => Math.abs(total - 60) < 1e-6));

  await totalsAreSums(db, made.body.id);
  const slo = (await call('GET', `/slos/${made.body.id}`, undefined, mine)).body;
  assert.equal(Math.round(slo.total), 4800);
  assert.equal(Math.round(slo.good), 4800 - 20 * 12);
  assert.ok(Math.abs(slo.budget_left - (1 - 0.05 / 0.01)) < 0.01, String(slo.budget_left));
  assert.equal(slo.state, 'missed');
  const rate = (window: string) => slo.burn.find((each: { window: string }) => each.window === window).rate;
  assert.ok(Math.abs(rate('5m') - 20) < 0.1, '20 % of 1 %');
  assert.ok(Math.abs(rate('1h') - 20 / 3) < 0.2);

  const ask = async (query: string, minute: number) => {
    const expression = parseExpression(query);
    const at = START + minute * MINUTE;
    const select = async (requests: Parameters<ReturnType<typeof seriesInMemory>>[0]) =>
      Promise.all(requests.map((request) => sloSeries(db, workspace, request)));
    return evaluateAt(expression, at, await loadSeries(expression, { from: at, to: at, lookback: 300_000 }, select));
  };
  const fast = 'caudal_slo_burn_rate{window="1h"} > 6 and on (slo) caudal_slo_burn_rate{window="5m"} > 6';
  assert.deepEqual(await ask(fast, 70), [], 'the hour is not bad enough yet');
  assert.equal((await ask(fast, 79))[0]?.labels['slo'], 'Orders');

  const history = (await call('GET', `/slos/${made.body.id}/history`, undefined, mine)).body;
  assert.equal(history.points.length, 200);
  assert.equal(
    (await call('PATCH', `/slos/${made.body.id}`, { objectives: [{ target: 0.5 }] }, mine)).body.state,
    'met',
  );
  const wrong = await call(
    'POST',
    '/slos',
    { ...body, name: 'x', indicator: { ratio_metric: { ...body.indicator.ratio_metric, good: { query: 'sum(' } } } },
    mine,
  );
  assert.deepEqual([wrong.status, wrong.body.errors[0].field], [422, 'indicator.ratio_metric.good.query']);
  assert.equal((await call('GET', `/slos/${made.body.id}`, undefined, grant(newId()))).status, 404);
  assert.match((await call('GET', '/slos/export', undefined, mine)).body, /apiVersion: openslo\/v1/);
  // What Prometheus sees: the installation's, of whoever counts.
  const telemetry = startTelemetry({
    service: 's',
    instance: 'i',
    metrics: true,
    exporters: { spans: null, logs: null },
    env: {},
  });
  let holds = false;
  const end = observeSlos(db, clock, () => holds);
  await sql`UPDATE slos SET workspace_id = NULL WHERE id = ${made.body.id}`.execute(db);
  assert.doesNotMatch(await telemetry.scrape(), /^caudal_slo_/m);
  holds = true;
  const scraped = await telemetry.scrape();
  assert.match(scraped, /^caudal_slo_burn_rate\{slo="Orders",window="5m"\} 0\.4/m, 'of what half may fail');
  assert.match(scraped, /^caudal_slo_budget_left_ratio\{slo="Orders"\} 0\.9/m);
  end();
  await telemetry.shutdown();
  await sql`UPDATE slos SET workspace_id = ${workspace} WHERE id = ${made.body.id}`.execute(db);

  // Another process counted the same minutes while this one was frozen: nothing is counted twice.
  const stale = await rows(db, sql<SloRow>`SELECT * FROM slos WHERE id = ${made.body.id}`);
  await countMinutes(deps, START + 82 * MINUTE);
  await countOne(db, stale[0] as SloRow, deps.selectFor(), START + 82 * MINUTE);
  await totalsAreSums(db, made.body.id);
  await sql`DELETE FROM slo_minutes WHERE minute < ${new Date(START + 30 * MINUTE)}`.execute(db);
  await totalsAreSums(db, made.body.id);
  await seedSlos(db);
  await countMinutes({ ...deps, selectFor: () => seriesInMemory([]) }, START + 85 * MINUTE);
  const broken = await rows(db, sql<{ name: string }>`SELECT name FROM slos WHERE error IS NOT NULL`);
  assert.deepEqual(broken, [], 'every built-in one can be evaluated');
  assert.equal((await call('DELETE', `/slos/${made.body.id}`, undefined, mine)).status, 204);
});
