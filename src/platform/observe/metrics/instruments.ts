import {
  type Attributes,
  type Counter,
  type Histogram,
  type MeterProvider,
  type MetricOptions,
  metrics,
  type ObservableCounter,
  type ObservableGauge,
  type ObservableResult,
} from '@opentelemetry/api';
import type { MetricEntry } from '#contract/metric-entry.ts';
import { METRICS, type MetricName, type MetricOfType } from '#contract/metrics.ts';

/**
 * Instruments by their name in the table. They are made when they are first used and again for another provider:
 * the API has no proxy for meters, so one made before the SDK started would forget everything for ever.
 */
export function counter(name: MetricOfType<'counter'>): Counter {
  return instrument(name, (options) => meter().createCounter(name, options));
}

export function histogram(name: MetricOfType<'histogram'>): Histogram {
  return instrument(name, (options) => meter().createHistogram(name, options));
}

export interface Observation {
  value: number;
  attributes?: Attributes;
}

export type Observations = Partial<Record<MetricOfType<'gauge' | 'counter'>, number | Observation[]>>;

/**
 * Values that are looked up when somebody collects. One look for all of them; what it does not give is not reported,
 * and a look that fails (the database is away) reports nothing. @returns how to end it
 */
export function observe(
  names: readonly MetricOfType<'gauge' | 'counter'>[],
  look: () => Observations | Promise<Observations>,
): () => void {
  const observables = names.map((name) => observable(name));
  const callback = async (result: { observe: Report }): Promise<void> => {
    const seen = await Promise.resolve(look()).catch(() => ({}) as Observations);
    for (const [index, name] of names.entries()) {
      const values = seen[name];
      const target = observables[index];
      if (values === undefined || !target) continue;
      for (const { value, attributes } of typeof values === 'number' ? [{ value: values, attributes: {} }] : values) {
        result.observe(target, value, attributes ?? {});
      }
    }
  };
  const owner = meter();
  owner.addBatchObservableCallback(callback, observables);
  return () => owner.removeBatchObservableCallback(callback, observables);
}

type Observable = ObservableCounter | ObservableGauge;
type Report = (target: Observable, ...value: Parameters<ObservableResult['observe']>) => void;

function observable(name: MetricOfType<'gauge' | 'counter'>): Observable {
  return METRICS[name].type === 'counter'
    ? instrument(name, (options) => meter().createObservableCounter(name, options))
    : instrument(name, (options) => meter().createObservableGauge(name, options));
}

const meter = () => metrics.getMeter('caudal');

let made: { provider: MeterProvider; instruments: Map<MetricName, unknown> } | undefined;

function instrument<I>(name: MetricName, make: (options: MetricOptions) => I): I {
  const provider = metrics.getMeterProvider();
  if (made?.provider !== provider) made = { provider, instruments: new Map() };
  const known = made.instruments.get(name) as I | undefined;
  if (known) return known;
  const { unit, description, bounds }: MetricEntry = METRICS[name];
  const fresh = make({
    unit,
    description,
    ...(bounds ? { advice: { explicitBucketBoundaries: [...bounds] } } : {}),
  });
  made.instruments.set(name, fresh);
  return fresh;
}
