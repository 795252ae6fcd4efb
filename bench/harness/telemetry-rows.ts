import { hash } from 'node:crypto';

/**
 * A busy day's telemetry of one workspace, made by DuckDB itself: 50 systems of three services each, 10 spans a trace,
 * one log line for every ten spans, 50 counters with a point every 15 s. Times are spread evenly; everything else follows from a row's number.
 */
export interface Day {
  workspace_id: string;
  /** Epoch ms of its first moment. */
  start: number;
  hours: number;
  spans: number;
}

export const SPANS_PER_TRACE = 10;
export const SERIES = 50;
export const SYSTEMS = 50;
const SERVICES = "['front', 'stock', 'pay']";
const INSTANCES = 4;
const SCRAPE_MS = 15_000;

export const traceIdOf = (day: Day, trace: number): string => hash('md5', `${day.workspace_id}${trace}`);

/** INSERT statements for the part `[from, to)` of the day, in shares of it. */
export function insertDay(day: Day, from: number, to: number, table: (signal: string) => string): string[] {
  const ms = day.hours * 3_600_000;
  const traces = day.spans / SPANS_PER_TRACE;
  const [first, last] = [Math.floor(traces * from), Math.floor(traces * to)];
  const nsOf = (trace: string) => `(${day.start}::BIGINT * 1000000 + (${trace} * ${(ms * 1e6) / traces})::BIGINT)`;
  const own = `'${day.workspace_id}' AS workspace_id`;
  const steps = Math.floor(ms / SCRAPE_MS);
  const system = (number: string) => `'system-' || (${number} % ${SYSTEMS})`;
  const seriesId = "(hash('series', n) // 4)::BIGINT";
  return [
    `INSERT INTO ${table('spans')} BY NAME
     SELECT ${own}, ${nsOf('trace')} + span * 1000000 AS start_ns,
            CASE WHEN span = 0 THEN 20000000 ELSE 100000 END + (hash(trace, span) % 50000000)::BIGINT AS dur_ns,
            md5('${day.workspace_id}' || trace) AS trace_id, substr(md5(trace || '.' || span), 1, 16) AS span_id,
            CASE WHEN span > 0 THEN substr(md5(trace || '.0'), 1, 16) END AS parent_span_id, ${system('trace')} AS system,
            ${SERVICES}[1 + span % 3] AS service, 'i-' || (trace % ${INSTANCES}) AS instance,
            'operation ' || span AS name,
            CASE WHEN span = 0 THEN 'server' ELSE 'client' END AS kind,
            CASE WHEN hash(span, trace) % 200 = 0 THEN 'error' ELSE 'unset' END AS status,
            CASE WHEN span = 0 THEN '/orders/{id}' END AS http_route, CASE WHEN span = 0 THEN 200 END AS http_status,
            '{"http.request.method":"GET","url.path":"/orders/' || trace || '","customer":"c-' || (hash(trace) % 200000)
              || '","thread.id":' || span || '}' AS attrs,
            '0123456789abcdef' AS resource_id, 'http' AS scope, '[]' AS events, '[]' AS links
     FROM range(${first}, ${last}) AS t(trace), range(${SPANS_PER_TRACE}) AS s(span)`,
    `INSERT INTO ${table('logs')} BY NAME
     SELECT ${own}, ${nsOf('trace')} + 5000000 AS ts_ns, ${nsOf('trace')} + 6000000 AS observed_ns, ${system('trace')} AS system,
            'front' AS service, 'i-' || (trace % ${INSTANCES}) AS instance, CASE WHEN trace % 100 = 0 THEN 17 ELSE 9 END AS severity,
            'order ' || trace || ' of customer c-' || (hash(trace) % 200000) || ' is on its way' AS body,
            md5('${day.workspace_id}' || trace) AS trace_id, substr(md5(trace || '.0'), 1, 16) AS span_id,
            '{"order":' || trace || '}' AS attrs, '0123456789abcdef' AS resource_id
     FROM range(${first}, ${last}) AS t(trace)`,
    `INSERT INTO ${table('resources')} BY NAME
     SELECT ${own}, ${nsOf(`${last - 1}::BIGINT`)} AS seen_ns, md5(concat_ws('.', s, r, i)) AS resource_id, ${system('s')} AS system,
            ${SERVICES}[1 + r] AS service, 'i-' || i AS instance, '{}' AS attrs
     FROM range(${SYSTEMS}) AS a(s), range(3) AS b(r), range(${INSTANCES}) AS c(i)`,
    `INSERT INTO ${table('series')} BY NAME
     SELECT ${own}, ${day.start + Math.floor(ms * from)} AS seen_ms, ${seriesId} AS series_id, 'shop.orders' AS metric,
            'sum' AS type, 'cumulative' AS temporality, true AS monotonic, 'system-0' AS system, 'front' AS service,
            '{"shelf":"' || n || '"}' AS labels
     FROM range(${SERIES}) AS r(n)`,
    `INSERT INTO ${table('points')} BY NAME
     SELECT ${own}, ${seriesId} AS series_id, ${day.start} + step * ${SCRAPE_MS} AS ts_ms, ${day.start} AS start_ms,
            (step * (n + 1))::DOUBLE AS value
     FROM range(${Math.floor(steps * from)}, ${Math.floor(steps * to)}) AS t(step), range(${SERIES}) AS r(n)`,
  ];
}
