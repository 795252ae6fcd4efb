import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseCells, seriesOf } from '../../../test/support/promtool.ts';
import { sharedData } from '../../../test/support/shared-data.ts';
import { type Alert, stepAlerts } from './alerting.ts';
import { evaluateAt, PROMETHEUS_3 } from './evaluate.ts';
import { type Expression, reachesOf } from './expression.ts';
import { durationMs, ExpressionError } from './lex.ts';
import { parseExpression } from './parse.ts';
import { type Labels, labelKey, matches, NAME, type Series } from './series.ts';

/** Unit tests that Prometheus 3 ships for its own promtool; `failing.yml` must fail. */
const directory = sharedData('observability/promtool');

interface Rule {
  alert?: string;
  record?: string;
  expr: string | number;
  for?: string;
  labels?: Labels;
}
interface Suite {
  evaluation_interval?: string;
  rule_files: string[];
  tests: Case[];
}
interface Case {
  interval?: string;
  start_timestamp?: string | number;
  input_series?: { series: string; values: string | number }[];
  promql_expr_test?: { expr: string; eval_time: string | number; exp_samples: Sample[] }[];
  alert_rule_test?: { alertname: string; eval_time: string | number; exp_alerts: { exp_labels?: Labels }[] }[];
}
interface Sample {
  labels?: string;
  value?: number;
  histogram?: string;
}

const yaml = (name: string): unknown => parse(readFileSync(join(directory ?? '', name), 'utf8'));
const time = (text: string | number): number => (typeof text === 'number' ? text * 1000 : durationMs(text));

function labelsOf(metric: string | undefined): Labels {
  if (metric === undefined || metric === '{}') return {};
  const name = /^[^{]+/.exec(metric)?.[0];
  const pairs = [...metric.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]): [string, string] => [
    key ?? '',
    value ?? '',
  ]);
  return { ...Object.fromEntries(pairs), ...(name ? { [NAME]: name } : {}) };
}

function understood(source: string): Expression | undefined {
  try {
    return parseExpression(source);
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

const evaluate = (expression: Expression, at: number, series: readonly Series[]) => {
  const loaded = new Map(
    reachesOf(expression).map(({ selector }) => [
      selector,
      series.filter(({ labels }) => matches(labels, selector.matchers)),
    ]),
  );
  return evaluateAt(expression, at, loaded, PROMETHEUS_3);
};

/** Runs a case's rules from its start, recording rules included; what the rules made is then series like any other. */
function history(rules: readonly Rule[], input: Series[], every: number, until: number) {
  const recorded = new Map<string, { labels: Labels; times: number[]; values: number[] }>();
  const fired = new Map<string, Labels[]>();
  const active = new Map<Rule, ReadonlyMap<string, Alert>>();
  const record = (labels: Labels, at: number, value: number) => {
    const key = labelKey(labels);
    const series = recorded.get(key) ?? { labels, times: [], values: [] };
    series.times.push(at);
    series.values.push(value);
    recorded.set(key, series);
  };
  for (let at = 0; at <= until; at += every) {
    for (const rule of rules) {
      const expression = understood(String(rule.expr));
      if (!expression) continue;
      const found = evaluate(expression, at, [...input, ...recorded.values()]);
      if (rule.record !== undefined)
        for (const { labels, value } of found) record({ ...labels, [NAME]: rule.record }, at, value);
      if (rule.alert === undefined) continue;
      const timing = { for: durationMs(rule.for ?? '0s'), keep_firing_for: 0 };
      const step = stepAlerts(active.get(rule) ?? new Map(), found, rule.labels ?? {}, timing, at);
      active.set(rule, step.alerts);
      for (const { labels, state } of step.alerts.values()) {
        record({ ...labels, [NAME]: 'ALERTS', alertname: rule.alert, alertstate: state }, at, 1);
      }
      const firing = [...step.alerts.values()].filter(({ state }) => state === 'firing');
      fired.set(
        `${rule.alert} ${at}`,
        firing.map(({ labels }) => labels),
      );
    }
  }
  return { series: [...input, ...recorded.values()], fired };
}

function check(name: string): { checks: number; beyond: number } {
  const suite = yaml(name) as Suite;
  const rules = suite.rule_files
    .flatMap((file) => (yaml(file) as { groups: { rules: Rule[] }[] }).groups)
    .flatMap((group) => group.rules);
  const counted = { checks: 0, beyond: 0 };
  for (const each of suite.tests) checkCase(each, rules, suite, counted);
  return counted;
}

function checkCase(
  each: Case,
  rules: readonly Rule[],
  suite: Suite,
  counted: { checks: number; beyond: number },
): void {
  const every = durationMs(suite.evaluation_interval ?? '1m');
  const times = [...(each.promql_expr_test ?? []), ...(each.alert_rule_test ?? [])].map(({ eval_time }) =>
    time(eval_time),
  );
  const input = (each.input_series ?? []).flatMap(({ series, values }): Series[] => {
    const cells = parseCells(String(values));
    return cells ? [seriesOf(labelsOf(series), cells, durationMs(each.interval ?? '1m'))] : [];
  });
  if (each.start_timestamp !== undefined) {
    counted.beyond += each.promql_expr_test?.length ?? 0;
    return;
  }
  const { series, fired } = history(rules, input, every, Math.max(0, ...times));
  for (const { expr, eval_time, exp_samples } of each.promql_expr_test ?? []) {
    const expression = understood(expr);
    if (!expression || exp_samples.some(({ histogram }) => histogram)) {
      counted.beyond += 1;
      continue;
    }
    const found = evaluate(expression, time(eval_time), series).map(
      ({ labels, value }) => `${labelKey(labels)} ${value}`,
    );
    const expected = exp_samples.map(({ labels, value }) => `${labelKey(labelsOf(labels))} ${value}`);
    assert.deepEqual(found.sort(), expected.sort(), `${expr} at ${eval_time}`);
    counted.checks += 1;
  }
  for (const { alertname, eval_time, exp_alerts } of each.alert_rule_test ?? []) {
    const at = time(eval_time);
    const found = (fired.get(`${alertname} ${at - (at % every)}`) ?? []).map(labelKey);
    assert.deepEqual(
      found.sort(),
      exp_alerts.map(({ exp_labels }) => labelKey(exp_labels ?? {})).sort(),
      `${alertname} at ${eval_time}`,
    );
    counted.checks += 1;
  }
}

test('the unit tests that promtool ships agree where they fall within the language', {
  skip: directory ? false : 'no test data',
}, (t) => {
  for (const [name, least] of [
    ['unittest.yml', 20],
    ['start-time-test.yml', 2],
    ['long-period.yml', 4],
  ] as const) {
    const { checks, beyond } = check(name);
    t.diagnostic(`${name}: ${checks} agree, ${beyond} are beyond the language`);
    assert.ok(checks >= least, `${name}: only ${checks} checks`);
  }
});

test('the one that must fail fails', { skip: directory ? false : 'no test data' }, () => {
  assert.throws(() => check('failing.yml'), assert.AssertionError);
  assert.throws(() => check('rules_run.yml'), assert.AssertionError);
});
