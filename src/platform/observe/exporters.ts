import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { TelemetryExporters, TelemetryOptions } from './options.ts';

/** Of one attempt; `patience.ts` says how many. */
const ATTEMPT_MS = 2500;

type Signal = 'traces' | 'logs' | 'metrics';
type Compression = NonNullable<NonNullable<ConstructorParameters<typeof OTLPTraceExporter>[0]>['compression']>;

/**
 * OTLP over HTTP, protobuf, gzip. The standard variables win over our endpoint: whoever has a backend points
 * them there. `OTEL_TRACES_EXPORTER=none` (or LOGS, METRICS) keeps a signal at home.
 */
export function otlpExporters(
  options: TelemetryOptions,
  env: NodeJS.ProcessEnv,
  attemptMs = ATTEMPT_MS,
): TelemetryExporters {
  const wanted = (signal: Signal) => {
    const name = signal.toUpperCase();
    if (env[`OTEL_${name}_EXPORTER`] === 'none') return undefined;
    const outside = env[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
    if (outside) return compression(name, env);
    if (!options.endpoint) return undefined;
    const url = `${options.endpoint.replace(/\/$/, '')}/v1/${signal}`;
    return { url, headers: options.headers ?? {}, timeoutMillis: attemptMs, ...compression(name, env) };
  };
  const traces = wanted('traces');
  const logs = wanted('logs');
  const metrics = options.metrics ? wanted('metrics') : undefined;
  return {
    spans: traces ? new OTLPTraceExporter(traces) : null,
    logs: logs ? new OTLPLogExporter(logs) : null,
    metrics: metrics ? new OTLPMetricExporter(metrics) : null,
  };
}

/** gzip is not the exporters' default; an argument would override the standard variable. */
function compression(signal: string, env: NodeJS.ProcessEnv): { compression?: Compression } {
  const chosen = env[`OTEL_EXPORTER_OTLP_${signal}_COMPRESSION`] ?? env['OTEL_EXPORTER_OTLP_COMPRESSION'];
  return chosen ? {} : { compression: 'gzip' as Compression };
}
