import { type Attributes, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import type pg from 'pg';

const LONGEST_TEXT = 1024;
const OPERATION = /^\s*(?:--[^\n]*\n\s*)*(\w+)/;
/** The first table a statement names, for a span's name: `SELECT files`. Near enough to read by, not a parser. */
const TABLE = /\b(?:from|into|update|copy)\s+(?:only\s+)?"?([a-z_][\w.]*)"?/i;
/** Says nothing that the statements after it do not say; a COMMIT does, it is where the disk is waited for. */
const UNTOLD = new Set(['BEGIN', 'START']);

/**
 * A client span around every query that runs below another span; queries outside of any (heartbeats, polling)
 * leave none. Texts are recorded, values never.
 *
 * Instead of instrumentation-pg: that patches through a loader (`node --import`), which every process and
 * child would have to be started with. A wrapper on the clients of our own pool needs none.
 */
export function traceQueries(pool: pg.Pool, attributes: Attributes = {}): void {
  pool.on('connect', (client) => {
    const original = client.query.bind(client) as (...args: unknown[]) => unknown;
    client.query = ((...args: unknown[]) => {
      const parent = trace.getActiveSpan();
      if (!parent?.isRecording() || isTracingSuppressed(context.active())) return original(...args);
      const text = describe(args[0]);
      const operation = (OPERATION.exec(text)?.[1] ?? 'query').toUpperCase();
      if (UNTOLD.has(operation)) return original(...args);
      return inSpan(operation, text, attributes, original, args);
    }) as typeof client.query;
  });
}

function describe(query: unknown): string {
  if (typeof query === 'string') return query;
  const text = (query as { text?: unknown; cursor?: { text?: unknown } } | null)?.text;
  return typeof text === 'string' ? text : '';
}

function inSpan(
  operation: string,
  text: string,
  attributes: Attributes,
  original: (...args: unknown[]) => unknown,
  args: unknown[],
): unknown {
  const table = TABLE.exec(text)?.[1];
  const span = trace.getTracer('caudal.postgres').startSpan(table ? `${operation} ${table}` : operation, {
    kind: SpanKind.CLIENT,
    attributes: {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      ...(table ? { 'db.collection.name': table } : {}),
      'db.query.text': text.slice(0, LONGEST_TEXT),
      ...attributes,
    },
  });
  try {
    const result = original(...withCallback(args, span));
    if (result instanceof Promise) {
      return result.then(
        (value) => {
          end(span);
          return value;
        },
        (error: unknown) => {
          end(span, error);
          throw error;
        },
      );
    }
    endWithStream(span, result);
    return result;
  } catch (error) {
    end(span, error);
    throw error;
  }
}

type Callback = (error: unknown, ...rest: unknown[]) => unknown;

/** node-postgres also answers by callback; the callback runs in the caller's context. */
function withCallback(args: unknown[], span: Span): unknown[] {
  const callback = args.at(-1);
  if (typeof callback !== 'function') return args;
  const answered: Callback = context.bind(context.active(), (error, ...rest) => {
    end(span, error);
    return (callback as Callback)(error, ...rest);
  });
  return [...args.slice(0, -1), answered];
}

/** COPY and cursors: the query object itself is what is returned, a stream that ends. */
function endWithStream(span: Span, result: unknown): void {
  const stream = result as { once?: (event: string, listener: (error?: unknown) => void) => unknown } | undefined;
  if (typeof stream?.once !== 'function') return;
  stream.once('error', (error) => end(span, error));
  stream.once('close', () => end(span));
}

function end(span: Span, error?: unknown): void {
  if (!span.isRecording()) return;
  if (error) {
    const code = (error as { code?: unknown }).code;
    span.setAttribute('error.type', typeof code === 'string' ? code : 'error');
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
  }
  span.end();
}
