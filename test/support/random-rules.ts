import { type Alert, type AlertTiming, stepAlerts } from '#contract/metrics/alerting.ts';
import { EvaluationError, type Point } from '#contract/metrics/binary.ts';
import { evaluateAt, type Loaded } from '#contract/metrics/evaluate.ts';
import { type Aggregation, type Expression, partsOf, reachesOf } from '#contract/metrics/expression.ts';
import { durationText } from '#contract/metrics/lex.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { printExpression } from '#contract/metrics/print.ts';
import { type Labels, labelKey, matches, NAME, type Series, withoutName } from '#contract/metrics/series.ts';
import { type Cell, cellText, metricText, seriesOf } from './promtool.ts';

/** Random series, expressions and alerts, with what the evaluator says of them, in promtool's notation. */
export interface RandomGroup {
  interval: string;
  rules: unknown;
  test: {
    interval: string;
    input_series: { series: string; values: string }[];
    promql_expr_test: { expr: string; eval_time: string; exp_samples: { labels: string; value: number }[] }[];
    alert_rule_test: unknown[];
  };
  checks: number;
}

type Random = ReturnType<typeof randomness>;

/** mulberry32: small, and the same on every machine. */
function randomness(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    integer,
    chance: (share: number) => next() < share,
    pick: <T>(from: readonly T[]): T => from[integer(0, from.length - 1)] as T,
  };
}

const CELLS = 80;
const EXPRESSIONS = 55;
const TIMES = 3;
const RULES = 6;

export function randomGroup(seed: number): RandomGroup {
  const random = randomness(seed);
  const interval = random.pick([15_000, 30_000, 60_000]);
  const input = randomInput(random);
  const series = input.map(({ labels, cells }) => seriesOf(labels, cells, interval));
  const expressions: RandomGroup['test']['promql_expr_test'] = [];
  while (expressions.length < EXPRESSIONS * TIMES) expressions.push(...expressionChecks(random, series, interval));
  const alerts = Array.from({ length: RULES }, (_, index) => alertChecks(random, series, interval, `Alert${index}`));
  return {
    interval: durationText(interval),
    rules: { groups: [{ name: 'random', rules: alerts.map(({ rule }) => rule) }] },
    test: {
      interval: durationText(interval),
      input_series: input.map(({ labels, cells }) => ({
        series: metricText(labels),
        values: cells.map(cellText).join(' '),
      })),
      promql_expr_test: expressions,
      alert_rule_test: alerts.flatMap(({ tests }) => tests),
    },
    checks: expressions.length + alerts.flatMap(({ tests }) => tests).length,
  };
}

/** In the order of Prometheus' storage: sums over series depend on it in the last bit. */
const LABELS: readonly Labels[] = [{ a: 'x' }, { a: 'x', b: '1' }, { a: 'y' }, { a: 'y', b: '2' }, { b: '2' }];
const BOUNDS = ['0.1', '0.5', '1', '2.5', '+Inf'];

function randomInput(random: Random): { labels: Labels; cells: Cell[] }[] {
  const plain = (name: string, counter: boolean): { labels: Labels; cells: Cell[] }[] =>
    LABELS.filter(() => random.chance(0.7)).map((labels) => ({
      labels: { [NAME]: name, ...labels },
      cells: randomCells(random, counter),
    }));
  const histogram = ['x', 'y'].flatMap((a) => {
    const shape = BOUNDS.map(() => random.integer(0, 4));
    return BOUNDS.map((le, index) => ({
      labels: { [NAME]: 'h_bucket', a, le },
      cells: Array.from({ length: CELLS }, (_, i): Cell => {
        const step = shape.slice(0, index + 1).reduce((sum, each) => sum + each, 0);
        return random.chance(0.03) ? '_' : step * i;
      }),
    }));
  });
  return [...plain('g', false), ...plain('c', true), ...plain('d', false), ...histogram];
}

function randomCells(random: Random, counter: boolean): Cell[] {
  const cells: Cell[] = [];
  const holes = random.pick([0, 0.05, 0.3]);
  const odd = random.chance(0.3) ? 0.03 : 0;
  let value = random.chance(0.5) ? 0 : random.integer(0, 50) / 4;
  for (let i = 0; i < CELLS; i += 1) {
    value = counter ? nextCount(random, value) : random.pick([value, random.integer(-8, 40) / 8, random.next() * 10]);
    if (random.chance(holes)) cells.push('_');
    else if (random.chance(odd)) cells.push(random.pick<Cell>(['stale', 'stale', Number.NaN, Infinity, -Infinity]));
    else cells.push(value);
    if (random.chance(0.01)) cells.push(...Array<Cell>(random.integer(1, 15)).fill('_'));
  }
  return cells.slice(0, CELLS);
}

