/**
 * Sums and quantiles bit for bit as Prometheus 2.42 makes them: a threshold that is met by a hair there must be met
 * here. Sources: promql/functions.go, promql/quantile.go, promql/engine.go of Prometheus 2.42.
 */

/** Neumaier's compensated sum. */
export interface Compensated {
  sum: number;
  c: number;
}

export function addCompensated(to: Compensated, increment: number): void {
  const t = to.sum + increment;
  if (Math.abs(to.sum) >= Math.abs(increment)) to.c += to.sum - t + increment;
  else to.c += increment - t + to.sum;
  to.sum = t;
}

const isInfinite = (value: number): boolean => value === Infinity || value === -Infinity;

export function compensatedSum(values: ArrayLike<number>): number {
  const total: Compensated = { sum: 0, c: 0 };
  for (let i = 0; i < values.length; i += 1) addCompensated(total, values[i] as number);
  return isInfinite(total.sum) ? total.sum : total.sum + total.c;
}

/** True when a mean that is infinite stays what it is with this value. */
function keepsInfinite(mean: number, value: number): boolean {
  if (!isInfinite(mean)) return false;
  return isInfinite(value) ? mean > 0 === value > 0 : !Number.isNaN(value);
}

export function compensatedMean(values: ArrayLike<number>): number {
  const mean: Compensated = { sum: 0, c: 0 };
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    if (keepsInfinite(mean.sum, value)) continue;
    addCompensated(mean, value / (i + 1) - mean.sum / (i + 1));
  }
  return isInfinite(mean.sum) ? mean.sum : mean.sum + mean.c;
}

/** The mean over series, which Prometheus makes without compensation. */
export function plainMean(values: ArrayLike<number>): number {
  let mean = values[0] as number;
  for (let i = 1; i < values.length; i += 1) {
    const value = values[i] as number;
    if (!keepsInfinite(mean, value)) mean += value / (i + 1) - mean / (i + 1);
  }
  return mean;
}

export function compensatedDeviation(values: ArrayLike<number>): number {
  const mean: Compensated = { sum: 0, c: 0 };
  const squares: Compensated = { sum: 0, c: 0 };
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    const delta = value - (mean.sum + mean.c);
    addCompensated(mean, delta / (i + 1));
    addCompensated(squares, delta * (value - (mean.sum + mean.c)));
  }
  return Math.sqrt((squares.sum + squares.c) / values.length);
}

/** Deviation over series: Welford without compensation. */
export function plainDeviation(values: ArrayLike<number>): number {
  let mean = values[0] as number;
  let squares = 0;
  for (let i = 1; i < values.length; i += 1) {
    const delta = (values[i] as number) - mean;
    mean += delta / (i + 1);
    squares += delta * ((values[i] as number) - mean);
  }
  return Math.sqrt(squares / values.length);
}

/** NaN counts as smallest. Below 0 and above 1 answer the infinities. */
export function quantile(q: number, values: ArrayLike<number>): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = Array.from(values).sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b || 0));
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (sorted[lower] as number) * (1 - weight) + (sorted[upper] as number) * weight;
}

export function smallest(values: ArrayLike<number>): number {
  let found = values[0] as number;
  for (let i = 0; i < values.length; i += 1) {
    if ((values[i] as number) < found || Number.isNaN(found)) found = values[i] as number;
  }
  return found;
}

export function largest(values: ArrayLike<number>): number {
  let found = values[0] as number;
  for (let i = 0; i < values.length; i += 1) {
    if ((values[i] as number) > found || Number.isNaN(found)) found = values[i] as number;
  }
  return found;
}

export interface Bucket {
  bound: number;
  count: number;
}

/** The quantile of cumulative buckets, linear within one; NaN without an infinite bucket. */
export function bucketQuantile(q: number, given: readonly Bucket[]): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const buckets = monotonic(given);
  const last = buckets.at(-1);
  if (!last || last.bound !== Infinity || buckets.length < 2 || last.count === 0) return Number.NaN;
  let rank = q * last.count;
  const found = buckets.slice(0, -1).findIndex(({ count }) => count >= rank);
  const b = found < 0 ? buckets.length - 1 : found;
  const bucket = buckets[b] as Bucket;
  if (b === buckets.length - 1) return (buckets.at(-2) as Bucket).bound;
  if (b === 0 && bucket.bound <= 0) return bucket.bound;
  const below = b > 0 ? (buckets[b - 1] as Bucket) : { bound: 0, count: 0 };
  rank -= below.count;
  return below.bound + (bucket.bound - below.bound) * (rank / (bucket.count - below.count));
}

/** Sorted by bound, equal bounds added up, counts that never fall. */
function monotonic(given: readonly Bucket[]): Bucket[] {
  const buckets: Bucket[] = [];
  for (const { bound, count } of [...given].sort((a, b) => a.bound - b.bound || 0)) {
    const before = buckets.at(-1);
    if (before?.bound === bound) before.count += count;
    else buckets.push({ bound, count });
  }
  let most = buckets[0]?.count ?? 0;
  for (const bucket of buckets) {
    if (bucket.count > most) most = bucket.count;
    else bucket.count = most;
  }
  return buckets;
}
