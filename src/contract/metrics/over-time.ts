import { compensatedDeviation, compensatedMean, compensatedSum, largest, quantile, smallest } from './arithmetic.ts';
import type { RangeFunction } from './expression.ts';
import type { Window } from './window.ts';

/** Undefined: the window says nothing (a rate needs two samples). Windows given here are never empty. */
type OverWindow = (window: Window, q: number) => number | undefined;

export const OVER_TIME: Record<RangeFunction, OverWindow> = {
  rate: (window) => extrapolated(window, { counter: true, perSecond: true }),
  increase: (window) => extrapolated(window, { counter: true, perSecond: false }),
  delta: (window) => extrapolated(window, { counter: false, perSecond: false }),
  changes: ({ values }) => countSteps(values, (before, now) => now !== before && !(isNan(now) && isNan(before))),
  resets: ({ values }) => countSteps(values, (before, now) => now < before),
  avg_over_time: ({ values }) => compensatedMean(values),
  min_over_time: ({ values }) => smallest(values),
  max_over_time: ({ values }) => largest(values),
  sum_over_time: ({ values }) => compensatedSum(values),
  count_over_time: ({ values }) => values.length,
  last_over_time: ({ values }) => values.at(-1),
  present_over_time: () => 1,
  stddev_over_time: ({ values }) => compensatedDeviation(values),
  quantile_over_time: ({ values }, q) => quantile(q, values),
};

const isNan = Number.isNaN;
/** A gap at an edge that is longer than so many average gaps is no late sample: the series began or ended there. */
const EDGE = 1.1;

/**
 * Difference over the window, extended to its edges as Prometheus 2.42 does it: to the edge when the first (last)
 * sample is within 1.1 average gaps of it, otherwise by half a gap; a counter is never extended below zero, and a
 * fall of a counter is a restart at zero. Source: `extrapolatedRate`, promql/functions.go.
 */
function extrapolated(window: Window, { counter, perSecond }: { counter: boolean; perSecond: boolean }) {
  const { times, values } = window;
  const count = times.length;
  if (count < 2) return undefined;
  const [first, last] = [times[0] as number, times[count - 1] as number];
  const difference = (values[count - 1] as number) - (values[0] as number) + (counter ? lostByResets(values) : 0);
  const sampled = (last - first) / 1000;
  const gap = sampled / (count - 1);
  let toStart = (first - window.start) / 1000;
  const toEnd = (window.end - last) / 1000;
  if (counter && difference > 0 && (values[0] as number) >= 0) {
    const toZero = sampled * ((values[0] as number) / difference);
    if (toZero < toStart) toStart = toZero;
  }
  const threshold = gap * EDGE;
  let extended = sampled;
  extended += toStart < threshold ? toStart : gap / 2;
  extended += toEnd < threshold ? toEnd : gap / 2;
  let factor = extended / sampled;
  if (perSecond) factor /= (window.end - window.start) / 1000;
  return difference * factor;
}

function lostByResets(values: readonly number[]): number {
  let lost = 0;
  let before = 0;
  for (const value of values) {
    if (value < before) lost += before;
    before = value;
  }
  return lost;
}

function countSteps(values: readonly number[], counts: (before: number, now: number) => boolean): number {
  let found = 0;
  for (let i = 1; i < values.length; i += 1) {
    if (counts(values[i - 1] as number, values[i] as number)) found += 1;
  }
  return found;
}
