import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { durationMs } from '#contract/metrics/lex.ts';
import { type Labels, NAME, type Series, seriesInMemory } from '#contract/metrics/series.ts';
import { newId } from '#kernel/ids.ts';
import { needsAmtool, needsPromtool } from '../../../test/support/promtool.ts';
import { BUILTIN_POLICIES, type BuiltinKey, type BuiltinPolicy } from './builtin.ts';
import { alertmanagerConfig } from './export/alertmanager.ts';
import { type ExportedPolicy, prometheusRules } from './export/prometheus.ts';
import { previewPolicy } from './preview.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-03-01T00:00:00Z');
const STEP = 15_000;

/** A value every 15 s from minute `from` up to, not including, minute `to`. */
interface Stretch {
  from: number;
  to: number;
  value: number;
}

function series(name: string, stretches: Stretch[], labels: Labels = {}): Series {
  const times: number[] = [];
  const values: number[] = [];
  for (const { from, to, value } of stretches) {
    for (let at = START + from * MINUTE; at < START + to * MINUTE; at += STEP) {
      times.push(at);
      values.push(value);
    }
  }
  return { labels: { [NAME]: name, ...labels }, times, values };
}

/** When it fired and resolved, in minutes from the start. */
async function course(key: BuiltinKey, all: Series[], minutes: number) {
  const policy: BuiltinPolicy = BUILTIN_POLICIES[key];
  const to = START + minutes * MINUTE;
  const range = { from: new Date(START).toISOString(), to: new Date(to).toISOString(), step: '15s' };
  const input = { condition: policy.condition, for: policy.for, keep_firing_for: policy.keep_firing_for, ...range };
  const { fired } = await previewPolicy(input, seriesInMemory(all), new Date(to));
  const minute = (time: string | null) => (time === null ? null : (Date.parse(time) - START) / MINUTE);
  return fired.map(({ fired_at, resolved_at }) => [minute(fired_at), minute(resolved_at)]);
}

test('utilisation above 75 % fires after five minutes without a break, and resolves at once', async () => {
  const busy = (stretches: Stretch[]) => [
    series('caudal_worker_utilization_ratio', stretches, { instance: 'a' }),
    series('caudal_worker_utilization_ratio', [{ from: 0, to: 60, value: 0.7 }], { instance: 'b' }),
  ];
  // The average over both workers counts: 0.85 on average, then 0.75, which is not above.
  const long = busy([
    { from: 0, to: 10, value: 0.2 },
    { from: 10, to: 20, value: 1 },
    { from: 20, to: 60, value: 0.8 },
  ]);
  assert.deepEqual(await course('pool-busy', long, 60), [[15, 20]]);
  // 4 min 45 s are too short, and a dip begins the count anew.
  const dip = busy([
    { from: 0, to: 4.75, value: 1 },
    { from: 4.75, to: 5, value: 0.2 },
    { from: 5, to: 9.75, value: 1 },
    { from: 9.75, to: 60, value: 0.2 },
  ]);
  assert.deepEqual(await course('pool-busy', dip, 60), []);
});

test('utilisation above 90 % fires after half an hour', async () => {
  const full = [
    series('caudal_worker_utilization_ratio', [
      { from: 5, to: 45, value: 0.95 },
      { from: 45, to: 60, value: 0.9 },
    ]),
  ];
  assert.deepEqual(await course('pool-full', full, 60), [[35, 45]]);
  const short = [
    series('caudal_worker_utilization_ratio', [
      { from: 5, to: 34.75, value: 1 },
      { from: 34.75, to: 60, value: 0.1 },
    ]),
  ];
  assert.deepEqual(await course('pool-full', short, 60), []);
});

test('capacity above 75 % fires after five minutes, above 1 as well', async () => {
  const capacity = [
    series('caudal_worker_capacity_ratio', [
      { from: 0, to: 3, value: 0.75 },
      { from: 3, to: 12, value: 1.5 },
      { from: 12, to: 30, value: 0.1 },
    ]),
  ];
  assert.deepEqual(await course('capacity-high', capacity, 30), [[8, 12]]);
});