function nextCount(random: Random, value: number): number {
  if (random.chance(0.05)) return random.integer(0, 3);
  return value + random.pick([0, 1, 2.5, random.next() * 7]);
}

const WINDOWS = ['45s', '1m', '2m', '5m', '7m30s', '15m'];
const OVER = [
  ...['rate', 'increase', 'delta', 'changes', 'resets', 'avg_over_time', 'min_over_time', 'max_over_time'],
  ...['sum_over_time', 'count_over_time', 'last_over_time', 'present_over_time', 'stddev_over_time'],
];

function selector(random: Random, name = random.pick(['g', 'c', 'd'])): string {
  const matcher = random.pick(['', '', '{a="x"}', '{a!="x"}', '{a=~"x|y"}', '{b!~"1.*"}', '{a="y",b=""}']);
  return `${name}${matcher}`;
}

const offset = (random: Random): string => random.pick(['', '', '', '', ' offset 1m', ' offset 37s', ' offset -2m']);

/** Series without brackets needed around them. */
function vector(random: Random, depth: number): string {
  const kinds = [
    () => `${selector(random)}${offset(random)}`,
    () => over(random),
    () => over(random),
    () => quantiles(random),
    () => aggregated(random, depth),
    () => aggregated(random, depth),
    () => `(${vector(random, depth - 1)} ${random.pick(['+', '-', '*', '/', '%'])} ${random.pick(['2', '0.5', '-3'])})`,
    () => `(${random.pick(['1', '10'])} ${random.pick(['+', '-', '*', '/'])} ${vector(random, depth - 1)})`,
    () => `(${vector(random, depth - 1)} ${comparison(random)} ${random.integer(-2, 12) / 2})`,
    () => `(${vector(random, depth - 1)} ${random.pick(['>', '<='])} bool ${random.integer(0, 6)})`,
    () => paired(random, depth),
    () => `(${vector(random, depth - 1)} ${random.pick(['and', 'or', 'unless'])} ${vector(random, depth - 1)})`,
    () => `(${vector(random, depth - 1)} ${random.pick(['and', 'unless'])} on (a) ${vector(random, depth - 1)})`,
    () => `abs(${vector(random, depth - 1)})`,
    () => `timestamp(${selector(random)}${offset(random)})`,
    () => `(-${vector(random, depth - 1)})`,
  ];
  return (depth <= 0 ? random.pick(kinds.slice(0, 3)) : random.pick(kinds))();
}

const comparison = (random: Random): string => random.pick(['==', '!=', '>', '<', '>=', '<=']);

function over(random: Random): string {
  const range = `${selector(random)}[${random.pick(WINDOWS)}]${offset(random)}`;
  if (random.chance(0.1)) return `quantile_over_time(${random.pick([0, 0.3, 0.5, 0.95, 1, 1.5])}, ${range})`;
  return `${random.pick(OVER)}(${range})`;
}

function quantiles(random: Random): string {
  const rate = `sum by (${random.pick(['le', 'le, a'])}) (rate(h_bucket[${random.pick(WINDOWS)}]))`;
  return `histogram_quantile(${random.pick([0, 0.1, 0.5, 0.9, 0.99, 1])}, ${random.pick([rate, 'h_bucket'])})`;
}

function aggregated(random: Random, depth: number): string {
  const grouping = random.pick(['', ' by (a) ', ' by (a, b) ', ' without (b) ', ' by (b) ']);
  const inner = vector(random, depth - 1);
  if (random.chance(0.15)) return `quantile${grouping}(${random.pick([0.2, 0.5, 0.9])}, ${inner})`;
  return `${random.pick(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev'])}${grouping}(${inner})`;
}

function paired(random: Random, depth: number): string {
  const by = random.pick(['a', 'a, b']);
  const side = () => `${random.pick(['sum', 'max', 'avg'])} by (${by}) (${vector(random, depth - 1)})`;
  const on = random.pick(['', ` on (${by})`, ' ignoring (zone)']);
  return `(${side()} ${random.pick(['/', '-', '>', '==', '*'])}${on} ${side()})`;
}

function load(expression: Expression, series: readonly Series[]): Loaded {
  return new Map(
    reachesOf(expression).map(({ selector: each }) => [
      each,
      series.filter(({ labels }) => matches(labels, each.matchers)),
    ]),
  );
}

const ORDERED: readonly Aggregation[] = ['sum', 'avg', 'stddev'];

function dependsOnOrder(expression: Expression): boolean {
  if (expression.kind === 'aggregate' && ORDERED.includes(expression.fn)) return true;
  return partsOf(expression).some(dependsOnOrder);
}

/**
 * promtool stores its series in the random order of a Go map, so its own last bits of sums over series are random:
 * such expressions are compared rounded, and only where no order of the series changes the rounded answer.
 */
