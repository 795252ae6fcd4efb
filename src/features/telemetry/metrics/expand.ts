import type { Labels, Series } from '#contract/metrics/series.ts';
import { prometheusNumber } from '#contract/prometheus-names.ts';
import { type Cumulative, countAt, type Exponential, explicitBuckets, exponentialBuckets } from './buckets.ts';
import { type Named, named, type SeriesRow } from './descriptor.ts';

export interface PointRow {
  ts_ms: number;
  value: number | null;
  flags: number | null;
}

export interface HistogramRow {
  ts_ms: number;
  count: number;
  sum: number | null;
  buckets: string;
  flags: number | null;
}

/** OTLP's "no recorded value": the series ends here, until its next point. */
const NO_VALUE = 1;
const isStale = (flags: number | null): boolean => flags !== null && (flags & NO_VALUE) !== 0;

/** Points of one series in the order of time, as Prometheus would have them: deltas are added up from zero. */
export function expandPoints(row: SeriesRow, { name }: Named, labels: Labels, points: readonly PointRow[]): Series {
  const once = withoutRepeats(points);
  const values = once.map(({ value, flags }) => (isStale(flags) ? Number.NaN : (value ?? Number.NaN)));
  return seriesOf(named(labels, name), once, isDelta(row) ? addedUp(values) : values);
}

/** The asked parts of a histogram or summary. */
export function expandHistogram(
  row: SeriesRow,
  parts: readonly Named[],
  labels: Labels,
  points: readonly HistogramRow[],
): Series[] {
  const once = withoutRepeats(points);
  const add = (values: number[]): number[] => (isDelta(row) ? addedUp(values) : values);
  return parts.flatMap(({ part, name }): Series[] => {
    switch (part) {
      case 'count':
        return [seriesOf(named(labels, name), once, add(once.map(({ count }) => count)))];
      case 'sum': {
        if (once.every(({ sum }) => sum === null)) return [];
        return [seriesOf(named(labels, name), once, add(once.map(({ sum }) => sum ?? 0)))];
      }
      case 'bucket':
        return buckets(row, once).map(({ bound, values }) =>
          seriesOf(named(labels, name, { le: prometheusNumber(bound) }), once, add(values)),
        );
      case 'quantile':
        return quantiles(name, labels, once);
      default:
        return [];
    }
  });
}

function buckets(row: SeriesRow, points: readonly HistogramRow[]): { bound: number; values: number[] }[] {
  const explicit = row.type === 'histogram' ? (JSON.parse(row.bounds ?? '[]') as number[]) : undefined;
  const read = points.map(({ buckets: text, count }): Cumulative => {
    const parsed = JSON.parse(text);
    if (!explicit) return exponentialBuckets(parsed as Exponential);
    // A histogram without buckets still has a count, and everything lies below infinity.
    return explicitBuckets(explicit, parsed.length > 0 ? parsed : [...explicit.map(() => 0), count]);
  });
  const bounds = [...new Set(read.flatMap((each) => each.bounds))].sort((a, b) => a - b);
  return bounds.map((bound) => ({ bound, values: read.map((each) => countAt(each, bound)) }));
}

function quantiles(name: string, labels: Labels, points: readonly HistogramRow[]): Series[] {
  const found = new Map<number, { points: HistogramRow[]; values: number[] }>();
  for (const point of points) {
    const { quantiles: listed } = JSON.parse(point.buckets) as {
      quantiles: { quantile: number; value: number | null }[];
    };
    for (const { quantile, value } of listed) {
      const at = found.get(quantile) ?? { points: [], values: [] };
      at.points.push(point);
      at.values.push(value ?? Number.NaN);
      found.set(quantile, at);
    }
  }
  return [...found].map(([quantile, { points: at, values }]) =>
    seriesOf(named(labels, name, { quantile: prometheusNumber(quantile) }), at, values),
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

/** An export that was sent twice after a lost answer. */
function withoutRepeats<P extends { ts_ms: number }>(points: readonly P[]): P[] {
  return points.filter((point, index) => point.ts_ms !== points[index - 1]?.ts_ms);
}

function seriesOf(
  labels: Labels,
  points: readonly { ts_ms: number; flags: number | null }[],
  values: number[],
): Series {
  const stale = points.flatMap(({ flags }, index) => (isStale(flags) ? [index] : []));
  return {
    labels,
    times: points.map(({ ts_ms }) => ts_ms),
    values,
    ...(stale.length > 0 ? { stale: new Set(stale) } : {}),
  };
}
