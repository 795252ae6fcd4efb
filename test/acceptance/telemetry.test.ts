import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { MetricEntry } from '#contract/metric-entry.ts';
import { namesIn } from '#contract/metrics/catalogue.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { METRICS } from '#contract/metrics.ts';
import { ATTRIBUTES, SPANS } from '#contract/spans.ts';
import { seriesOfDashboards } from '../support/dashboards.ts';
import { foreignProgram } from '../support/foreign-program.ts';
import { sharedData } from '../support/shared-data.ts';
import { startCaudal, until } from './caudal.ts';
import { createClient, tokenWith } from './client.ts';

const caudal = await startCaudal({ OTEL_METRIC_EXPORT_INTERVAL: '1000' });
const client = createClient(caudal.url, caudal.admin.token);

interface Line {
  labels: Record<string, string>;
  points: { time: string; value: number | null }[];
}

/** `/metrics` of every process, by its roles. */
async function everyMetrics(): Promise<Map<string, string>> {
  const { items } = await client.get('/instances');
  const texts = new Map<string, string>();
  for (const { roles, load } of items as { roles: string[]; load: { metrics_address: string } }[]) {
    const response = await fetch(`http://${load.metrics_address}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    texts.set(roles.join('+'), await response.text());
    assert.equal((await fetch(`http://${load.metrics_address}/anything`)).status, 404);
  }
  return texts;
}

/** The value of the first series whose line fits. */
function valueOf(text: string, series: RegExp): number | undefined {
  const line = text.split('\n').find((each) => series.test(each));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

test('/metrics: every process tells what it does, on a port of its own', async () => {
  await client.load('counted.csv', 'a,b\n1,2\n3,4\n5,6,7\n');
  const texts = await everyMetrics();
  assert.deepEqual([...texts.keys()].sort(), ['api', 'telemetry', 'worker']);
  for (const text of texts.values()) {
    for (const series of [
      /^process_memory_usage_bytes /,
      /^caudal_disk_free_bytes /,
      /^system_memory_utilization_ratio /,
    ]) {
      assert.ok((valueOf(text, series) ?? 0) > 0, String(series));
    }
  }
  const textOf = (role: string) => texts.get(role) ?? '';
  const [api, worker, telemetry] = [textOf('api'), textOf('worker'), textOf('telemetry')];
  const rows = (outcome: string) =>
    valueOf(worker, new RegExp(`^caudal_load_rows_total\\{caudal_dataset="counted",caudal_outcome="${outcome}"`));
  assert.equal(rows('accepted'), 2);
  assert.equal(rows('quarantined'), 1);
  assert.equal(valueOf(worker, /^caudal_upload_queryable_seconds_count/), 1);
  assert.equal(
    valueOf(worker, /^caudal_task_duration_seconds_count\{caudal_outcome="succeeded",caudal_task_kind="load"/),
    1,
  );
  assert.equal(valueOf(worker, /^caudal_worker_slots_total\{caudal_queue="load"/), 2);
  assert.equal(valueOf(worker, /^caudal_worker_slots_busy\{caudal_queue="load"/), 0);
  assert.ok((valueOf(api, /^http_server_request_duration_seconds_count\{.*http_route="\/uploads"/) ?? 0) >= 1);
  assert.equal(valueOf(api, /^caudal_uploads_total/), 1);
  assert.equal(valueOf(api, /^caudal_worker_pool_size /), 1);
  assert.equal(valueOf(api, /^caudal_lake_rows /), 2);
  assert.ok((valueOf(telemetry, /^caudal_telemetry_items_total\{.*caudal_signal="traces"/) ?? 0) > 0);
});

test('/metrics of the gateway: for this machine and the operator, not through a proxy', async () => {
  const scrape = (headers: Record<string, string>) => fetch(new URL('/metrics', caudal.url), { headers });
  assert.equal((await scrape({})).status, 200);
  const proxied = { 'x-forwarded-for': '203.0.113.9' };
  assert.equal((await scrape(proxied)).status, 401);
  assert.equal((await scrape({ ...proxied, authorization: `Bearer ${caudal.admin.token}` })).status, 200);
});

test('/metrics has every series that exported rules and Grafana dashboards name', async () => {
  const target = `http://${new URL(caudal.url).host}/livez`;
  const body = { name: 'itself', kind: 'http', target, scope: 'installation', interval_ms: 60_000 };
  assert.equal((await client.call('POST', '/uptime-checks', { body })).status, 201);
  const { rules } = parse((await client.call('GET', '/policies/export')).text).groups[0];
  const inRules = rules.flatMap(({ expr }: { expr: string }) => namesIn(parseExpression(expr)));
  const inBoards = seriesOfDashboards();
  assert.ok(inRules.length > 15 && inBoards.length > 60, `${inRules.length} and ${inBoards.length} series`);
  const scraped = async () => (await Promise.all([...(await everyMetrics()).values()])).join('\n');
  const named = new Set([...(await scraped()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  // Prometheus makes these itself.
  const own = ['up', 'probe_success'];
  const family = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
  const unknown = [...inRules, ...inBoards].filter((name) => !named.has(name) && !named.has(family(name)));
  assert.deepEqual([...new Set(unknown)], own);
  // A certificate needs HTTPS, and a burn rate fifty requests and a whole minute: their rooms' tests show them.
  const later = [...own, 'caudal_uptime_certificate_days', 'caudal_slo_burn_rate'];
  await until('a sample of every series of the rules', async () => {
    const text = await scraped();
    const lacking = inRules.filter(
      (name: string) => !later.includes(name) && !new RegExp(`^${name}[ {]`, 'm').test(text),
    );
    return lacking.length === 0 || undefined;
  });
});

test("Caudal's own metrics reach its store, and are asked for in parameters or in words", async () => {
  const ask = async (query: string) => (await client.get(`/telemetry/metrics?${query}`)).series as Line[];
  const last = await until('requests in the store', async () => {
    const [line] = await ask('metric=http.server.request.duration_count&label=http.route%3D/instances&step=1s');
    return line?.points.at(-1) ? line : undefined;
  });
  assert.equal(last.labels['service'], 'caudal-api');
  assert.equal(last.labels['system'], 'caudal');
  const quantile = await until('two exports', async () => {
    const [line] = await ask('metric=http_server_request_duration_seconds&quantile=0.95&group_by=service&step=1s');
    return line;
  });
  assert.deepEqual(quantile?.labels, { service: 'caudal-api' });
  const words = encodeURIComponent('sum by (service) (process_memory_usage_bytes)');
  const services = (await ask(`query=${words}&step=1s`)).map(({ labels }) => labels['service']);
  assert.deepEqual(services.sort(), ['caudal-api', 'caudal-telemetry', 'caudal-worker']);
  const { items } = await client.get('/telemetry/metrics');
  const listed = items.find(({ metric }: { metric: string }) => metric === 'caudal.load.rows');
  assert.equal(listed.name, 'caudal_load_rows_total');
  const refused = await client.call('GET', '/telemetry/metrics?query=rate(a)');
  assert.deepEqual([refused.status, refused.body.code], [422, 'metric_query_invalid']);
});

test('points are rows: SQL over metrics', async () => {
  const rows = await client.sql(`
    SELECT metric, sum(value) AS total FROM telemetry.points
    WHERE metric = 'process.uptime' AND service = 'caudal-worker' GROUP BY metric`);
  assert.ok(Number(rows[0]?.['total']) > 0);
});

describe('blast radius', () => {
  let traceId = '';

  test('from a trace to its task, file, rows, dataset and the export that was made of them', async () => {
    const file = await client.load('bad.csv', 'a,b\n1,2\n3,4\n5,6,7\n');
    traceId = file.trace_id ?? '';
    assert.equal((await client.call('GET', '/datasets/bad/rows.csv')).status, 200);
    const impact = await until('the export in the blast radius', async () => {
      const found = await client.get(`/telemetry/impact?trace_id=${traceId}`);
      return found.reports.length > 0 ? found : undefined;
    });
    assert.deepEqual(impact.datasets, [{ name: 'bad', sources: 1, accepted: 2, quarantined: 1 }]);
    assert.deepEqual(impact.rows, { accepted: 2, quarantined: 1 });
    assert.deepEqual(
      impact.files.map(({ id }: { id: string }) => id),
      [file.id],
    );
    assert.deepEqual(
      impact.tasks.map(({ kind, status }: { kind: string; status: string }) => [kind, status]),
      [['load', 'succeeded']],
    );
    assert.equal(impact.reports[0].path, '/datasets/bad/rows.csv');
    assert.ok(impact.spans > 5);
  });

  test('from an instance, a release and a time', async () => {
    const { items } = await client.get('/instances');
    const worker = items.find(({ roles }: { roles: string[] }) => roles.includes('worker'));
    const names = async (query: string) =>
      (await client.get(`/telemetry/impact?${query}`)).datasets.map(({ name }: { name: string }) => name).sort();
    assert.deepEqual(await names(`instance=${worker.id}`), ['bad', 'counted']);
    assert.deepEqual(await names(`release=${worker.version}`), ['bad', 'counted']);
    assert.deepEqual(await names('release=none-such'), []);
    assert.deepEqual(await names('from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z'), ['bad', 'counted']);
    assert.deepEqual(await names('from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z'), []);
    assert.equal((await client.call('GET', '/telemetry/impact')).status, 422);
  });

  test('its tasks run again in one call, and nothing is there twice', async () => {
    const answer = await client.call('POST', '/telemetry/impact/rerun', { body: { trace_id: traceId } });
    assert.equal(answer.status, 202, answer.text);
    const [again] = answer.body.tasks;
    assert.equal((await client.task(again.task_id)).status, 'succeeded');
    assert.deepEqual(await client.sql('SELECT count(*) AS n FROM bad'), [{ n: 2 }]);
  });
});

test('the fleet: Caudal itself is a system', async () => {
  const { items, counts } = await client.get('/fleet');
  assert.ok(items.some(({ system }: { system: string }) => system === 'caudal'));
  assert.equal(counts.silent, 0);
  const healthy = await client.get('/fleet?state=silent');
  assert.deepEqual(healthy.items, []);
});

test('Prometheus finds every process, by the labels of the store', async () => {
  const targets = (await client.get('/metrics/targets')) as { targets: string[]; labels: Record<string, string> }[];
  const services = targets.map(({ labels }) => labels['service']).sort();
  assert.deepEqual(services, ['caudal-api', 'caudal-telemetry', 'caudal-worker']);
  for (const {
    targets: [address],
  } of targets) {
    assert.equal((await fetch(`http://${address}/metrics`)).status, 200);
  }
});

describe('the command line', () => {
  const lines = async (...args: string[]) => (await caudal.command(args, { expect: 0 })).stdout.trim().split('\n');

  test('caudal traces, metrics, fleet', async () => {
    const found = await lines('traces', '--service', 'caudal-worker', '--attribute', 'caudal.dataset=bad');
    assert.ok(found.length >= 2, found.join('\n'));
    const listed = await lines('metrics');
    assert.ok(
      listed.some((line) => /^caudal_load_rows_total\b/.test(line)),
      listed.join('\n'),
    );
    const memory = await lines('metrics', 'sum by (service) (process_memory_usage_bytes)', '--step', '1s');
    assert.ok(
      memory.some((line) => /service=caudal-api .*[▁-█]/.test(line)),
      memory.join('\n'),
    );
    const fleet = JSON.parse((await caudal.command(['fleet', '--json'])).stdout);
    assert.ok(fleet.items.some(({ system }: { system: string }) => system === 'caudal'));
    assert.equal((await caudal.command(['metrics', '--rate', '5m'])).code, 2);
  });
});

describe('a program that is not ours', () => {
  const system = 'foreign-shop';
  const [signals, service] = [`service=checkout`, 'checkout'];
  let trace = '';

  test('a stock OpenTelemetry SDK in another process, told by the standard variables alone', async () => {
    const token = await tokenWith(client, ['telemetry:write']);
    for (const temporality of ['cumulative', 'delta']) {
      trace = await foreignProgram({
        OTEL_EXPORTER_OTLP_ENDPOINT: caudal.url,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${token}`,
        OTEL_RESOURCE_ATTRIBUTES: `service.namespace=${system},service.instance.id=${temporality}`,
        OTEL_SERVICE_NAME: service,
        TEMPORALITY: temporality,
      });
      assert.match(trace, /^[0-9a-f]{32}$/);
    }
  });

  test('its traces, logs and metrics are found', async () => {
    const traces = await client.get(`/telemetry/traces?${signals}&status=error`);
    assert.ok(traces.items.some(({ trace_id }: { trace_id: string }) => trace_id === trace));
    const logs = await client.get(`/telemetry/logs?${signals}&query=declined&severity=error`);
    assert.equal(logs.items.length, 2, 'one of each run');
    const said = await caudal.command(['logs', service, '--query', 'declined', '--json'], { expect: 0 });
    assert.equal(said.stdout.trim().split('\n').length, 2, said.stdout);
    // The last step is the last whole second: what was measured within this one comes with the next.
    const values = await until('a whole second behind the last sample', async () => {
      const orders = await client.get(`/telemetry/metrics?metric=checkout.orders&label=system%3D${system}&step=1s`);
      return orders.series.length < 2 ? undefined : orders.series;
    });
    const last = values.map(({ labels, points }: Line) => [labels['instance'], points.at(-1)?.value]);
    assert.deepEqual(last.sort(), [
      ['cumulative', 1],
      ['delta', 1],
    ]);
    const carts = await client.get(`/telemetry/metrics?metric=checkout.carts&aggregate=max&step=1s`);
    assert.equal(carts.series[0].points.at(-1).value, 7);
    const sums = await client.get(
      `/telemetry/metrics?metric=checkout.amount_sum&group_by=service&aggregate=sum&step=1s`,
    );
    assert.equal(sums.series[0].points.at(-1).value, 99);
  });

  test('joined by the id of the trace: spans, their logs, and a measurement that names it', async () => {
    const { spans, logs } = await client.get(`/telemetry/traces/${trace}`);
    const [order, payment] = ['POST /orders', 'charge card'].map((wanted) =>
      spans.find(({ name }: { name: string }) => name === wanted),
    );
    assert.equal(spans.length, 2);
    assert.equal(payment.parent_span_id, order.span_id);
    assert.equal(payment.events[0].name, 'declined');
    assert.deepEqual(order.attributes['order.items'], [3, 5]);
    assert.deepEqual(
      logs.map(({ body, span_id }: { body: string; span_id: string }) => [body, span_id]),
      [
        ['order 17 came in', order.span_id],
        ['the card of order 17 was declined', payment.span_id],
      ],
    );
    // The JavaScript SDK sends no exemplars; others do.
    const now = `${Date.now()}000000`;
    const exemplars = [{ timeUnixNano: now, asDouble: 49.5, traceId: trace, spanId: order.span_id }];
    const point = { timeUnixNano: now, startTimeUnixNano: now, count: '1', sum: 49.5, bucketCounts: ['0', '1'] };
    const histogram = { aggregationTemporality: 2, dataPoints: [{ ...point, explicitBounds: [10], exemplars }] };
    const scopeMetrics = [{ metrics: [{ name: 'checkout.latency', unit: 's', histogram }] }];
    const sent = await client.call('POST', '/v1/metrics', { body: { resourceMetrics: [{ scopeMetrics }] } });
    assert.equal(sent.status, 200, sent.text);
    const found = await client.get(
      '/telemetry/metrics?metric=checkout.latency&quantile=0.9&increase=5m&exemplars=true',
    );
    assert.equal(found.exemplars[0].trace_id, trace);
    const joined = await client.sql(`
      SELECT s.name, l.body FROM telemetry.spans s JOIN telemetry.logs l USING (trace_id, span_id)
      WHERE s.trace_id = '${trace}' ORDER BY l.ts_ns`);
    assert.deepEqual(
      joined.map(({ name }) => name),
      ['POST /orders', 'charge card'],
    );
  });

  const examples = sharedData('observability/otlp');
  test("the protocol's own examples are accepted and found", {
    skip: !examples && 'without the shared data',
  }, async () => {
    for (const [file, signal] of [
      ['trace', 'traces'],
      ['logs', 'logs'],
      ['events', 'logs'],
      ['metrics', 'metrics'],
    ]) {
      const body = readFileSync(join(examples ?? '', `${file}.json`), 'utf8');
      const headers = { 'content-type': 'application/json' };
      const sent = await client.call('POST', `/v1/${signal}`, { body, headers });
      assert.deepEqual([sent.status, sent.body], [200, {}], `${file}: ${sent.text}`);
    }
    const when = 'from=2018-12-13T00:00:00Z&to=2018-12-14T00:00:00Z';
    const { items } = await client.get(`/telemetry/traces?service=my.service&${when}`);
    assert.equal(items[0].trace_id, '5b8efff798038103d269b633813fc60c');
    const one = await client.get('/telemetry/traces/5b8efff798038103d269b633813fc60c');
    assert.equal(one.spans[0].name, "I'm a server span");
    assert.ok(one.logs.some(({ body }: { body: string }) => body === 'Example log record'));
    const counted = await client.sql(`SELECT DISTINCT metric FROM telemetry.points WHERE service = 'my.service'`);
    assert.deepEqual(counted.map(({ metric }) => metric).sort(), [
      'my.counter',
      'my.exponential.histogram',
      'my.gauge',
      'my.histogram',
    ]);
  });
});

describe('docs/telemetry.md tells what a run leaves', () => {
  const patterns = Object.keys(SPANS).map((name) => {
    const words = name.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{[^}]*\}/g, '.+');
    return new RegExp(`^${words}$`);
  });

  test('spans and their attributes', async () => {
    const names = await client.sql(`SELECT DISTINCT name FROM telemetry.spans WHERE service LIKE 'caudal-%'`);
    assert.ok(names.length > 15, `${names.length} kinds of span`);
    assert.deepEqual(
      names.map(({ name }) => String(name)).filter((name) => !patterns.some((pattern) => pattern.test(name))),
      [],
    );
    const attributes = await client.sql(`
      SELECT DISTINCT key FROM (SELECT unnest(json_keys(attrs)) AS key FROM telemetry.spans)
      WHERE key LIKE 'caudal.%'`);
    assert.deepEqual(
      attributes.map(({ key }) => String(key)).filter((key) => !Object.hasOwn(ATTRIBUTES, key)),
      [],
    );
  });

  test('metrics and their attributes', async () => {
    const seen = await client.sql(`
      SELECT metric, list_distinct(flatten(list(json_keys(labels)))) AS keys, any_value(scope) AS scope
      FROM telemetry.series WHERE service LIKE 'caudal-%' GROUP BY metric`);
    assert.ok(seen.length > 30, `${seen.length} metrics`);
    const table = METRICS as Record<string, MetricEntry>;
    for (const { metric, keys } of seen) {
      const entry = table[String(metric)];
      assert.ok(entry, `${metric} is not in the table`);
      const known = [...entry.attributes, 'otel.metric.overflow'];
      assert.deepEqual(
        (keys as string[]).filter((key) => !known.includes(key)),
        [],
        String(metric),
      );
    }
  });
});
