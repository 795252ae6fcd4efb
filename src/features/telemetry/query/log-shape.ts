import { type LogFacets, type LogHistogram, type LogPatterns, SEVERITIES } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { LogFilter } from '../reader.ts';
import { type Read, withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { logConditions } from './logs.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { type Conditions, openView } from './view.ts';

/** OTLP's four grades of each severity as one word; what has none is `none`. */
const SEVERITY = `coalesce(['${SEVERITIES.join("', '")}'][ceil(severity / 4)::INTEGER], 'none')`;
const FACETS = {
  severity: SEVERITY,
  system: 'system',
  service: 'service',
  instance: 'instance',
  event_name: 'event_name',
} as const;
const MOST_VALUES = 50;

/** The most frequent values of what lines can be told apart by. */
export function readLogFacets(store: TelemetryStore, visible: Visibility, filter: LogFilter): Promise<LogFacets> {
  return over(store, visible, filter, async (from, conditions, read) => {
    const each = Object.entries(FACETS).map(
      ([name, value]) => `
        (SELECT '${name}' AS facet, ${value} AS value, count(*) AS n FROM found WHERE ${value} IS NOT NULL
         GROUP BY 2 ORDER BY n DESC, 2 LIMIT ${MOST_VALUES})`,
    );
    const rows = await read<{ facet: keyof typeof FACETS; value: string; n: bigint }>(
      `WITH found AS MATERIALIZED (SELECT severity, system, service, instance, event_name FROM ${from}
                                   WHERE ${conditions.where()})
       SELECT * FROM (${each.join(' UNION ALL ')})`,
      conditions.values,
    );
    const facets: LogFacets = { severity: [], system: [], service: [], instance: [], event_name: [] };
    for (const { facet, value, n } of rows) facets[facet].push({ value, count: Number(n) });
    for (const values of Object.values(facets)) values.sort((a, b) => b.count - a.count);
    return facets;
  });
}

/** How many lines there were over time, by severity. */
export function readLogHistogram(
  store: TelemetryStore,
  visible: Visibility,
  filter: LogFilter,
  stepMs: number,
): Promise<LogHistogram> {
  return over(store, visible, filter, async (from, conditions, read) => {
    const step = BigInt(stepMs) * 1_000_000n;
    const rows = await read<{ at_ns: bigint; severity: string; n: bigint }>(
      `SELECT (ts_ns // ${step}) * ${step} AS at_ns, ${SEVERITY} AS severity, count(*) AS n
       FROM ${from} WHERE ${conditions.where()} GROUP BY ALL ORDER BY at_ns`,
      conditions.values,
    );
    const items = [...Map.groupBy(rows, ({ at_ns }) => at_ns)].map(([at_ns, all]) => ({
      time: formatNs(at_ns),
      counts: Object.fromEntries(all.map(({ severity, n }) => [severity, Number(n)])),
      total: all.reduce((sum, { n }) => sum + Number(n), 0),
    }));
    return { step_ms: stepMs, items };
  });
}

/** What varies from line to line of one statement in a program, most particular first. */
const VARIABLE: readonly [pattern: string, word: string][] = [
  ['[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '<id>'],
  ['\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:?\\d\\d)?', '<time>'],
  ['\\b\\d{1,3}(\\.\\d{1,3}){3}(:\\d+)?\\b', '<address>'],
  ['\\b[0-9a-fA-F]{16,}\\b', '<hex>'],
  ['"[^"]*"', '<text>'],
  ["'[^']*'", '<text>'],
  ['\\b\\d+(\\.\\d+)?', '<n>'],
];
const MOST_PATTERNS = 200;
/** Of a longer line the rest says nothing about where it came from. */
const LONGEST = 500;

/** Lines of the same statement together: what they have in common, how often, and one of them. */
export function readLogPatterns(store: TelemetryStore, visible: Visibility, filter: LogFilter): Promise<LogPatterns> {
  return over(store, visible, filter, async (from, conditions, read) => {
    let pattern = `left(body, ${LONGEST})`;
    for (const [variable, word] of VARIABLE) {
      pattern = `regexp_replace(${pattern}, '${variable.replaceAll("'", "''")}', '${word}', 'g')`;
    }
    interface Row {
      pattern: string;
      n: bigint;
      severity: string;
      services: string[];
      sample: string;
      first_ns: bigint;
      last_ns: bigint;
    }
    const rows = await read<Row>(
      `SELECT ${pattern} AS pattern, count(*) AS n, arg_max(${SEVERITY}, severity) AS severity,
              list_sort(list_distinct(list(service))) AS services, arg_max(left(body, ${LONGEST}), ts_ns) AS sample,
              min(ts_ns) AS first_ns, max(ts_ns) AS last_ns
       FROM ${from} WHERE ${conditions.where()} GROUP BY 1 ORDER BY n DESC, 1 LIMIT ${MOST_PATTERNS}`,
      conditions.values,
    );
    const items = rows.map(({ n, first_ns, last_ns, ...row }) => ({
      ...row,
      count: Number(n),
      first: formatNs(first_ns),
      last: formatNs(last_ns),
    }));
    return { items, next_cursor: null };
  });
}

async function over<T>(
  store: TelemetryStore,
  visible: Visibility,
  filter: LogFilter,
  work: (from: string, conditions: Conditions, read: Read) => Promise<T>,
): Promise<T> {
  const view = await openView(store, 'logs', visible, filter.range);
  try {
    const conditions = logConditions(filter);
    return await withConnection(store.buffer.instance, (read) => work(view.from, conditions, read), QUERY_TIMEOUT_MS);
  } finally {
    await view.release();
  }
}
