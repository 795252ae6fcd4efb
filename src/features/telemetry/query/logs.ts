import { type LogPage, SEVERITIES } from '#contract/telemetry.ts';
import type { LogFilter, LogSearch } from '../reader.ts';
import { withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { encodePosition } from './cursor.ts';
import { type LogRow, logOf } from './shape.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { type Conditions, noConditions, openView } from './view.ts';

type Row = LogRow & { key: string };

/** Log lines, newest first. Lines have no id: those of one nanosecond are told apart by a digest of their content. */
export async function searchLogs(store: TelemetryStore, visible: Visibility, search: LogSearch): Promise<LogPage> {
  const conditions = logConditions(search);
  const view = await openView(store, 'logs', visible, search.range);
  try {
    const key = "md5(concat_ws('|', service, instance, body, trace_id, span_id, attrs))";
    let where = conditions.where();
    if (search.cursor) {
      const { ns, key: after } = search.cursor;
      where += ` AND ts_ns <= ${ns} AND (ts_ns < ${ns} OR ${key} < $${conditions.values.push(after)}::VARCHAR)`;
    }
    const wanted = search.limit + 1;
    const rows = await withConnection(
      store.buffer.instance,
      (run) =>
        run<Row>(
          // The digest of the newest lines alone: that of every line takes longer than all the rest.
          `WITH newest AS (SELECT ts_ns FROM ${view.from} WHERE ${where} ORDER BY ts_ns DESC LIMIT ${wanted})
           SELECT *, ${key} AS key FROM ${view.from} WHERE ${where} AND ts_ns >= (SELECT min(ts_ns) FROM newest)
           ORDER BY ts_ns DESC, key DESC LIMIT ${wanted}`,
          conditions.values,
        ),
      QUERY_TIMEOUT_MS,
    );
    const items = rows.slice(0, search.limit);
    const last = rows.length > search.limit ? items.at(-1) : undefined;
    return { items: items.map(logOf), next_cursor: last ? encodePosition({ ns: last.ts_ns, key: last.key }) : null };
  } finally {
    await view.release();
  }
}

export function logConditions(search: LogFilter): Conditions {
  const conditions = noConditions();
  const { query, system, service, instance, severities, trace_id, range } = search;
  if (query !== undefined) conditions.add('contains(lower(body), lower(?))', query);
  if (system !== undefined) conditions.add('system = ?', system);
  if (service !== undefined) conditions.add('service = ?', service);
  if (instance !== undefined) conditions.add('instance = ?', instance);
  if (trace_id !== undefined) conditions.add('trace_id = ?', trace_id);
  if (severities !== undefined) {
    const grades = severities.map((severity) => SEVERITIES.indexOf(severity) + 1);
    conditions.add(`ceil(severity / 4) IN (${grades.join(', ')})`);
  }
  // Numbers, not parameters: row groups are skipped by what is known when the statement is planned.
  if (range.from_ns !== undefined) conditions.add(`ts_ns >= ${range.from_ns}`);
  if (range.to_ns !== undefined) conditions.add(`ts_ns <= ${range.to_ns}`);
  conditions.addAttributes('attrs', search.attributes);
  return conditions;
}
