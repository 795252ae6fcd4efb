/**
 * The telemetry store's columns, in order: the DuckDB buffer, the Parquet segments and the SQL relations are all made
 * of this one table. Promoted columns plus JSON text for the rest (MAP columns write 13 times slower, VARIANT reads 20
 * times slower). Times are nanoseconds or, of metrics, milliseconds since the epoch.
 */
export const SIGNALS = ['spans', 'logs', 'series', 'points', 'hpoints', 'resources'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Made of spans when they are written; they outlive them. */
export const ROLLUPS = ['red_1m', 'traces'] as const;
export type Rollup = (typeof ROLLUPS)[number];

/** Made of what arrived in an hour when that is compacted, and committed with it. */
export const HOURLY = ['edges_1h', 'red_1h', 'log_traces_1h'] as const;
export type Hourly = (typeof HOURLY)[number];

/** Whatever segments may hold. */
export type Kept = Signal | Rollup | Hourly;
export const KEPT: readonly Kept[] = [...SIGNALS, ...ROLLUPS, ...HOURLY];

/** What rows are appended to; rollups, which DuckDB makes itself, may hold more. */
export type CellType = 'VARCHAR' | 'BIGINT' | 'INTEGER' | 'DOUBLE' | 'BOOLEAN';
type SqlType = CellType | 'VARCHAR[]';
export type Cell = string | bigint | number | boolean | null;

export const COLUMNS = {
  spans: {
    workspace_id: 'VARCHAR',
    start_ns: 'BIGINT',
    dur_ns: 'BIGINT',
    trace_id: 'VARCHAR',
    span_id: 'VARCHAR',
    parent_span_id: 'VARCHAR',
    system: 'VARCHAR',
    service: 'VARCHAR',
    instance: 'VARCHAR',
    name: 'VARCHAR',
    kind: 'VARCHAR',
    status: 'VARCHAR',
    status_msg: 'VARCHAR',
    http_route: 'VARCHAR',
    http_status: 'INTEGER',
    db_system: 'VARCHAR',
    messaging_dest: 'VARCHAR',
    error_type: 'VARCHAR',
    peer_service: 'VARCHAR',
    attrs: 'VARCHAR',
    resource_id: 'VARCHAR',
    scope: 'VARCHAR',
    events: 'VARCHAR',
    links: 'VARCHAR',
    trace_state: 'VARCHAR',
    flags: 'BIGINT',
    dropped: 'VARCHAR',
    scope_attrs: 'VARCHAR',
  },
  logs: {
    workspace_id: 'VARCHAR',
    ts_ns: 'BIGINT',
    observed_ns: 'BIGINT',
    system: 'VARCHAR',
    service: 'VARCHAR',
    instance: 'VARCHAR',
    severity: 'INTEGER',
    severity_text: 'VARCHAR',
    body: 'VARCHAR',
    event_name: 'VARCHAR',
    trace_id: 'VARCHAR',
    span_id: 'VARCHAR',
    attrs: 'VARCHAR',
    resource_id: 'VARCHAR',
    scope: 'VARCHAR',
    flags: 'BIGINT',
    dropped: 'INTEGER',
    scope_attrs: 'VARCHAR',
  },
  /** One row for each series that a write-ahead file has points of; merged by the hour. */
  series: {
    workspace_id: 'VARCHAR',
    seen_ms: 'BIGINT',
    series_id: 'BIGINT',
    metric: 'VARCHAR',
    description: 'VARCHAR',
    unit: 'VARCHAR',
    type: 'VARCHAR',
    temporality: 'VARCHAR',
    monotonic: 'BOOLEAN',
    system: 'VARCHAR',
    service: 'VARCHAR',
    instance: 'VARCHAR',
    labels: 'VARCHAR',
    bounds: 'VARCHAR',
    resource_id: 'VARCHAR',
    scope: 'VARCHAR',
    scope_attrs: 'VARCHAR',
    metadata: 'VARCHAR',
  },
  points: {
    workspace_id: 'VARCHAR',
    series_id: 'BIGINT',
    ts_ms: 'BIGINT',
    start_ms: 'BIGINT',
    value: 'DOUBLE',
    flags: 'BIGINT',
    exemplars: 'VARCHAR',
  },
  hpoints: {
    workspace_id: 'VARCHAR',
    series_id: 'BIGINT',
    ts_ms: 'BIGINT',
    start_ms: 'BIGINT',
    count: 'BIGINT',
    sum: 'DOUBLE',
    min: 'DOUBLE',
    max: 'DOUBLE',
    /** Histogram: the counts. Exponential: scale, zero, offsets and counts. Summary: quantiles. */
    buckets: 'VARCHAR',
    flags: 'BIGINT',
    exemplars: 'VARCHAR',
  },
  resources: {
    workspace_id: 'VARCHAR',
    seen_ns: 'BIGINT',
    resource_id: 'VARCHAR',
    system: 'VARCHAR',
    service: 'VARCHAR',
    instance: 'VARCHAR',
    attrs: 'VARCHAR',
    dropped: 'INTEGER',
    entities: 'VARCHAR',
    schema_url: 'VARCHAR',
  },
  red_1m: {
    workspace_id: 'VARCHAR',
    minute_ms: 'BIGINT',
    system: 'VARCHAR',
    service: 'VARCHAR',
    name: 'VARCHAR',
    kind: 'VARCHAR',
    /** floor(8 · log2 ns): a bucket is 9 % wide, so quantiles merge over systems. */
    bucket: 'INTEGER',
    n: 'BIGINT',
    errors: 'BIGINT',
    dur_ns: 'BIGINT',
  },
  traces: {
    workspace_id: 'VARCHAR',
    trace_id: 'VARCHAR',
    start_ns: 'BIGINT',
    end_ns: 'BIGINT',
    root_service: 'VARCHAR',
    root_name: 'VARCHAR',
    spans: 'BIGINT',
    errors: 'BIGINT',
    services: 'VARCHAR[]',
  },
  edges_1h: {
    workspace_id: 'VARCHAR',
    hour_ms: 'BIGINT',
    from_system: 'VARCHAR',
    from_service: 'VARCHAR',
    to_system: 'VARCHAR',
    to_service: 'VARCHAR',
    bucket: 'INTEGER',
    n: 'BIGINT',
    errors: 'BIGINT',
  },
  /** `red_1m` without the names of operations, of which there are as many as programs like. */
  red_1h: {
    workspace_id: 'VARCHAR',
    hour_ms: 'BIGINT',
    system: 'VARCHAR',
    service: 'VARCHAR',
    kind: 'VARCHAR',
    bucket: 'INTEGER',
    n: 'BIGINT',
    errors: 'BIGINT',
  },
  /** Which traces have log lines, by the end of their id: lines are sorted by time, and a trace is somewhere in them. */
  log_traces_1h: {
    workspace_id: 'VARCHAR',
    hour_ms: 'BIGINT',
    trace_end: 'VARCHAR',
  },
} as const satisfies Record<Kept, Record<string, SqlType>>;

export type RowOf<S extends Signal> = Record<keyof (typeof COLUMNS)[S], Cell>;
export type Rows = { [S in Signal]: RowOf<S>[] };

const HOUR = { from_ns: 'hour_ms * 1000000', to_ns: 'hour_ms * 1000000 + 3599999999999' };

/** When a row was, in ns: the first and the last moment that it covers. */
export const TIMES: Record<Kept, { from_ns: string; to_ns: string }> = {
  spans: { from_ns: 'start_ns', to_ns: 'start_ns + dur_ns' },
  logs: { from_ns: 'ts_ns', to_ns: 'ts_ns' },
  series: { from_ns: 'seen_ms * 1000000', to_ns: 'seen_ms * 1000000' },
  points: { from_ns: 'ts_ms * 1000000', to_ns: 'ts_ms * 1000000' },
  hpoints: { from_ns: 'ts_ms * 1000000', to_ns: 'ts_ms * 1000000' },
  resources: { from_ns: 'seen_ns', to_ns: 'seen_ns' },
  red_1m: { from_ns: 'minute_ms * 1000000', to_ns: 'minute_ms * 1000000 + 59999999999' },
  traces: { from_ns: 'start_ns', to_ns: 'end_ns' },
  edges_1h: HOUR,
  red_1h: HOUR,
  log_traces_1h: HOUR,
};

/** What a segment is sorted by: what it is looked up by comes first. */
export const SORT_COLUMNS: Record<Kept, string> = {
  spans: 'trace_id, start_ns',
  logs: 'ts_ns',
  series: 'metric, series_id',
  points: 'series_id, ts_ms',
  hpoints: 'series_id, ts_ms',
  resources: 'resource_id',
  red_1m: 'service, name, minute_ms',
  traces: 'start_ns',
  edges_1h: 'hour_ms',
  red_1h: 'hour_ms, system, service, kind, bucket',
  log_traces_1h: 'trace_end',
};

/** How rows of several segments become those of one; what is not listed is kept as it is. */
export const MERGES: Partial<Record<Kept, (from: string) => string>> = {
  resources: (from) => `SELECT DISTINCT ON (resource_id) * FROM ${from} ORDER BY resource_id, seen_ns DESC`,
  series: (from) => `SELECT DISTINCT ON (series_id) * FROM ${from} ORDER BY series_id, seen_ms DESC`,
  red_1m: (from) => `
    SELECT workspace_id, minute_ms, system, service, name, kind, bucket, sum(n)::BIGINT AS n,
           sum(errors)::BIGINT AS errors, sum(dur_ns)::BIGINT AS dur_ns
    FROM ${from} GROUP BY ALL`,
  edges_1h: (from) => `
    SELECT workspace_id, hour_ms, from_system, from_service, to_system, to_service, bucket, sum(n)::BIGINT AS n,
           sum(errors)::BIGINT AS errors
    FROM ${from} GROUP BY ALL`,
  traces: (from) => `
    SELECT workspace_id, trace_id, min(start_ns) AS start_ns, max(end_ns) AS end_ns,
           first(root_service) FILTER (root_service IS NOT NULL) AS root_service,
           first(root_name) FILTER (root_name IS NOT NULL) AS root_name, sum(spans)::BIGINT AS spans,
           sum(errors)::BIGINT AS errors, list_sort(list_distinct(flatten(list(services)))) AS services
    FROM ${from} GROUP BY workspace_id, trace_id`,
};

const BUCKET = 'CASE WHEN dur_ns > 0 THEN floor(8 * log2(dur_ns)) ELSE 0 END::INTEGER';

/** Rollups of a table of spans. A trace's part of one minute has a root only if the root ended in it. */
export const ROLL_UP: Record<Rollup, (spans: string) => string> = {
  red_1m: (spans) => `
    SELECT workspace_id, (start_ns // 60000000000) * 60000 AS minute_ms, system, service, name, kind,
           ${BUCKET} AS bucket, count(*) AS n,
           count(*) FILTER (status = 'error') AS errors, sum(dur_ns)::BIGINT AS dur_ns
    FROM ${spans} GROUP BY ALL`,
  traces: (spans) => `
    SELECT workspace_id, trace_id, min(start_ns) AS start_ns, max(start_ns + dur_ns) AS end_ns,
           first(service) FILTER (parent_span_id IS NULL) AS root_service,
           first(name) FILTER (parent_span_id IS NULL) AS root_name, count(DISTINCT span_id) AS spans,
           count(DISTINCT span_id) FILTER (status = 'error') AS errors, list_sort(list_distinct(list(service))) AS services
    FROM ${spans} GROUP BY workspace_id, trace_id`,
};

/** By the hour: of 10 M spans in a day 250,000 rows instead of 7.7 M. */
const redByHour = (red: string): string => `
    SELECT workspace_id, (minute_ms // 3600000) * 3600000 AS hour_ms, system, service, kind, bucket,
           sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
    FROM ${red} GROUP BY ALL`;

/** Some generators begin an id with its time; all end it with chance. Eight digits take a tenth of the lines' bytes, the whole id a third. */
export const traceEnd = (traceId: string): string => `right(${traceId}, 8)`;

const tracesOfLogs = (logs: string): string => `
    SELECT DISTINCT workspace_id, (ts_ns // 3600000000000) * 3600000 AS hour_ms, ${traceEnd('trace_id')} AS trace_end
    FROM ${logs} WHERE trace_id IS NOT NULL`;

/**
 * Who called whom: a span whose parent is another service's. Its time is the callee's. A span that was exported twice
 * counts once.
 */
export function edgesOf(spans: string): string {
  return `
    WITH once AS MATERIALIZED (
      SELECT DISTINCT ON (trace_id, span_id) workspace_id, trace_id, span_id, parent_span_id, start_ns, dur_ns, system,
             service, status
      FROM ${spans})
    SELECT callee.workspace_id, (callee.start_ns // 3600000000000) * 3600000 AS hour_ms, caller.system AS from_system,
           caller.service AS from_service, callee.system AS to_system, callee.service AS to_service,
           ${BUCKET.replaceAll('dur_ns', 'callee.dur_ns')} AS bucket, count(*) AS n,
           count(*) FILTER (callee.status = 'error') AS errors
    FROM once AS callee JOIN once AS caller
      ON callee.trace_id = caller.trace_id AND callee.parent_span_id = caller.span_id
    WHERE (callee.service, callee.system) <> (caller.service, caller.system) GROUP BY ALL`;
}

/**
 * What is made of the segments that are merged into one. Edges only here: a caller and its callee seldom arrive
 * together.
 */
export const BY_HOUR: Partial<Record<Kept, { kept: Hourly; of: (from: string) => string }>> = {
  spans: { kept: 'edges_1h', of: edgesOf },
  red_1m: { kept: 'red_1h', of: redByHour },
  logs: { kept: 'log_traces_1h', of: tracesOfLogs },
};

export function isHourly(kept: Kept): kept is Hourly {
  return (HOURLY as readonly string[]).includes(kept);
}

export function isRollup(kept: Kept): kept is Rollup {
  return (ROLLUPS as readonly string[]).includes(kept);
}

export function noRows(): Rows {
  return { spans: [], logs: [], series: [], points: [], hpoints: [], resources: [] };
}

/** `workspace_id VARCHAR, start_ns BIGINT, …` */
export function columnDefinitions(signal: Signal): string {
  return Object.entries(COLUMNS[signal])
    .map(([name, type]) => `${name} ${type}`)
    .join(', ');
}
