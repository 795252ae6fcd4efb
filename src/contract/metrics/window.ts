import type { Series } from './series.ts';

/**
 * Where a window or a look back begins: `closed` takes a sample that is exactly as old as the window (Prometheus 2),
 * `open` leaves it out (Prometheus 3).
 */
export type LeftEdge = 'closed' | 'open';

/** The samples of a series in a window, stale markers left out. */
export interface Window {
  times: number[];
  values: number[];
  /** Epoch ms. */
  start: number;
  end: number;
}

/** How many of the ascending `times` are ≤ `at`. */
function countUpTo(times: ArrayLike<number>, at: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

const isWithin = (time: number, start: number, left: LeftEdge): boolean =>
  left === 'closed' ? time >= start : time > start;

/** The position of the newest sample at `at` that is not too old and no stale marker; -1 when there is none. */
export function newestSample(series: Series, at: number, lookback: number, left: LeftEdge): number {
  const position = countUpTo(series.times, at) - 1;
  if (position < 0 || series.stale?.has(position)) return -1;
  return isWithin(series.times[position] as number, at - lookback, left) ? position : -1;
}

export function windowOf(series: Series, end: number, length: number, left: LeftEdge): Window {
  const start = end - length;
  const from = countUpTo(series.times, left === 'closed' ? start - 0.5 : start);
  const until = countUpTo(series.times, end);
  const times = slice.call(series.times, from, until);
  const values = slice.call(series.values, from, until);
  if (!series.stale) return { times, values, start, end };
  const real = (_: number, index: number): boolean => !series.stale?.has(from + index);
  return { times: times.filter(real), values: values.filter(real), start, end };
}

const slice: (this: ArrayLike<number>, from: number, until: number) => number[] = Array.prototype.slice;