test('capacity that nobody reports is noticed after one hour, and is over when it is back', async () => {
  const gone = [
    series('caudal_worker_capacity_ratio', [
      { from: 0, to: 10, value: 0.1 },
      { from: 100, to: 120, value: 0.1 },
    ]),
  ];
  // The last sample is of 9 min 45 s; a window that is closed on the left holds it for exactly an hour.
  assert.deepEqual(await course('capacity-absent', gone, 120), [[70, 100]]);
  assert.deepEqual(await course('capacity-absent', [], 120), [], 'what was never there is not absent');
});

test('an absence lasts although the memory of the series has run out', async () => {
  const gone = [series('caudal_worker_capacity_ratio', [{ from: 0, to: 10, value: 0.1 }])];
  // Over so long a range every 18 s are looked at.
  assert.deepEqual(await course('capacity-absent', gone, 30 * 60), [[69.9, null]]);
});

test('more than four workers at any moment within an hour', async () => {
  const size = (peak: number) => [
    series('caudal_worker_pool_size', [
      { from: 0, to: 10, value: 4 },
      { from: 10, to: 10.25, value: peak },
      { from: 10.25, to: 90, value: 2 },
    ]),
  ];
  assert.deepEqual(await course('pool-large', size(5), 90), [[10, 70.25]]);
  assert.deepEqual(await course('pool-large', size(4), 90), [], 'four are not more than four');
});

test('throughput is compared with its own last day', async () => {
  const times: number[] = [];
  const values: number[] = [];
  for (let i = 0; i < 6 * 240; i += 1) {
    times.push(START + i * STEP);
    // Between 9 and 11 for five hours, then a burst of half an hour.
    values.push(i >= 5 * 240 && i < 5.5 * 240 ? 40 : 10 + Math.sin(i));
  }
  const found = await course(
    'throughput-odd',
    [{ labels: { [NAME]: 'caudal_http_throughput_per_second', instance: 'a' }, times, values }],
    360,
  );
  assert.deepEqual(found[0]?.[0], 310, 'ten minutes after the burst began');
});

const exported = Object.values<BuiltinPolicy>(BUILTIN_POLICIES).map(
  (policy): ExportedPolicy => ({
    ...policy,
    workspace_id: null,
    notify: policy.notify ?? {},
    labels: { team: 'ops' },
    for_ms: durationMs(policy.for ?? '0s'),
    keep_firing_for_ms: durationMs(policy.keep_firing_for ?? '0s'),
  }),
);
const odd: ExportedPolicy = {
  ...(exported[0] as ExportedPolicy),
  name: 'Odd "one"',
  summary: 'Braces {{ $labels.x }} are text',
  keep_firing_for_ms: 60_000,
  notify: { group_by: ['http.route'], inhibited_by: ['Instance down'], repeat_interval: '1d' },
};

const directory = mkdtempSync(join(tmpdir(), 'caudal-export-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('promtool accepts the exported rules', { skip: needsPromtool }, () => {
  const file = join(directory, 'rules.yml');
  writeFileSync(file, prometheusRules([...exported, odd]));
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, new RegExp(`${exported.length + 1} rules found`));
});

test('what only a workspace sees is not exported to Prometheus, and named', () => {
  const slow = exported.find(({ name }) => name === 'Uptime check failing') as ExportedPolicy;
  const theirs = { ...slow, workspace_id: newId(), name: 'Theirs', notify: { group_wait: '1m' } };
  assert.match(prometheusRules([slow, theirs]), /^# Left out.*\n# {3}"Theirs"\n(?=groups)/);
  assert.doesNotMatch(prometheusRules([slow, theirs]), /alert: Theirs/);
  assert.doesNotMatch(alertmanagerConfig([slow, theirs]), /Theirs/);
  assert.match(prometheusRules([{ ...theirs, condition: exported[0]?.condition ?? slow.condition }]), /alert: Theirs/);
});

test('amtool accepts the exported configuration', { skip: needsAmtool }, () => {
  const file = join(directory, 'alertmanager.yml');
  writeFileSync(file, alertmanagerConfig([...exported, odd]));
  const { status, stdout, stderr } = spawnSync('amtool', ['check-config', file], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
