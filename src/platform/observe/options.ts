import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

export interface TelemetryOptions {
  /** `caudal-api`, `-worker`, `-telemetry`, `-cli`. */
  service: string;
  instance: string;
  version?: string;
  /** dev, qa, staging, prod. */
  environment?: string;
  /** Base URL of the intake, e.g. `http://127.0.0.1:4318`; OTEL_EXPORTER_OTLP_*ENDPOINT takes its place. */
  endpoint?: string;
  /** Sent with every export: `authorization` for a user's token, `x-caudal-internal` for Caudal's own processes. */
  headers?: Record<string, string>;
  /** Instead of the network: the telemetry process hands its own spans to its store. */
  exporters?: TelemetryExporters;
  /** A process that lives long enough to be measured; commands are not. */
  metrics?: boolean;
  /** Told (at most once a minute) when telemetry is being lost; it never disturbs the work itself. */
  onProblem?: (message: string) => void;
  env?: NodeJS.ProcessEnv;
}

export interface TelemetryExporters {
  spans: SpanExporter | null;
  logs: LogRecordExporter | null;
  metrics?: PushMetricExporter | null;
}
