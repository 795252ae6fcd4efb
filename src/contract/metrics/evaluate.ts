import { type Bucket, bucketQuantile, largest, plainDeviation, plainMean, quantile, smallest } from './arithmetic.ts';
import {
  combineSets,
  EvaluationError,
  numberWithNumber,
  type Point,
  seriesWithNumber,
  seriesWithSeries,
} from './binary.ts';
import { type Aggregation, type Expression, isSetOperator, reachesOf, type Selector } from './expression.ts';
import { OVER_TIME } from './over-time.ts';
import {
  dropLabels,
  keepLabels,
  type Labels,
  labelKey,
  NAME,
  type SelectSeries,
  type Series,
  type SeriesRequest,
  withoutName,
} from './series.ts';
import { type LeftEdge, newestSample, windowOf } from './window.ts';

export const LOOKBACK_MS = 300_000;

export interface EvaluationOptions {
  /** How long a sample stands for its series. */
  lookback: number;
  left: LeftEdge;
}

/** As Prometheus 2.x does. */
export const PROMETHEUS_2: EvaluationOptions = { lookback: LOOKBACK_MS, left: 'closed' };
/** As Prometheus 3.x does. */
export const PROMETHEUS_3: EvaluationOptions = { lookback: LOOKBACK_MS, left: 'open' };

/** The series that each selector of an expression reads. */
export type Loaded = ReadonlyMap<Selector, readonly Series[]>;

export interface EvaluatedRange {
  /** Epoch ms. */
  from: number;
  to: number;
  /** How long a sample stands for its series, in ms. */
  lookback: number;
}

/** What an expression reads to be evaluated anywhere in the range, in the order of its selectors. */
export function requestsOf(expression: Expression, { from, to, lookback }: EvaluatedRange): SeriesRequest[] {
  return reachesOf(expression).map(({ selector: { matchers, offset }, window }) => ({
    matchers,
    from: from - offset - (window ?? lookback),
    to: to - offset,
  }));
}

/** Reads all of it at once. */
export async function loadSeries(expression: Expression, range: EvaluatedRange, select: SelectSeries): Promise<Loaded> {
  const requests = requestsOf(expression, range);
  const answers = requests.length > 0 ? await select(requests) : [];
  return new Map(reachesOf(expression).map(({ selector }, index) => [selector, answers[index] ?? []]));
}

interface Evaluation {
  at: number;
  loaded: Loaded;
  options: EvaluationOptions;
}

/**
 * The expression's series at one moment; a number is one point without labels.
 * @throws EvaluationError when two series of the answer would have the same labels
 */
export function evaluateAt(
  expression: Expression,
  at: number,
  loaded: Loaded,
  options: EvaluationOptions = PROMETHEUS_2,
): Point[] {
  const found = evaluate(expression, { at, loaded, options });
  return typeof found === 'number' ? [{ labels: {}, value: found }] : found;
}

export interface Line {
  labels: Labels;
  times: number[];
  values: number[];
}

/** The expression from `from` to `to` (epoch ms, both included) in steps. @throws EvaluationError */
export function evaluateRange(
  expression: Expression,
  range: { from: number; to: number; step: number },
  loaded: Loaded,
  options: EvaluationOptions = PROMETHEUS_2,
): Line[] {
  const lines = new Map<string, Line>();
  /** Most labels are the same object at every step, and found without their key. */
  const known = new WeakMap<Labels, Line>();
  const lineOf = (labels: Labels): Line => {
    const key = labelKey(labels);
    const line = lines.get(key) ?? { labels, times: [], values: [] };
    lines.set(key, line);
    known.set(labels, line);
    return line;
  };
  for (let at = range.from; at <= range.to; at += range.step) {
    for (const { labels, value } of evaluateAt(expression, at, loaded, options)) {
      const line = known.get(labels) ?? lineOf(labels);
      line.times.push(at);
      line.values.push(value);
    }
  }
  return [...lines.values()];
}

function evaluate(expression: Expression, evaluation: Evaluation): Point[] | number {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'time':
      return evaluation.at / 1000;
    case 'selector':
      return newest(expression.selector, evaluation, ({ values }, position) => values[position] as number);
    case 'over':
      return overTime(expression, evaluation);
    case 'call':
      return call(expression, evaluation);
    case 'histogram_quantile':
      return histogramQuantile(expression, evaluation);
    case 'negate':
      return negated(evaluate(expression.of, evaluation));
    case 'aggregate':
      return aggregate(expression, evaluation);
    case 'binary':
      return binary(expression, evaluation);
  }
}

const points = (expression: Expression, evaluation: Evaluation): Point[] => evaluate(expression, evaluation) as Point[];

/** Labels make a series what it is: an answer in which two are the same is none. */
function distinct(found: Point[]): Point[] {
  if (found.length < 2) return found;
  const keys = new Set(found.map(({ labels }) => labelKey(labels)));
  if (keys.size < found.length) throw new EvaluationError('Several series of the answer have the same labels.');
  return found;
}

function newest(
  selector: Selector,
  { at, loaded, options }: Evaluation,
  read: (series: Series, position: number) => number,
): Point[] {
  return (loaded.get(selector) ?? []).flatMap((series): Point[] => {
    const position = newestSample(series, at - selector.offset, options.lookback, options.left);
    return position < 0 ? [] : [{ labels: series.labels, value: read(series, position) }];
  });
}

