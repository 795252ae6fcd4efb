import type { Touched, TouchedSearch } from '../reader.ts';
import { withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { noConditions, openView } from './view.ts';

const MOST = 5_000;
const attribute = (name: string): string => `json_extract_string(attrs, '/${name}')`;

/**
 * What spans of a trace, an instance or a release were working on: traces, tasks, files. With a span, only what lies
 * below it. A release is `service.version` of the resource.
 */
export async function readTouched(store: TelemetryStore, visible: Visibility, search: TouchedSearch): Promise<Touched> {
  const { trace_id, span_id, instance, release, range } = search;
  const conditions = noConditions();
  if (trace_id !== undefined) conditions.add('trace_id = ?', trace_id);
  if (instance !== undefined) conditions.add('instance = ?', instance);
  if (range.from_ns !== undefined) conditions.add('start_ns + dur_ns >= ?', range.from_ns);
  if (range.to_ns !== undefined) conditions.add('start_ns <= ?', range.to_ns);
  const [spans, resources] = await Promise.all([
    openView(store, 'spans', visible, range),
    openView(store, 'resources', visible),
  ]);
  try {
    if (release !== undefined) {
      const ofRelease = `SELECT resource_id FROM ${resources.from} WHERE ${attribute('service.version')} = ?`;
      conditions.add(`resource_id IN (${ofRelease})`, release);
    }
    const found = `SELECT trace_id, span_id, parent_span_id, status, attrs FROM ${spans.from} WHERE ${conditions.where()}`;
    const root = conditions.values.length + 1;
    const below = `
      SELECT trace_id, span_id, parent_span_id, status, attrs FROM found WHERE span_id = $${root}
      UNION SELECT f.trace_id, f.span_id, f.parent_span_id, f.status, f.attrs
      FROM found f JOIN below b ON f.parent_span_id = b.span_id AND f.trace_id = b.trace_id`;
    const [row] = await withConnection(
      store.buffer.instance,
      (read) =>
        read<{ spans: bigint; errors: bigint; traces: string[]; tasks: string[]; files: string[] }>(
          `WITH RECURSIVE found AS (${found}), below AS (${span_id === undefined ? 'SELECT * FROM found' : below})
           SELECT count(*) AS spans, count(*) FILTER (status = 'error') AS errors,
                  coalesce(list(DISTINCT trace_id), []) AS traces,
                  coalesce(list(DISTINCT ${attribute('caudal.task.id')}) FILTER (${attribute('caudal.task.id')} IS NOT NULL), []) AS tasks,
                  coalesce(list(DISTINCT ${attribute('caudal.file.id')}) FILTER (${attribute('caudal.file.id')} IS NOT NULL), []) AS files
           FROM below`,
          span_id === undefined ? conditions.values : [...conditions.values, span_id],
        ),
      QUERY_TIMEOUT_MS,
    );
    const { traces = [], tasks = [], files = [] } = row ?? {};
    return {
      spans: Number(row?.spans ?? 0),
      errors: Number(row?.errors ?? 0),
      traces: traces.slice(0, MOST),
      tasks: tasks.slice(0, MOST),
      files: files.slice(0, MOST),
      truncated: [traces, tasks, files].some((ids) => ids.length > MOST),
    };
  } finally {
    await Promise.all([spans.release(), resources.release()]);
  }
}

const MOST_REPORTS = 200;

/** Reports, charts, exports and published endpoints that were answered since then, by their path. */
export async function readReports(store: TelemetryStore, visible: Visibility, sinceNs: bigint) {
  const view = await openView(store, 'spans', visible, { from_ns: sinceNs });
  try {
    const rows = await withConnection(
      store.buffer.instance,
      (read) =>
        read<{ path: string; trace_id: string; start_ns: bigint }>(
          `SELECT ${attribute('url.path')} AS path, trace_id, start_ns FROM ${view.from}
           WHERE kind = 'server' AND http_status < 300 AND start_ns >= $1
             AND regexp_matches(http_route, '/(report|chart|rows)\\.|^/endpoints/')
           ORDER BY start_ns DESC LIMIT ${MOST_REPORTS * 10}`,
          [sinceNs],
        ),
      QUERY_TIMEOUT_MS,
    );
    return rows.map(({ path, trace_id, start_ns }) => ({ path, trace_id, at_ns: String(start_ns) }));
  } finally {
    await view.release();
  }
}
