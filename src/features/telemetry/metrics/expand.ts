import type { Labels, Series } from '#contract/metrics/series.ts';
import { prometheusNumber } from '#contract/prometheus-names.ts';
import { type Cumulative, countAt, type Exponential, explicitBuckets, exponentialBuckets } from './buckets.ts';
import { type Named, named, type SeriesRow } from './descriptor.ts';

/** What one series has measured, in the order of time. */
export interface Samples {
  /** Epoch ms. */
  times: number[];
  /** Those of them at which the series ended, until its next point: OTLP's "no recorded value". */
  stale: ReadonlySet<number>;
}

/** Of a gauge or sum; no value where the series ended. */
export interface PointSamples extends Samples {
  values: (number | null)[];
}

/** Of a histogram or summary. */
export interface HistogramSamples extends Samples {
  counts: number[];
  sums: (number | null)[];
  /** As the store keeps them, as JSON. */
  buckets: string[];
}

/** The samples of `[from, to]`, each time once: an export that was sent again after a lost answer is there twice. */
export function samplesWithin<S extends Samples>(samples: S, from: number, to: number): S {
  const { times } = samples;
  const keeps = (at: number): boolean => {
    const time = times[at] as number;
    return time >= from && time <= to && time !== times[at - 1];
  };
  if (times.every((_, at) => keeps(at))) return samples;
  const kept = Object.entries(samples).map(([name, list]) => [
    name,
    Array.isArray(list) ? list.filter((_, at) => keeps(at)) : list,
  ]);
  return Object.fromEntries(kept) as S;
}

/** Points as Prometheus would have them: deltas are added up from zero. */
export function expandPoints(row: SeriesRow, { name }: Named, labels: Labels, points: PointSamples): Series {
  const values = points.values.map((value, at) =>
    value === null || points.stale.has(points.times[at] as number) ? Number.NaN : value,
  );
  return seriesOf(named(labels, name), points, isDelta(row) ? addedUp(values) : values);
}

/** The asked parts of a histogram or summary. */
export function expandHistogram(
  row: SeriesRow,
  parts: readonly Named[],
  labels: Labels,
  points: HistogramSamples,
): Series[] {
  const add = (values: number[]): number[] => (isDelta(row) ? addedUp(values) : values);
  return parts.flatMap(({ part, name }): Series[] => {
    switch (part) {
      case 'count':
        return [seriesOf(named(labels, name), points, add(points.counts))];
      case 'sum': {
        if (points.sums.every((sum) => sum === null)) return [];
        return [seriesOf(named(labels, name), points, add(points.sums.map((sum) => sum ?? 0)))];
      }
      case 'bucket':
        return buckets(row, points).map(({ bound, values }) =>
          seriesOf(named(labels, name, { le: prometheusNumber(bound) }), points, add(values)),
        );
      case 'quantile':
        return quantiles(name, labels, points);
      default:
        return [];
    }
  });
}

function buckets(row: SeriesRow, points: HistogramSamples): { bound: number; values: number[] }[] {
  const explicit = row.type === 'histogram' ? (JSON.parse(row.bounds ?? '[]') as number[]) : undefined;
  const read = points.buckets.map((text, at): Cumulative => {
    const parsed = JSON.parse(text);
    if (!explicit) return exponentialBuckets(parsed as Exponential);
    // A histogram without buckets still has a count, and everything lies below infinity.
    return explicitBuckets(
      explicit,
      parsed.length > 0 ? parsed : [...explicit.map(() => 0), points.counts[at] as number],
    );
  });
  const bounds = [...new Set(read.flatMap((each) => each.bounds))].sort((a, b) => a - b);
  return bounds.map((bound) => ({ bound, values: read.map((each) => countAt(each, bound)) }));
}

function quantiles(name: string, labels: Labels, points: HistogramSamples): Series[] {
  const found = new Map<number, { times: number[]; values: number[] }>();
  for (const [at, text] of points.buckets.entries()) {
    const { quantiles: listed } = JSON.parse(text) as { quantiles: { quantile: number; value: number | null }[] };
    for (const { quantile, value } of listed) {
      const of = found.get(quantile) ?? { times: [], values: [] };
      of.times.push(points.times[at] as number);
      of.values.push(value ?? Number.NaN);
      found.set(quantile, of);
    }
  }
  return [...found].map(([quantile, { times, values }]) =>
    seriesOf(named(labels, name, { quantile: prometheusNumber(quantile) }), { times, stale: points.stale }, values),
  );
}

const isDelta = ({ temporality }: SeriesRow): boolean => temporality === 'delta';

function addedUp(values: readonly number[]): number[] {
  let total = 0;
  return values.map((value) => {
    if (Number.isNaN(value)) return value;
    total += value;
    return total;
  });
}

function seriesOf(labels: Labels, { times, stale }: Samples, values: number[]): Series {
  if (stale.size === 0) return { labels, times, values };
  const at = new Set(times.flatMap((time, index) => (stale.has(time) ? [index] : [])));
  return { labels, times, values, ...(at.size > 0 ? { stale: at } : {}) };
}