function overTime(expression: Extract<Expression, { kind: 'over' }>, { at, loaded, options }: Evaluation): Point[] {
  const { fn, selector, window, q = Number.NaN } = expression;
  const over = OVER_TIME[fn];
  const all = loaded.get(selector) ?? [];
  const nameless = withoutNames(all);
  const found: Point[] = [];
  for (const [index, series] of all.entries()) {
    const samples = windowOf(series, at - selector.offset, window, options.left);
    const value = samples.times.length === 0 ? undefined : over(samples, q);
    if (value === undefined) continue;
    found.push({ labels: fn === 'last_over_time' ? series.labels : (nameless.labels[index] as Labels), value });
  }
  return nameless.distinct ? found : distinct(found);
}

interface Nameless {
  labels: Labels[];
  /** No two are the same, so that no part of them needs to be looked at. */
  distinct: boolean;
}

/** Of loaded series, once and not at every step. */
const namelessOf = new WeakMap<readonly Series[], Nameless>();

function withoutNames(all: readonly Series[]): Nameless {
  const known = namelessOf.get(all);
  if (known) return known;
  const labels = all.map((series) => withoutName(series.labels));
  const made = { labels, distinct: new Set(labels.map(labelKey)).size === labels.length };
  namelessOf.set(all, made);
  return made;
}

function call({ fn, of }: Extract<Expression, { kind: 'call' }>, evaluation: Evaluation): Point[] {
  if (fn === 'absent') return absent(of, points(of, evaluation));
  // Of a plain selector it is the sample's own time; of anything else, the moment of evaluation.
  const found =
    fn === 'timestamp' && of.kind === 'selector'
      ? newest(of.selector, evaluation, ({ times }, position) => (times[position] as number) / 1000)
      : points(of, evaluation).map(({ labels, value }) => ({
          labels,
          value: fn === 'timestamp' ? evaluation.at / 1000 : Math.abs(value),
        }));
  return distinct(found.map(({ labels, value }) => ({ labels: withoutName(labels), value })));
}

/** One point with the labels that the selector fixes, when there is nothing. */
function absent(of: Expression, found: Point[]): Point[] {
  if (found.length > 0) return [];
  const labels: Record<string, string> = {};
  const matchers = of.kind === 'selector' || of.kind === 'over' ? of.selector.matchers : [];
  const repeated = new Set<string>();
  for (const { label, op, value } of matchers) {
    if (label === NAME) continue;
    if (op === '=' && !(label in labels) && !repeated.has(label)) labels[label] = value;
    else {
      delete labels[label];
      repeated.add(label);
    }
  }
  return [{ labels, value: 1 }];
}

function negated(found: Point[] | number): Point[] | number {
  if (typeof found === 'number') return -found;
  return distinct(found.map(({ labels, value }) => ({ labels: withoutName(labels), value: -value })));
}

const BOUND = ['le', NAME];

function histogramQuantile(
  { q, of }: Extract<Expression, { kind: 'histogram_quantile' }>,
  evaluation: Evaluation,
): Point[] {
  const histograms = new Map<string, { labels: Labels; buckets: Bucket[] }>();
  for (const { labels, value } of points(of, evaluation)) {
    const bound = boundOf(labels['le']);
    if (Number.isNaN(bound)) continue;
    const rest = dropLabels(labels, BOUND);
    const key = labelKey(rest);
    const histogram = histograms.get(key) ?? { labels: rest, buckets: [] };
    histogram.buckets.push({ bound, count: value });
    histograms.set(key, histogram);
  }
  const wanted = evaluate(q, evaluation) as number;
  return [...histograms.values()].map(({ labels, buckets }) => ({ labels, value: bucketQuantile(wanted, buckets) }));
}

function boundOf(text: string | undefined): number {
  if (text === undefined || text === '') return Number.NaN;
  return /^\+?inf$/i.test(text) ? Infinity : Number(text);
}

const COMBINE: Record<Aggregation, (values: number[], q: number) => number> = {
  sum: (values) => values.reduce((sum, value) => sum + value),
  avg: plainMean,
  min: smallest,
  max: largest,
  count: (values) => values.length,
  group: () => 1,
  stddev: plainDeviation,
  quantile: (values, q) => quantile(q, values),
};

function aggregate(expression: Extract<Expression, { kind: 'aggregate' }>, evaluation: Evaluation): Point[] {
  const { fn, of, by, without, q } = expression;
  const dropped = without && [...without, NAME];
  const groups = new Map<string, { labels: Labels; values: number[] }>();
  for (const { labels, value } of points(of, evaluation)) {
    const kept = dropped ? dropLabels(labels, dropped) : keepLabels(labels, by ?? []);
    const key = labelKey(kept);
    const group = groups.get(key);
    if (group) group.values.push(value);
    else groups.set(key, { labels: kept, values: [value] });
  }
  const wanted = q ? (evaluate(q, evaluation) as number) : Number.NaN;
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: COMBINE[fn](values, wanted) }));
}

function binary(expression: Extract<Expression, { kind: 'binary' }>, evaluation: Evaluation): Point[] | number {
  const { op, bool = false, match } = expression;
  const left = evaluate(expression.left, evaluation);
  const right = evaluate(expression.right, evaluation);
  if (typeof left === 'number') {
    if (typeof right === 'number') return numberWithNumber(op, left, right);
    return distinct(seriesWithNumber(op, right, left, bool, true));
  }
  if (typeof right === 'number') return distinct(seriesWithNumber(op, left, right, bool, false));
  if (isSetOperator(op)) return combineSets(op, left, right, match);
  return distinct(seriesWithSeries(op, left, right, bool, match));
}
