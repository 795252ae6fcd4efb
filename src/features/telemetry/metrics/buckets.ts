/** Cumulative counts by upper bound, as Prometheus' `le` has them; the last bound is infinite. */
export interface Cumulative {
  bounds: number[];
  counts: number[];
}

export interface Exponential {
  scale: number;
  zero_count: number | string;
  zero_threshold: number;
  positive: Side;
  negative: Side;
}

interface Side {
  offset: number;
  counts: (number | string)[];
}

/** Bounds and counts of an explicit histogram, whose last bucket has no bound. */
export function explicitBuckets(bounds: readonly number[], counts: readonly (number | string)[]): Cumulative {
  let below = 0;
  const cumulative = counts.map((count) => {
    below += Number(count);
    return below;
  });
  return { bounds: [...bounds, Number.POSITIVE_INFINITY], counts: cumulative };
}

/** Finer than a fifth is not shown: 2^(1/4) between bounds, and bounds of a coarser scale are among those of a finer. */
const FINEST = 2;
const MOST_BUCKETS = 1000;

/**
 * An exponential histogram as cumulative buckets: bucket i of scale s holds (2^(i·2^-s), 2^((i+1)·2^-s)], so scales
 * merge by halving the index. Source: opentelemetry.io/docs/specs/otel/metrics/data-model, "Exponential Scale".
 */
export function exponentialBuckets(data: Exponential): Cumulative {
  const scale = Math.min(data.scale, FINEST);
  const shift = data.scale - scale;
  const step = 2 ** -scale;
  const upper = new Map<number, number>();
  const add = (bound: number, count: number): void => {
    upper.set(bound, (upper.get(bound) ?? 0) + count);
  };
  for (const [index, count] of data.negative.counts.entries()) {
    if (Number(count) > 0) add(-(2 ** (Math.floor((data.negative.offset + index) / 2 ** shift) * step)), Number(count));
  }
  if (Number(data.zero_count) > 0) add(data.zero_threshold, Number(data.zero_count));
  for (const [index, count] of data.positive.counts.entries()) {
    if (Number(count) === 0) continue;
    const merged = Math.floor((data.positive.offset + index) / 2 ** shift);
    // Its lower end too: between the bounds that are known quantiles are interpolated.
    add(2 ** (merged * step), 0);
    add(2 ** ((merged + 1) * step), Number(count));
  }
  const sorted = [...upper].sort(([a], [b]) => a - b).slice(0, MOST_BUCKETS);
  let below = 0;
  const counts = sorted.map(([, count]) => {
    below += count;
    return below;
  });
  return { bounds: [...sorted.map(([bound]) => bound), Number.POSITIVE_INFINITY], counts: [...counts, below] };
}

/** How many lie at or below a bound. */
export function countAt({ bounds, counts }: Cumulative, bound: number): number {
  let found = 0;
  for (const [index, each] of bounds.entries()) {
    if (each > bound) break;
    found = counts[index] ?? found;
  }
  return found;
}
