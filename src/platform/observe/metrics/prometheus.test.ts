import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { prometheusName } from '#contract/prometheus-names.ts';
import { startTelemetry } from '../sdk.ts';
import { counter, histogram, observe } from './instruments.ts';

test('names: unit and kind are suffixes, once', () => {
  const cases: [name: string, unit: string, counts: boolean, expected: string][] = [
    ['http.server.request.duration', 's', false, 'http_server_request_duration_seconds'],
    ['caudal.upload.bytes', 'By', true, 'caudal_upload_bytes_total'],
    ['caudal.load.rows', '{row}', true, 'caudal_load_rows_total'],
    ['caudal.load.throughput', '{row}/s', false, 'caudal_load_throughput_per_second'],
    ['caudal.worker.utilization', '1', false, 'caudal_worker_utilization_ratio'],
    ['caudal.things', '1', true, 'caudal_things_total'],
    ['disk.io', 'By/s', false, 'disk_io_bytes_per_second'],
    ['9 lives-left', '', false, '_9_lives_left'],
  ];
  for (const [name, unit, counts, expected] of cases) assert.equal(prometheusName(name, unit, counts), expected);
});

test('what was measured is scraped: counters, histograms with cumulative buckets, gauges', async (t) => {
  const telemetry = startTelemetry({ service: 's', instance: 'i', metrics: true, exporters: NOTHING, env: {} });
  t.after(() => telemetry.shutdown());
  counter('caudal.load.rows').add(3, { 'caudal.dataset': 'it\'s "quoted"\nand \\ more', 'caudal.outcome': 'accepted' });
  counter('caudal.load.rows').add(2, { 'caudal.dataset': 'it\'s "quoted"\nand \\ more', 'caudal.outcome': 'accepted' });
  for (const seconds of [0.004, 0.004, 0.25, 99]) histogram('caudal.query.duration').record(seconds);
  let busy = 1;
  const end = observe(['caudal.worker.slots.busy', 'caudal.worker.slots.total', 'process.cpu.time'], () => ({
    'caudal.worker.slots.busy': busy,
    'process.cpu.time': [{ value: 1.5, attributes: { 'cpu.mode': 'user' } }],
  }));
  const text = await telemetry.scrape();
  const lines = text.split('\n');
  for (const line of [
    '# TYPE caudal_load_rows_total counter',
    'caudal_load_rows_total{caudal_dataset="it\'s \\"quoted\\"\\nand \\\\ more",caudal_outcome="accepted"} 5',
    '# TYPE caudal_query_duration_seconds histogram',
    'caudal_query_duration_seconds_bucket{le="0.0025"} 0',
    'caudal_query_duration_seconds_bucket{le="0.005"} 2',
    'caudal_query_duration_seconds_bucket{le="0.3"} 3',
    'caudal_query_duration_seconds_bucket{le="+Inf"} 4',
    'caudal_query_duration_seconds_count 4',
    '# TYPE caudal_worker_slots_busy gauge',
    'caudal_worker_slots_busy 1',
    'process_cpu_time_seconds_total{cpu_mode="user"} 1.5',
  ]) {
    assert.ok(lines.includes(line), `${line}\n--\n${text}`);
  }
  assert.match(text, /^target_info\{.*service_name="s".*\} 1$/m);
  assert.doesNotMatch(text, /^caudal_worker_slots_total/m, 'what a look does not give is not reported');
  assert.match(text, /^# TYPE caudal_worker_slots_total gauge$/m, 'but named');
  busy = 2;
  assert.match(await telemetry.scrape(), /^caudal_worker_slots_busy 2$/m);
  end();
  assert.doesNotMatch(await telemetry.scrape(), /^caudal_worker_slots_busy/m);
  checkWithPromtool(t, text);
});

test('an instrument that was used before the SDK started measures afterwards', async (t) => {
  counter('caudal.uploads').add(1);
  const telemetry = startTelemetry({ service: 's', instance: 'i', metrics: true, exporters: NOTHING, env: {} });
  t.after(() => telemetry.shutdown());
  counter('caudal.uploads').add(1);
  assert.match(await telemetry.scrape(), /^caudal_uploads_total 1$/m);
});

test('a look that fails hides nothing of the others', async (t) => {
  const telemetry = startTelemetry({ service: 's', instance: 'i', metrics: true, exporters: NOTHING, env: {} });
  t.after(() => telemetry.shutdown());
  observe(['caudal.worker.slots.busy'], () => Promise.reject(new Error('the database is away')));
  observe(['caudal.worker.slots.total'], () => ({ 'caudal.worker.slots.total': 4 }));
  const text = await telemetry.scrape();
  assert.match(text, /^caudal_worker_slots_total 4$/m);
  assert.doesNotMatch(text, /^caudal_worker_slots_busy/m);
});

const NOTHING = { spans: null, logs: null };

function checkWithPromtool(t: test.TestContext, text: string): void {
  const { status, stderr, error } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (error) {
    t.diagnostic('promtool is not installed: the text was not checked with it');
    return;
  }
  // 3: style only, such as help texts that it would word otherwise.
  assert.ok(status === 0 || status === 3, stderr);
}
