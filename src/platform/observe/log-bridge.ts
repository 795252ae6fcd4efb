import { type Attributes, context, type Logger, logs, SeverityNumber } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';

const SEVERITIES: Record<string, SeverityNumber> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

interface LoggedError {
  type?: string;
  message?: string;
  stack?: string;
}

/**
 * A finished pino line as an OpenTelemetry log record. It is written synchronously where it was logged, so the
 * active context is the line's own. Nothing happens before an SDK is there, nor inside the telemetry intake.
 */
export function sendLine(line: string, to: Logger = logs.getLogger('caudal')): void {
  const active = context.active();
  if (isTracingSuppressed(active)) return;
  const {
    level,
    time,
    message,
    err,
    trace_id: _trace,
    span_id: _span,
    'service.name': _service,
    'service.instance.id': _instance,
    ...rest
  } = JSON.parse(line) as Record<string, unknown> & { level: string; time: string; message?: string };
  to.emit({
    timestamp: new Date(time),
    severityNumber: SEVERITIES[level] ?? SeverityNumber.UNSPECIFIED,
    severityText: level,
    body: message ?? '',
    attributes: { ...(rest as Attributes), ...exception(err) },
    context: active,
  });
}

function exception(err: unknown): Attributes {
  if (typeof err !== 'object' || err === null) return {};
  const { type, message, stack } = err as LoggedError;
  return {
    ...(type ? { 'exception.type': type } : {}),
    ...(message ? { 'exception.message': message } : {}),
    ...(stack ? { 'exception.stacktrace': stack } : {}),
  };
}
