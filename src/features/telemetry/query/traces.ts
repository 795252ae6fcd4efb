import type { DuckDBValue } from '@duckdb/node-api';
import type { TracePage, TraceSummary } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { TraceSearch } from '../reader.ts';
import { literal, type Read, withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { encodePosition } from './cursor.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { openTraceView, type TraceView } from './trace-view.ts';
import { type Conditions, noConditions } from './view.ts';

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

type Candidate = Pick<Row, 'trace_id' | 'start_ns' | 'end_ns'>;

/** So many of the newest traces that may fit are looked at before all spans are asked which ones do. */
const CANDIDATES_PER_ITEM = 4;

/**
 * Traces with a span to which everything asked for applies, newest first. The rollup says when each trace began and
 * rules some out; the spans of the newest that are left say which ones fit, and what they are. Where too few of them
 * do (a rare attribute), all spans are asked for the traces that fit, and the rollup orders those.
 */
export async function searchTraces(
  store: TelemetryStore,
  visible: Visibility,
  search: TraceSearch,
): Promise<TracePage> {
  const wanted = search.limit + 1;
  const most = wanted * CANDIDATES_PER_ITEM;
  const view = await openTraceView(store, visible, search.range);
  try {
    return await withConnection(
      store.buffer.instance,
      async (read) => {
        const newest = await candidates(read, search, view.parts, most);
        const found = await summaries(read, search, view, newest);
        if (found.length >= wanted || newest.length < most) return pageOf(found, search.limit);
        const fitting = await candidates(read, search, view.parts, wanted, await view.spans());
        return pageOf(await summaries(read, search, view, fitting), search.limit);
      },
      QUERY_TIMEOUT_MS,
    );
  } finally {
    await view.release();
  }
}

/** The newest traces that may fit; with `spans`, those that do. */
async function candidates(
  read: Read,
  search: TraceSearch,
  parts: string,
  most: number,
  spans?: string,
): Promise<Candidate[]> {
  const values: DuckDBValue[] = [];
  const fitting = spans
    ? `SEMI JOIN (SELECT trace_id FROM ${spans} WHERE ${spanConditions(search, values).where()}) USING (trace_id)`
    : '';
  const { service, status, range, cursor } = search;
  const conditions = noConditions(values);
  if (service !== undefined) conditions.add('bool_or(list_contains(services, ?))', service);
  if (status === 'error') conditions.add('sum(errors) > 0');
  if (search.min_duration_ns !== undefined)
    conditions.add('max(end_ns) - min(start_ns) >= ?', BigInt(search.min_duration_ns));
  if (range.from_ns !== undefined) conditions.add('max(end_ns) >= ?', range.from_ns);
  if (range.to_ns !== undefined) conditions.add('min(start_ns) <= ?', range.to_ns);
  if (cursor) conditions.add('(min(start_ns), trace_id) < (?::BIGINT, ?::VARCHAR)', cursor.ns, cursor.key);
  return read<Candidate>(
    `SELECT trace_id, min(start_ns) AS start_ns, max(end_ns) AS end_ns FROM ${parts} ${fitting}
     GROUP BY trace_id HAVING ${conditions.where()} ORDER BY start_ns DESC, trace_id DESC LIMIT ${most}`,
    values,
  );
}

/**
 * Those of the candidates that fit, in their order. The root is the span without a parent, or the earliest one where
 * its parent is not known (yet).
 */
async function summaries(read: Read, search: TraceSearch, view: TraceView, of: readonly Candidate[]): Promise<Row[]> {
  if (of.length === 0) return [];
  const { where, values } = spanConditions(search);
  const spans = await view.spans(of.map(({ start_ns, end_ns }) => ({ from_ns: start_ns, to_ns: end_ns })));
  // Literals, not parameters: row groups are skipped by what is known when the statement is planned.
  const ids = of.map(({ trace_id }) => literal(trace_id)).join(', ');
  return read<Row>(
    `SELECT trace_id, min(start_ns) AS start_ns, max(start_ns + dur_ns) AS end_ns,
            first(service ORDER BY parent_span_id IS NOT NULL, start_ns, span_id) AS root_service,
            first(name ORDER BY parent_span_id IS NOT NULL, start_ns, span_id) AS root_name,
            count(DISTINCT span_id) AS spans,
            count(DISTINCT span_id) FILTER (status = 'error') AS errors,
            list_sort(list_distinct(list(service))) AS services
     FROM ${spans} WHERE trace_id IN (${ids})
     GROUP BY trace_id HAVING bool_or(${where()}) ORDER BY start_ns DESC, trace_id DESC`,
    values,
  );
}

function pageOf(rows: readonly Row[], limit: number): TracePage {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(summaryOf),
    next_cursor: last ? encodePosition({ ns: last.start_ns, key: last.trace_id }) : null,
  };
}

export function spanConditions(search: TraceSearch, values: DuckDBValue[] = []): Conditions {
  const conditions = noConditions(values);
  const { system, service, operation, status, range } = search;
  if (system !== undefined) conditions.add('system = ?', system);
  if (service !== undefined) conditions.add('service = ?', service);
  if (operation !== undefined) conditions.add('name = ?', operation);
  if (status !== undefined) conditions.add('status = ?', status);
  if (search.min_duration_ns !== undefined) conditions.add('dur_ns >= ?', BigInt(search.min_duration_ns));
  if (search.max_duration_ns !== undefined) conditions.add('dur_ns <= ?', BigInt(search.max_duration_ns));
  if (range.from_ns !== undefined) conditions.add(`start_ns >= ${range.from_ns}`);
  if (range.to_ns !== undefined) conditions.add(`start_ns <= ${range.to_ns}`);
  conditions.addAttributes('attrs', search.attributes);
  return conditions;
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
