import { trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { sendLine } from './log-bridge.ts';
import { activeWorkspace, WORKSPACE } from './workspace.ts';

export type { Logger };

export interface LogOptions {
  level: string;
  service: string;
  instance: string;
  destination?: pino.DestinationStream;
  /** Where finished lines go beside the destination; otherwise to the process's own OpenTelemetry. */
  send?: (line: string) => void;
}

const SECRETS = [
  'password',
  'password_2',
  'token',
  'secret',
  'authorization',
  'cookie',
  '*.password',
  '*.password_2',
  '*.token',
  '*.secret',
  '*.authorization',
  '*.cookie',
  'headers["set-cookie"]',
];

/**
 * JSON lines on stdout, and the same lines to OpenTelemetry once `startTelemetry` has run; every line carries
 * the trace it belongs to and never a secret (lines are sent on after redaction).
 */
export function createLogger(options: LogOptions): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: { 'service.name': options.service, 'service.instance.id': options.instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'message',
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRETS, censor: '[redacted]' },
    mixin: traceOfLine,
  };
  const output = options.destination ?? pino.destination(1);
  const send = options.send ?? ((line: string) => sendLine(line));
  return pino(settings, {
    write(line: string) {
      output.write(line);
      send(line);
    },
  });
}

function traceOfLine(): object {
  const span = trace.getActiveSpan()?.spanContext();
  if (!span) return {};
  const workspace = activeWorkspace();
  return {
    trace_id: span.traceId,
    span_id: span.spanId,
    ...(workspace === undefined ? {} : { [WORKSPACE]: workspace }),
  };
}
