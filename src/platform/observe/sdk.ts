import {
  context,
  type DiagLogFunction,
  DiagLogLevel,
  diag,
  logs,
  metrics,
  propagation,
  trace,
} from '@opentelemetry/api';
import {
  CompositePropagator,
  setGlobalErrorHandler,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { asyncContextManager } from './context.ts';
import { otlpExporters } from './exporters.ts';
import { sendLine } from './log-bridge.ts';
import { startMetering } from './metrics/provider.ts';
import type { TelemetryOptions } from './options.ts';
import { traceOutgoingRequests } from './outgoing.ts';
import { PATIENCE, patient } from './patience.ts';
import { ownResource } from './resource.ts';
import { workspaceInheritance } from './workspace.ts';

export interface Telemetry {
  /** Sends what is buffered; resolves after `timeoutMs` even if the intake is away. Never rejects. */
  flush(timeoutMs?: number): Promise<void>;
  /** Flushes, then stops; the globals of OpenTelemetry are free again afterwards. Never rejects. */
  shutdown(timeoutMs?: number): Promise<void>;
  /** What this process measured so far, as Prometheus text. */
  scrape(): Promise<string>;
}

const PROBLEM_INTERVAL_MS = 60_000;
/** ~1 KB a span: the intake may be away for a while without more than this in memory. */
const MAX_QUEUE = 16_384;
const DELAY_MS = 1000;
const FLUSH_TIMEOUT_MS = 3000;

/**
 * Sets OpenTelemetry up for this process: context over async calls, W3C trace context and baggage, spans and
 * logs in batches, metrics where asked for, spans around outgoing HTTP. Every span is recorded: `sampled=0` from outside is ignored.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const env = options.env ?? process.env;
  if (env['OTEL_SDK_DISABLED'] === 'true') {
    return { flush: () => Promise.resolve(), shutdown: () => Promise.resolve(), scrape: () => Promise.resolve('') };
  }
  listenToProblems(options.onProblem ?? (() => undefined));
  const resource = resourceFromAttributes(ownResource(options, env));
  const exporters = options.exporters ?? otlpExporters(options, env);
  const spans = exporters.spans && patient(exporters.spans);
  const records = exporters.logs && patient(exporters.logs);
  const tracing = tracerProvider(spans?.exporter ?? null, resource, env);
  const logging = loggerProvider(records?.exporter ?? null, resource, env);
  const metering = options.metrics ? startMetering(exporters.metrics ?? null, resource, env) : null;
  const manager = asyncContextManager();
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  trace.setGlobalTracerProvider(tracing);
  logs.setGlobalLoggerProvider(logging);
  const outgoing = traceOutgoingRequests();
  const all = (what: 'forceFlush' | 'shutdown') =>
    Promise.allSettled([tracing[what](), logging[what](), metering?.provider[what]()]);
  return {
    flush: (timeoutMs = FLUSH_TIMEOUT_MS) => within(timeoutMs, all('forceFlush')),
    async shutdown(timeoutMs = FLUSH_TIMEOUT_MS) {
      outgoing.disable();
      spans?.hurry();
      records?.hurry();
      await within(timeoutMs, all('shutdown'));
      for (const api of [trace, logs, metrics, propagation, context, diag]) api.disable();
    },
    scrape: () => metering?.scrape() ?? Promise.resolve(''),
  };
}

export interface LineSender {
  send(line: string): void;
  /** Sends what is buffered, then stops. Never rejects. */
  shutdown(timeoutMs?: number): Promise<void>;
}

/**
 * Only the lines of one logger, apart from OpenTelemetry's globals: for a process in which commands with a telemetry of
 * their own come and go.
 */
export function sendLines(options: TelemetryOptions): LineSender {
  const env = options.env ?? process.env;
  const exporter = env['OTEL_SDK_DISABLED'] === 'true' ? null : otlpExporters(options, env).logs;
  const records = exporter && patient(exporter);
  const provider = loggerProvider(records?.exporter ?? null, resourceFromAttributes(ownResource(options, env)), env);
  const logger = provider.getLogger('caudal');
  return {
    send: (line) => sendLine(line, logger),
    async shutdown(timeoutMs = FLUSH_TIMEOUT_MS) {
      records?.hurry();
      await within(timeoutMs, Promise.allSettled([provider.shutdown()]));
    },
  };
}

type Resource = ReturnType<typeof resourceFromAttributes>;

function tracerProvider(exporter: SpanExporter | null, resource: Resource, env: NodeJS.ProcessEnv): TracerProvider {
  const batches = exporter ? [new BatchSpanProcessor({ exporter, ...batchSettings('OTEL_BSP', env) })] : [];
  return new TracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    spanProcessors: [workspaceInheritance(), ...batches],
    spanLimits: { attributeValueLengthLimit: 16_384 },
  });
}

function loggerProvider(
  exporter: LogRecordExporter | null,
  resource: Resource,
  env: NodeJS.ProcessEnv,
): LoggerProvider {
  const processors = exporter ? [new BatchLogRecordProcessor({ exporter, ...batchSettings('OTEL_BLRP', env) })] : [];
  return new LoggerProvider({ resource, processors, logRecordLimits: { attributeValueLengthLimit: 65_536 } });
}

/** The names are the specification's; the defaults are ours: seen within a second, and room for an absent intake. */
function batchSettings(prefix: 'OTEL_BSP' | 'OTEL_BLRP', env: NodeJS.ProcessEnv) {
  const number = (name: string, fallback: number) => {
    const value = Number(env[`${prefix}_${name}`] ?? '');
    return Number.isInteger(value) && value > 0 ? value : fallback;
  };
  return {
    scheduledDelayMillis: number('SCHEDULE_DELAY', DELAY_MS),
    maxQueueSize: number('MAX_QUEUE_SIZE', MAX_QUEUE),
    maxExportBatchSize: number('MAX_EXPORT_BATCH_SIZE', 1024),
    exportTimeoutMillis: number('EXPORT_TIMEOUT', 2 * PATIENCE.limitMs),
  };
}

/** What the SDK has to say about itself goes to one place, and rarely: an absent intake must not fill the log. */
function listenToProblems(tell: (message: string) => void): void {
  let last = Number.NEGATIVE_INFINITY;
  let silenced = 0;
  const problem = (message: string) => {
    const now = performance.now();
    if (now - last < PROBLEM_INTERVAL_MS) {
      silenced += 1;
      return;
    }
    last = now;
    tell(silenced > 0 ? `${message} (and ${silenced} more like it)` : message);
    silenced = 0;
  };
  const quiet: DiagLogFunction = () => undefined;
  const loud: DiagLogFunction = (message) => problem(message);
  diag.setLogger(
    { error: loud, warn: loud, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  setGlobalErrorHandler((error) => problem(`telemetry could not be sent: ${(error as Error).message ?? error}`));
}

async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, timeoutMs);
  await Promise.race([work, timeout.promise]);
  clearTimeout(timer);
}
