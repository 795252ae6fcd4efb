import { context, metrics } from '@opentelemetry/api';
import { globalErrorHandler, suppressTracing } from '@opentelemetry/core';
import type { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  type CollectionResult,
  InstrumentType,
  MeterProvider,
  MetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { METRICS } from '#contract/metrics.ts';
import { prometheusText } from './prometheus.ts';

export interface Metering {
  provider: MeterProvider;
  /** Everything as Prometheus text, at this moment. */
  scrape(): Promise<string>;
}

/** Four a minute: a policy with `for: 5m` sees twenty points, and the store's minute files stay small. */
const INTERVAL_MS = 15_000;
/** Series of one instrument; further ones are summed into `otel.metric.overflow`. */
const MOST_SERIES = 2000;

/** What is exported and what is scraped are the same numbers, counted since the process started. */
export function startMetering(
  exporter: PushMetricExporter | null,
  resource: ReturnType<typeof resourceFromAttributes>,
  env: NodeJS.ProcessEnv,
): Metering {
  const given = Number(env['OTEL_METRIC_EXPORT_INTERVAL'] ?? '');
  const reader = new Reader(exporter, Number.isInteger(given) && given > 0 ? given : INTERVAL_MS);
  const provider = new MeterProvider({ resource, readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  return {
    provider,
    async scrape() {
      const { resourceMetrics } = await reader.collect();
      return prometheusText(resourceMetrics, METRICS);
    },
  };
}

/**
 * One reader that exports at an interval and is also read when somebody scrapes. Not the SDK's periodic reader beside
 * one for scrapes: the SDK keeps every collection of the one for the other, without end where nobody ever scrapes.
 */
class Reader extends MetricReader {
  readonly #exporter: PushMetricExporter | null;
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(exporter: PushMetricExporter | null, interval: number) {
    super({
      aggregationSelector: () => ({ type: AggregationType.DEFAULT }),
      // A gauge that is not observed any more must end; the SDK repeats cumulative ones for ever.
      aggregationTemporalitySelector: (type) =>
        type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
      cardinalitySelector: () => MOST_SERIES,
    });
    this.#exporter = exporter;
    this.#interval = interval;
  }

  /** One after another: of two at once, the second would find what was observed already taken. */
  override collect(options?: Parameters<MetricReader['collect']>[0]): Promise<CollectionResult> {
    const collecting = this.#last.then(() => super.collect(options));
    this.#last = collecting.catch(() => undefined);
    return collecting;
  }

  protected override onInitialized(): void {
    if (!this.#exporter) return;
    this.#timer = setInterval(() => {
      this.#export().catch(globalErrorHandler);
    }, this.#interval).unref();
  }

  async #export(): Promise<void> {
    const exporter = this.#exporter;
    if (!exporter) return;
    const { resourceMetrics } = await this.collect();
    await context.with(suppressTracing(context.active()), () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      exporter.export(resourceMetrics, ({ code, error }) => (code === 0 ? resolve() : reject(error)));
      return promise;
    });
  }

  protected async onForceFlush(): Promise<void> {
    await this.#export();
  }

  protected async onShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#export().catch(globalErrorHandler);
    await this.#exporter?.shutdown();
  }
}
