/** Durations counted in buckets of `red_1m`: bucket b holds [2^(b/8), 2^((b+1)/8)) ns, the first also those of none. */
export type Counted = Map<number, number>;

const PER_OCTAVE = 8;
const MS = 1e6;

export function count(into: Counted, bucket: number, n: number): void {
  into.set(bucket, (into.get(bucket) ?? 0) + n);
}

/** In ms, within 9 %; null without durations. Between the bounds of a bucket they are taken as spread evenly in log. */
export function quantileMs(counted: Counted, q: number): number | null {
  const buckets = [...counted].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, n]) => sum + n, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [bucket, n] of buckets) {
    if (below + n >= q * total) {
      if (bucket === 0) return 0;
      const share = Math.max(0, (q * total - below) / n);
      return roundMs(2 ** ((bucket + share) / PER_OCTAVE) / MS);
    }
    below += n;
  }
  return null;
}

export interface Quantiles {
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export function quantilesOf(counted: Counted): Quantiles {
  const [p50_ms, p95_ms, p99_ms] = [0.5, 0.95, 0.99].map((q) => quantileMs(counted, q)) as [number, number, number];
  return { p50_ms, p95_ms, p99_ms };
}

const roundMs = (ms: number): number => Number(ms.toPrecision(4));