function orders(random: Random, expression: Expression, series: readonly Series[]): Loaded[] {
  if (!dependsOnOrder(expression)) return [load(expression, series)];
  const shuffled = () =>
    series
      .map((each) => ({ each, by: random.next() }))
      .sort((x, y) => x.by - y.by)
      .map(({ each }) => each);
  return [series, series.toReversed(), ...Array.from({ length: 6 }, shuffled)].map((each) => load(expression, each));
}

const NEAREST = 2 ** 17;
/** As Prometheus' `round`; a power of two, so that both sides divide without a rest. */
const rounded = (value: number): number => Math.floor(value * NEAREST + 0.5) / NEAREST;

/** What all orders agree on, or undefined; also where Prometheus would refuse the expression. */
function agreed(expression: Expression, all: readonly Loaded[], at: number): Point[] | undefined {
  const answers = all.map((loaded) => attempt(() => evaluateAt(expression, at, loaded)));
  if (answers.includes(undefined)) return undefined;
  if (all.length === 1) return answers[0];
  const [first, ...rest] = (answers as Point[][]).map((points) =>
    points.map(({ labels, value }) => ({ labels: withoutName(labels), value: rounded(value) })),
  );
  const text = (points: Point[] | undefined) =>
    points
      ?.map(({ labels, value }) => `${labelKey(labels)}${value}`)
      .sort()
      .join();
  if (rest.some((other) => text(other) !== text(first))) return undefined;
  return new Set(first?.map(({ labels }) => labelKey(labels))).size === first?.length ? first : undefined;
}

function attempt(evaluate: () => Point[]): Point[] | undefined {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}

/** The text that goes to promtool is printed from the tree, so the printer is compared as well. */
function expressionChecks(random: Random, series: readonly Series[], interval: number) {
  const expression = parseExpression(vector(random, 3));
  const all = orders(random, expression, series);
  const printed = printExpression(expression);
  const expr = all.length === 1 ? printed : `round(${printed}, ${1 / NEAREST})`;
  return Array.from({ length: TIMES }, () => {
    const at = random.integer(0, CELLS) * interval + random.pick([0, 0, 1000, 7000, interval / 2]);
    const found = agreed(expression, all, at);
    return found && expressionCheck(expr, at, found);
  }).filter((check) => check !== undefined);
}

/** NaN equals nothing, promtool's own comparison included: there the check is which series are NaN. */
function expressionCheck(expr: string, at: number, found: Point[]) {
  const eval_time = durationText(at);
  const samples = (points: Point[]) => points.map(({ labels, value }) => ({ labels: metricText(labels), value }));
  const odd = found.filter(({ value }) => Number.isNaN(value));
  if (odd.length === 0) return { expr, eval_time, exp_samples: samples(found) };
  const groups = odd.map(({ labels }) => ({ labels: withoutName(labels), value: 1 }));
  return { expr: `group without () ((${expr}) != (${expr}))`, eval_time, exp_samples: samples(groups) };
}

function alertChecks(random: Random, series: readonly Series[], interval: number, alert: string) {
  for (;;) {
    const source = `${vector(random, 1)} ${comparison(random)} ${random.integer(0, 10) / 2}`;
    const expression = parseExpression(source);
    // promtool lets a rule see no sample that is later than its evaluation.
    if (reachesOf(expression).some(({ selector: each }) => each.offset < 0)) continue;
    const timing = {
      for: random.pick([0, 0, 1, 2, 3, 5]) * interval,
      keep_firing_for: random.pick([0, 0, 1, 4]) * interval,
    };
    const history = fires(expression, orders(random, expression, series), timing, interval);
    if (!history) continue;
    return {
      rule: {
        alert,
        expr: printExpression(expression),
        for: durationText(timing.for),
        keep_firing_for: durationText(timing.keep_firing_for),
        labels: { severity: 'page' },
      },
      tests: history.map((firing, index) => ({
        eval_time: durationText(index * interval),
        alertname: alert,
        exp_alerts: firing.map((exp_labels) => ({ exp_labels })),
      })),
    };
  }
}

/** Which alerts fire at each evaluation from the start; undefined where Prometheus would refuse the rule. */
function fires(expression: Expression, all: readonly Loaded[], timing: AlertTiming, interval: number) {
  const history: Labels[][] = [];
  let alerts: ReadonlyMap<string, Alert> = new Map();
  for (let index = 0; index <= CELLS; index += 1) {
    const at = index * interval;
    const found = agreed(expression, all, at);
    const keys = new Set(found?.map(({ labels }) => labelKey(withoutName(labels))));
    if (!found || keys.size < found.length) return undefined;
    alerts = stepAlerts(alerts, found, { severity: 'page' }, timing, at).alerts;
    history.push([...alerts.values()].filter(({ state }) => state === 'firing').map(({ labels }) => labels));
  }
  return history;
}
