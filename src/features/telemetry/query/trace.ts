import type { Trace } from '#contract/telemetry.ts';
import { literal, withConnection } from '../store/duckdb.ts';
import type { TimeRange, Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { type LogRow, logOf, type SpanRow, spanOf } from './shape.ts';
import { openTraceSegments } from './trace-segments.ts';

/** More than anybody looks at; an endless loop in somebody's program must not fill our memory. */
const MOST_SPANS = 20_000;
const MOST_LOGS = 5000;
export const QUERY_TIMEOUT_MS = 20_000;

/** One trace, in order of start; a span that was exported twice (a retry after a lost answer) appears once. */
export async function readTrace(
  store: TelemetryStore,
  visible: Visibility,
  traceId: string,
  range: TimeRange = {},
): Promise<Trace | null> {
  const [spans, logs] = await Promise.all([
    read<SpanRow>(store, 'spans', visible, range, traceId, 'start_ns, span_id', MOST_SPANS),
    read<LogRow>(store, 'logs', visible, range, traceId, 'ts_ns', MOST_LOGS),
  ]);
  if (spans.length === 0 && logs.length === 0) return null;
  const once = new Map(spans.map((row) => [row.span_id, row]));
  return { trace_id: traceId, spans: [...once.values()].map(spanOf), logs: logs.map(logOf) };
}

async function read<R>(
  store: TelemetryStore,
  signal: 'spans' | 'logs',
  visible: Visibility,
  range: TimeRange,
  traceId: string,
  order: string,
  most: number,
): Promise<R[]> {
  const view = await openTraceSegments(store, signal, visible, range, { traceId, timeoutMs: QUERY_TIMEOUT_MS });
  // A literal: row groups are skipped by what is known when the statement is planned (38 ms instead of 61 over a day).
  const where = `trace_id = ${literal(traceId)}`;
  try {
    return await withConnection(
      store.buffer.instance,
      (run) => run<R>(`SELECT * FROM ${view.from} WHERE ${where} ORDER BY ${order} LIMIT ${most}`),
      QUERY_TIMEOUT_MS,
    );
  } finally {
    await view.release();
  }
}
