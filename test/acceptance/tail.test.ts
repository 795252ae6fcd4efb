import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { NGINX, startNginx } from '../support/nginx.ts';
import { killHard, startCaudal, temporaryDirectory, until } from './caudal.ts';
import { createClient } from './client.ts';

/** Logs of other programs and the machine's figures, in the same store as everything else. */
const logs = temporaryDirectory();
const nginxLogs = join(logs, 'nginx');
const appLog = join(logs, 'app.log');
const caudal = await startCaudal({
  OTEL_METRIC_EXPORT_INTERVAL: '1000',
  CAUDAL_TAIL: [
    `nginx:${join(nginxLogs, 'caudal-access.log')}`,
    `nginx:${join(nginxLogs, 'caudal-error.log')}`,
    `text:${appLog}`,
  ].join(','),
});
const client = createClient(caudal.url, caudal.admin.token);

interface Found {
  body: string;
  severity: string;
  trace_id: string | null;
  attributes: Record<string, unknown>;
}

interface Instance {
  roles: string[];
  state: string;
  load: { metrics_address: string };
}

const newTrace = () => {
  const trace = randomBytes(16).toString('hex');
  return { trace, traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01` };
};

/** The first line of a service in a trace. */
const lineOf = (service: string, trace: string) =>
  until(`a line of ${service}`, async () => {
    const { items } = await client.get(`/telemetry/logs?system=caudal&service=${service}&trace_id=${trace}`);
    return (items as Found[])[0];
  });

test("the embedded PostgreSQL's log is followed: an error with its statement, in the trace that it names", async () => {
  const { trace, traceparent } = newTrace();
  const [password, port] = ['password', 'port'].map((name) =>
    readFileSync(join(caudal.dataDir, 'postgres', name), 'utf8').trim(),
  );
  const database = new pg.Client({
    host: '127.0.0.1',
    port: Number(port),
    user: 'caudal',
    password,
    database: 'caudal',
  });
  await database.connect();
  const statement = `/*traceparent='${traceparent}'*/ SELECT 1 / 0,\n  's3cr3t-literal'`;
  await assert.rejects(database.query(statement), /division by zero/);
  await database.end();
  const line = await lineOf('postgresql', trace);
  assert.deepEqual([line.body, line.severity], ['division by zero', 'error']);
  assert.equal(line.attributes['db.query.text'], ' SELECT ? / ?,\n  ?');
});

test('nginx before the gateway: its line has the trace of the request, and no query', {
  skip: !NGINX && 'without nginx',
}, async () => {
  const nginx = await startNginx(nginxLogs, caudal.url);
  const { trace, traceparent } = newTrace();
  const answer = await fetch(`${nginx.url}/healthz?signature=s3cr3t-query`, { headers: { traceparent } });
  await answer.body?.cancel();
  assert.equal(answer.headers.get('x-trace-id'), trace);
  const line = await lineOf('nginx', trace);
  assert.equal(line.body, 'GET /healthz 200');
  assert.equal(line.attributes['http.response.status_code'], 200);
  assert.equal(line.attributes['client.address'], '127.0.0.1');

  // Without a traceparent the trace is the one that Caudal answered with; rotated in between.
  renameSync(nginx.accessLog, `${nginx.accessLog}.1`);
  const before = await fetch(`${nginx.url}/readyz`);
  await before.body?.cancel();
  nginx.reopen();
  const later = await fetch(`${nginx.url}/readyz`);
  await later.body?.cancel();
  for (const { headers } of [before, later]) {
    assert.equal((await lineOf('nginx', headers.get('x-trace-id') ?? '')).body, 'GET /readyz 200');
  }
  const link = await fetch(`${nginx.url}/auth/link/s3cr3t-link`, { redirect: 'manual' });
  await link.body?.cancel();
  assert.match((await lineOf('nginx', link.headers.get('x-trace-id') ?? '')).body, /^GET \/auth\/link\/REDACTED /);
});

test('kill -9 of who follows: over rotation no line is lost, and at most a batch comes twice', async () => {
  const written: string[] = [];
  const write = (count: number) => {
    const more = Array.from({ length: count }, (_, index) => `line ${written.length + index}`);
    written.push(...more);
    appendFileSync(appLog, `${more.join('\n')}\n`);
  };
  const counted = async () => {
    const [row] = await client.sql(
      "SELECT count(*) AS n, count(DISTINCT body) AS bodies FROM telemetry.logs WHERE service = 'app'",
    );
    return { all: Number(row?.['n'] ?? 0), bodies: Number(row?.['bodies'] ?? 0) };
  };
  write(1500);
  await until('the first lines', async () => ((await counted()).bodies > 0 ? true : undefined));
  for (let kill = 0; kill < 2; kill += 1) {
    const telemetry = await caudal.pid('telemetry');
    write(2500);
    await killHard(telemetry);
    write(10);
    renameSync(appLog, `${appLog}.${2 - kill}`);
    write(700);
    await caudal.pid('telemetry', (pid) => pid !== telemetry);
  }
  const found = await until('every line', async () => {
    const count = await counted().catch(() => undefined);
    return count && count.bodies >= written.length ? count : undefined;
  });
  assert.equal(found.bodies, written.length);
  assert.ok(found.all - found.bodies <= 2 * 1000, `${found.all - found.bodies} lines came twice`);
});

test('no secret of a log is in the store', async () => {
  const [row] = await client.sql(
    "SELECT count(*) AS n FROM telemetry.logs WHERE contains(body, 's3cr3t') OR contains(attrs, 's3cr3t')",
  );
  assert.equal(Number(row?.['n']), 0);
});

test("the machine's figures come from one process", { skip: process.platform !== 'linux' }, async () => {
  const { items } = await client.get('/instances');
  const alive = (items as Instance[]).filter(({ state }) => state === 'alive');
  for (const { roles, load } of alive) {
    const text = await (await fetch(`http://${load.metrics_address}/metrics`)).text();
    const has = (series: RegExp) => series.test(text);
    const one = roles.includes('telemetry');
    for (const series of [
      /^system_cpu_load_average_1m [\d.]+$/m,
      /^system_cpu_time_seconds_total\{cpu_mode="user"\} /m,
      /^system_uptime_seconds /m,
    ]) {
      assert.equal(has(series), one, `${roles}: ${series}`);
    }
    assert.ok(has(/^process_unix_file_descriptor_count /m), `${roles}: file descriptors`);
  }
  await until('load in the store', async () => {
    const { series } = await client.get('/telemetry/metrics?metric=system.cpu.load_average.1m&step=1s');
    return series.length > 0 || undefined;
  });
});
