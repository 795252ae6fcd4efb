import type { TracePage, TraceSummary } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { TraceSearch } from '../reader.ts';
import { withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { encodePosition } from './cursor.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { type Conditions, noConditions, openView } from './view.ts';

interface Row {
  trace_id: string;
  start_ns: bigint;
  end_ns: bigint;
  root_service: string;
  root_name: string;
  spans: bigint;
  errors: bigint;
  services: string[];
}

/** Traces with a span to which everything asked for applies, newest first. */
export async function searchTraces(
  store: TelemetryStore,
  visible: Visibility,
  search: TraceSearch,
): Promise<TracePage> {
  const conditions = spanConditions(search);
  const hit = conditions.where();
  let page = 'true';
  if (search.cursor) {
    const { ns, key } = search.cursor;
    const first = conditions.values.push(ns, key) - 1;
    page = `(start_ns, trace_id) < ($${first}::BIGINT, $${first + 1}::VARCHAR)`;
  }
  const view = await openView(store, 'spans', visible, search.range);
  try {
    const rows = await withConnection(
      store.buffer.instance,
      (run) => run<Row>(statement(view.from, hit, page, search.limit + 1), conditions.values),
      QUERY_TIMEOUT_MS,
    );
    const items = rows.slice(0, search.limit);
    const last = rows.length > search.limit ? items.at(-1) : undefined;
    return {
      items: items.map(summaryOf),
      next_cursor: last ? encodePosition({ ns: last.start_ns, key: last.trace_id }) : null,
    };
  } finally {
    await view.release();
  }
}

function spanConditions(search: TraceSearch): Conditions {
  const conditions = noConditions();
  const { system, service, operation, status, range } = search;
  if (system !== undefined) conditions.add('system = ?', system);
  if (service !== undefined) conditions.add('service = ?', service);
  if (operation !== undefined) conditions.add('name = ?', operation);
  if (status !== undefined) conditions.add('status = ?', status);
  if (search.min_duration_ns !== undefined) conditions.add('dur_ns >= ?', BigInt(search.min_duration_ns));
  if (search.max_duration_ns !== undefined) conditions.add('dur_ns <= ?', BigInt(search.max_duration_ns));
  if (range.from_ns !== undefined) conditions.add('start_ns >= ?', range.from_ns);
  if (range.to_ns !== undefined) conditions.add('start_ns <= ?', range.to_ns);
  conditions.addAttributes('attrs', search.attributes);
  return conditions;
}

/** The root is the span without a parent, or the earliest one where its parent is not known (yet). */
function statement(from: string, hit: string, page: string, limit: number): string {
  return `
    WITH seen AS (SELECT trace_id, span_id, parent_span_id, start_ns, dur_ns, system, service, name, status, attrs FROM ${from}),
    found AS (SELECT DISTINCT trace_id FROM seen WHERE ${hit}),
    traces AS (
      SELECT trace_id, min(start_ns) AS start_ns, max(start_ns + dur_ns) AS end_ns,
             first(service ORDER BY parent_span_id IS NOT NULL, start_ns) AS root_service,
             first(name ORDER BY parent_span_id IS NOT NULL, start_ns) AS root_name,
             count(DISTINCT span_id) AS spans,
             count(DISTINCT span_id) FILTER (status = 'error') AS errors,
             list_sort(list_distinct(list(service))) AS services
      FROM seen SEMI JOIN found USING (trace_id) GROUP BY trace_id)
    SELECT * FROM traces WHERE ${page} ORDER BY start_ns DESC, trace_id DESC LIMIT ${limit}`;
}

function summaryOf(row: Row): TraceSummary {
  const { trace_id, root_service, root_name, services } = row;
  return {
    trace_id,
    root_service,
    root_name,
    start: formatNs(row.start_ns),
    duration_ns: Number(row.end_ns - row.start_ns),
    spans: Number(row.spans),
    errors: Number(row.errors),
    services,
  };
}
