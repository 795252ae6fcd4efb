import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvaluationError } from './binary.ts';
import { evaluateAt, evaluateRange, loadSeries, PROMETHEUS_3 } from './evaluate.ts';
import { durationMs, durationText, ExpressionError } from './lex.ts';
import { parseExpression } from './parse.ts';
import { printExpression } from './print.ts';
import { NAME, patternFault, type Series, seriesInMemory } from './series.ts';

const MINUTE = 60_000;

const PRINTED: [source: string, printed: string][] = [
  ['up', 'up'],
  ['caudal.worker.capacity{host.name="a"}', 'caudal_worker_capacity{host_name="a"}'],
  ['sum(rate(x[5m])) by (a,b)', 'sum by (a, b) (rate(x[5m]))'],
  ['a+b*c', 'a + (b * c)'],
  ['a-b-c', '(a - b) - c'],
  ['-a + 1', '(-a) + 1'],
  ['a > bool 1', 'a > bool 1'],
  ['a / on(x) b', 'a / on (x) b'],
  ['x offset 1h30m', 'x offset 1h30m'],
  ['x offset -5m', 'x offset -5m'],
  ['quantile_over_time(0.9, x[90s])', 'quantile_over_time(0.9, x[1m30s])'],
  [
    'histogram_quantile(0.95, sum by (le) (rate(h_bucket[1m])))',
    'histogram_quantile(0.95, sum by (le) (rate(h_bucket[1m])))',
  ],
  ['{__name__="up",a=~"x|y.+"}', 'up{a=~"x|y.+"}'],
  [`x{a='it\\'s'}`, 'x{a="it\'s"}'],
  ['a and b or c unless on(x) d', '(a and b) or (c unless on (x) d)'],
  ['1 + 2 * time()', '1 + (2 * time())'],
  ['x == Inf', 'x == Inf'],
];

test('text → tree → text → the same tree', () => {
  for (const [source, printed] of PRINTED) {
    const tree = parseExpression(source);
    assert.equal(printExpression(tree), printed, source);
    assert.deepEqual(parseExpression(printed), tree, source);
  }
});

const REFUSED: [source: string, reason: RegExp, position: number][] = [
  ['', /expected/, 0],
  ['up up', /the end is expected/, 3],
  ['rate(x)', /\[ is expected/, 6],
  ['x[5m]', /needs a function/, 1],
  ['rate(x[5m:1m])', /[Ss]ubqueries/, 9],
  ['x @ 5', /@ is not supported|the end/, 2],
  ['{a=~".*"}', /names a metric/, 9],
  ['x{a=~"(a+)+"}', /pattern/, 5],
  ['x{a=~".*.*.*.*"}', /more than 3/, 5],
  ['x{a=~"("}', /regular expression/, 5],
  ['a * on(x) group_left b', /group_left/, 10],
  ['1 > 2', /bool/, 2],
  ['a and 1', /both sides/, 2],
  ['nosuch(x)', /no function/, 0],
  ['sum(1)', /not a number/, 4],
  ['a ^ 2', /the end is expected/, 2],
  ['x{a="b}', /not expected/, 4],
  [`${'('.repeat(200)}1${')'.repeat(200)}`, /too deeply/, 51],
  ['-'.repeat(200), /too deeply/, 51],
];

test('what is wrong or left out is said, with its place', () => {
  for (const [source, reason, position] of REFUSED) {
    assert.throws(
      () => parseExpression(source),
      (error) => {
        assert.ok(error instanceof ExpressionError, source);
        assert.match(error.message, reason, source);
        assert.equal(error.position, position, source);
        return true;
      },
    );
  }
});

test('patterns that could take for ever are refused', () => {
  for (const bad of ['(a*)*', '(a|b)+', '(?=a)', '(a)\\1', 'a{1000}', '[a', 'x'.repeat(501)])
    assert.ok(patternFault(bad), bad);
  for (const good of ['a|b', '5..', 'api-.*', '[a-z]+', '(?:a|b)c', '/tasks/\\d+', 'a\\.b'])
    assert.equal(patternFault(good), undefined, good);
});

test('durations go there and back', () => {
  for (const text of ['1m', '1h30m', '1d', '24h30m', '15s', '250ms'])
    assert.equal(durationMs(durationText(durationMs(text))), durationMs(text));
  assert.equal(durationText(0), '0s');
});

const series = (name: string, labels: Record<string, string>, values: number[]): Series => ({
  labels: { [NAME]: name, ...labels },
  times: values.map((_, index) => index * MINUTE),
  values,
});

test('one load serves a whole range', async () => {
  const counter = series('c', { a: 'x' }, [0, 60, 120, 180, 240, 300]);
  const expression = parseExpression('rate(c[2m])');
  const range = { from: 2 * MINUTE, to: 5 * MINUTE, step: MINUTE };
  const loaded = await loadSeries(expression, { ...range, lookback: 5 * MINUTE }, seriesInMemory([counter]));
  assert.deepEqual(evaluateRange(expression, range, loaded), [
    { labels: { a: 'x' }, times: [2, 3, 4, 5].map((minute) => minute * MINUTE), values: [1, 1, 1, 1] },
  ]);
});

test('the left edge of a window is in or out by the switch', async () => {
  const expression = parseExpression('count_over_time(g[2m])');
  const at = 5 * MINUTE;
  const loaded = await loadSeries(
    expression,
    { from: at, to: at, lookback: 0 },
    seriesInMemory([series('g', {}, [1, 1, 1, 1, 1, 1])]),
  );
  assert.equal(evaluateAt(expression, at, loaded)[0]?.value, 3);
  assert.equal(evaluateAt(expression, at, loaded, PROMETHEUS_3)[0]?.value, 2);
});

test('an answer in which two series are one is an error', async () => {
  const two = seriesInMemory([
    series('a', { x: '1' }, [1]),
    series('b', { x: '1' }, [2]),
    series('b', { x: '2' }, [2]),
  ]);
  for (const source of ['abs({x="1"})', 'a / on() b']) {
    const expression = parseExpression(source);
    const loaded = await loadSeries(expression, { from: 0, to: 0, lookback: MINUTE }, two);
    assert.throws(() => evaluateAt(expression, 0, loaded), EvaluationError, source);
  }
});

test('absent() carries the labels that its selector fixes', async () => {
  const expression = parseExpression('absent(nothing{a="x",b!="y"})');
  const loaded = await loadSeries(expression, { from: 0, to: 0, lookback: MINUTE }, seriesInMemory([]));
  assert.deepEqual(evaluateAt(expression, 0, loaded), [{ labels: { a: 'x' }, value: 1 }]);
});
