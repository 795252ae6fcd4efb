export type MetricType = 'counter' | 'updown' | 'gauge' | 'histogram';

export interface MetricEntry {
  type: MetricType;
  /** UCUM, as OpenTelemetry wants it: `s`, `By`, `1`, `{row}`. */
  unit: string;
  description: string;
  attributes: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  bounds?: readonly number[];
}

/** The conventions' own for HTTP, finer where our marks lie (0.1, 0.3, 0.5 s). */
export const LATENCY = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2.5, 5, 10, 30];
export const WAITING = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600];
export const PER_SECOND = [100, 1000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000];
