import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import pino from 'pino';
import { NAME } from '#contract/metrics/series.ts';
import { type Clock, systemClock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import { addressPolicy } from '#platform/http/address-policy.ts';
import { systemResolve } from '#platform/http/guarded-connector.ts';
import { startTelemetry } from '#platform/observe/sdk.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { probe } from './probe.ts';
import { uptimeRunner } from './run.ts';
import { uptimeRoutes } from './uptime.route.ts';
import { observeUptime } from './uptime-metrics.ts';
import { uptimeSeries } from './uptime-series.ts';

const server = createServer((request, response) => {
  if (request.url === '/slow') return;
  response.statusCode = request.url === '/broken' ? 503 : 200;
  response.end('all is well');
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
after(() => {
  server.closeAllConnections();
  server.close();
});
const base = `http://127.0.0.1:${port}`;
const deps = { policy: addressPolicy(['127.0.0.0/8']), resolve: systemResolve, ...systemClock };

test('what an outsider sees', async () => {
  const http = (path: string, expect = {}, timeout_ms = 2_000) =>
    probe({ kind: 'http', target: `${base}${path}`, timeout_ms, expect }, deps);
  const good = await http('/', { body: 'is well' });
  assert.deepEqual([good.up, good.status, good.error, good.certificate_days], [true, 200, null, null]);
  assert.match((await http('/broken')).error ?? '', /503/);
  assert.equal((await http('/broken', { status: [503] })).up, true);
  assert.match((await http('/', { body: 'is lost' })).error ?? '', /lacks/);
  assert.match((await http('/slow', {}, 200)).error ?? '', /No answer within 0.2 s/);
  const tcp = (target: string, policy = deps.policy) =>
    probe({ kind: 'tcp', target, timeout_ms: 1_000, expect: {} }, { ...deps, policy });
  assert.equal((await tcp(`127.0.0.1:${port}`)).up, true);
  assert.match((await tcp('127.0.0.1:1')).error ?? '', /refused/);
  assert.match((await tcp(`127.0.0.1:${port}`, addressPolicy([]))).error ?? '', /not on the public internet/);
  assert.match(
    (
      await probe(
        { kind: 'http', target: 'http://2130706433/', timeout_ms: 1_000, expect: {} },
        { ...deps, policy: addressPolicy([]) },
      )
    ).error ?? '',
    /not on the public internet/,
  );
});

/** The installation's own, with the days of a certificate; a workspace's are not for Prometheus. */
async function onMetrics(db: Db, clock: Clock): Promise<void> {
  const telemetry = startTelemetry({
    service: 's',
    instance: 'i',
    metrics: true,
    exporters: { spans: null, logs: null },
    env: {},
  });
  const end = observeUptime(db, clock, () => true);
  assert.doesNotMatch(await telemetry.scrape(), /^caudal_uptime_up/m);
  const id = newId();
  await sql`INSERT INTO uptime_checks (id, name, kind, target, interval_ms, timeout_ms)
    VALUES (${id}, 'Ours', 'http', 'https://example.org/', 60000, 10000)`.execute(db);
  await sql`INSERT INTO uptime_results (check_id, at, up, latency_ms, certificate_days)
    VALUES (${id}, ${clock.now()}, false, 250, 13)`.execute(db);
  const text = await telemetry.scrape();
  for (const line of ['up', 'latency_seconds', 'certificate_days']) {
    const value = { up: '0', latency_seconds: '0.25', certificate_days: '13' }[line];
    assert.ok(text.includes(`\ncaudal_uptime_${line}{check="Ours",target="https://example.org/"} ${value}\n`), text);
  }
  end();
  await telemetry.shutdown();
  await sql`DELETE FROM uptime_checks WHERE id = ${id}`.execute(db);
}

test('checks run when they are due, are kept, and are series', { skip: needsDatabase }, async () => {
  const { db } = await testDatabase();
  const workspace = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'w')`.execute(db);
  const watched: (string | null)[] = [];
  const { call, grant } = await testGateway(db, (app) =>
    uptimeRoutes({ db, watch: async (_, owner) => void watched.push(owner) })(app),
  );
  const mine = grant(workspace);
  const check = { name: 'Shop', kind: 'http', target: `${base}/`, interval_ms: 60_000 };
  const made = await call('POST', '/uptime-checks', check, mine);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual([made.body.state, watched], ['unknown', [workspace]]);
  await call('POST', '/uptime-checks', { ...check, name: 'Sick', target: `${base}/broken` }, mine);
  for (const [field, wrong] of [
    ['target', { ...check, name: 'x', target: 'ftp://x' }],
    ['target', { ...check, name: 'x', kind: 'tcp', target: 'nowhere' }],
    ['timeout_ms', { ...check, name: 'x', interval_ms: 10_000, timeout_ms: 10_000 }],
    ['name', check],
  ] as const) {
    assert.equal((await call('POST', '/uptime-checks', wrong, mine)).body.errors[0].field, field);
  }

  let now = Date.parse('2026-03-01T00:00:00Z');
  const clock = { now: () => new Date(now), monotonic: () => performance.now() };
  const runner = uptimeRunner({ db, clock, log: pino({ level: 'silent' }), allowPrivate: ['127.0.0.0/8'] });
  for (const seconds of [0, 1, 59, 60]) {
    now = Date.parse('2026-03-01T00:00:00Z') + seconds * 1000;
    await runner.run();
    await runner.idle();
  }
  const results = (await call('GET', `/uptime-checks/${made.body.id}/results`, undefined, mine)).body.items;
  assert.deepEqual(
    results.map(({ at }: { at: string }) => at.slice(14, 19)),
    ['01:00', '00:00'],
  );
  assert.equal((await call('GET', `/uptime-checks/${made.body.id}`, undefined, mine)).body.state, 'up');
  assert.equal((await call('GET', `/uptime-checks/${made.body.id}`, undefined, grant(newId()))).status, 404);
  const request = {
    matchers: [{ label: NAME, op: '=', value: 'caudal_uptime_up' }],
    from: now - 120_000,
    to: now,
  } as const;
  const series = await uptimeSeries(db, workspace, request);
  assert.deepEqual(series.map(({ labels, values }) => [labels['check'], Array.from(values)]).sort(), [
    ['Shop', [1, 1]],
    ['Sick', [0, 0]],
  ]);
  assert.deepEqual(await uptimeSeries(db, newId(), request), []);
  await onMetrics(db, clock);

  const strict = uptimeRunner({ db, clock, log: pino({ level: 'silent' }), allowPrivate: [] });
  now += 60_000;
  await strict.run();
  await strict.idle();
  const { last } = (await call('GET', `/uptime-checks/${made.body.id}`, undefined, mine)).body;
  assert.match(last.error, /not on the public internet/, 'a workspace cannot look behind our walls');
  assert.equal((await call('DELETE', `/uptime-checks/${made.body.id}`, undefined, mine)).status, 204);
});
