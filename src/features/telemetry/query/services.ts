import type { OperationsAnswer, ServiceEdge, ServiceSummary, ServicesAnswer } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import type { OperationSearch, ServiceSearch } from '../reader.ts';
import { edgesOf } from '../schema.ts';
import { type Read, withConnection } from '../store/duckdb.ts';
import type { Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { type Counted, count, quantilesOf } from './durations.ts';
import { type Minutes, openRedView } from './red-view.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { noConditions, openView, type View } from './view.ts';

/** What comes in from outside; where a service has none (a browser, a command), everything that it does. */
const ENTRY = "kind IN ('server', 'consumer')";

interface Span {
  from_ns: bigint;
  to_ns: bigint;
}

const secondsOf = ({ from_ns, to_ns }: Span): number => Math.max(1, Number(to_ns - from_ns) / 1e9);

/** Every service with its rate, errors and durations, and who calls whom. */
export async function readServices(
  store: TelemetryStore,
  visible: Visibility,
  { range, system }: ServiceSearch,
): Promise<ServicesAnswer> {
  const [items, edges] = await Promise.all([
    summaries(store, visible, range, system),
    readEdges(store, visible, range, system),
  ]);
  const { from_ns, to_ns } = range;
  return { from: formatNs(from_ns), to: formatNs(to_ns), items, edges, next_cursor: null };
}

interface Tally {
  system: string;
  service: string;
  entry: boolean;
  bucket: number;
  n: bigint;
  errors: bigint;
}

interface Present {
  system: string;
  service: string;
  instances: bigint;
}

async function summaries(
  store: TelemetryStore,
  visible: Visibility,
  range: Span,
  system: string | undefined,
): Promise<ServiceSummary[]> {
  const [tallies, present] = await over(
    store,
    [openRedView(store, visible, [minutesOf(range)]), openView(store, 'resources', visible, range)],
    async ([counts, resources], read) =>
      [
        await read<Tally>(
          `SELECT system, service, ${ENTRY} AS entry, bucket, sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
           FROM ${counts?.from} WHERE $1::VARCHAR IS NULL OR system = $1 GROUP BY ALL`,
          [system ?? null],
        ),
        await read<Present>(
          `SELECT system, service, count(DISTINCT instance) AS instances FROM ${resources?.from} GROUP BY ALL`,
        ),
      ] as const,
  );
  return summariesOf(tallies, present, secondsOf(range));
}

function summariesOf(tallies: readonly Tally[], present: readonly Present[], seconds: number): ServiceSummary[] {
  const instances = new Map(present.map((row) => [`${row.system} ${row.service}`, Number(row.instances)]));
  const groups = Map.groupBy(tallies, (row) => `${row.system} ${row.service}`);
  return [...groups]
    .map(([key, all]) => {
      const { system: of, service } = all[0] as Tally;
      const entries = all.filter(({ entry }) => entry);
      const counted = entries.length > 0 ? entries : all;
      return { system: of, service, instances: instances.get(key) ?? 0, ...red(counted, seconds) };
    })
    .sort((a, b) => b.error_ratio - a.error_ratio || b.requests - a.requests);
}

function red(tallies: readonly Pick<Tally, 'bucket' | 'n' | 'errors'>[], seconds: number) {
  const counted: Counted = new Map();
  let requests = 0;
  let errors = 0;
  for (const row of tallies) {
    count(counted, row.bucket, Number(row.n));
    requests += Number(row.n);
    errors += Number(row.errors);
  }
  return {
    requests,
    errors,
    rate: requests / seconds,
    error_ratio: requests === 0 ? 0 : errors / requests,
    ...quantilesOf(counted),
  };
}

interface EdgeRow {
  from_system: string;
  from_service: string;
  to_system: string;
  to_service: string;
  bucket: number;
  n: bigint;
  errors: bigint;
}

/** From the rollup where an hour is compacted, else from its spans. */
async function readEdges(
  store: TelemetryStore,
  visible: Visibility,
  range: Span,
  system: string | undefined,
): Promise<ServiceEdge[]> {
  const [spans, kept] = await Promise.all([
    openView(store, 'spans', visible, range, true),
    openView(store, 'edges_1h', visible, range),
  ]);
  try {
    const fresh = `(SELECT * FROM ${spans.from} WHERE start_ns BETWEEN ${range.from_ns} AND ${range.to_ns})`;
    const rows = await withConnection(
      store.buffer.instance,
      (read) =>
        read<EdgeRow>(
          `SELECT from_system, from_service, to_system, to_service, bucket, sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
           FROM (SELECT * FROM ${kept.from} UNION ALL BY NAME (${edgesOf(fresh)}))
           WHERE $1::VARCHAR IS NULL OR from_system = $1 OR to_system = $1 GROUP BY ALL`,
          [system ?? null],
        ),
      QUERY_TIMEOUT_MS,
    );
    const key = (row: EdgeRow) => [row.from_system, row.from_service, row.to_system, row.to_service].join(' ');
    return [...Map.groupBy(rows, key).values()].map((all) => {
      const { from_system, from_service, to_system, to_service } = all[0] as EdgeRow;
      const { requests: calls, ...rest } = red(all, secondsOf(range));
      return { from_system, from_service, to_system, to_service, calls, ...rest };
    });
  } finally {
    await Promise.all([spans.release(), kept.release()]);
  }
}

const MOST_OPERATIONS = 500;

/** One service: its operations (routes, queues), and how it went over time. */
export async function readOperations(
  store: TelemetryStore,
  visible: Visibility,
  { range, system, service, step_ms }: OperationSearch,
): Promise<OperationsAnswer> {
  const conditions = within(range, system);
  conditions.add('service = ?', service);
  const [operations, course] = await over(
    store,
    [openView(store, 'red_1m', visible, range)],
    async ([view], read) =>
      [
        await read<Tally & { name: string; kind: string }>(
          `SELECT name, kind, bucket, sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
         FROM ${view?.from} WHERE ${conditions.where()} GROUP BY ALL`,
          conditions.values,
        ),
        await read<Tally & { at_ms: bigint }>(
          `SELECT (minute_ms // ${step_ms}) * ${step_ms} AS at_ms, ${ENTRY} AS entry, bucket, sum(n)::BIGINT AS n,
                sum(errors)::BIGINT AS errors
         FROM ${view?.from} WHERE ${conditions.where()} GROUP BY ALL`,
          conditions.values,
        ),
      ] as const,
  );
  const entries = course.some(({ entry }) => entry) ? course.filter(({ entry }) => entry) : course;
  return {
    service,
    from: formatNs(range.from_ns),
    to: formatNs(range.to_ns),
    step_ms,
    operations: [...Map.groupBy(operations, ({ name, kind }) => `${kind} ${name}`).values()]
      .map((all) => {
        const { name, kind } = all[0] as { name: string; kind: string };
        return { name, kind, ...red(all, secondsOf(range)) };
      })
      .sort((a, b) => b.requests - a.requests)
      .slice(0, MOST_OPERATIONS),
    points: [...Map.groupBy(entries, ({ at_ms }) => Number(at_ms))]
      .sort(([a], [b]) => a - b)
      .map(([at_ms, all]) => ({ time: new Date(at_ms).toISOString(), ...red(all, step_ms / 1000) })),
  };
}

/** The first minute may have begun before. */
const minutesOf = ({ from_ns, to_ns }: Span): Minutes => ({
  from: Number(from_ns / 60_000_000_000n) * 60_000,
  to: Number(to_ns / 1_000_000n),
});

function within(range: Span, system: string | undefined) {
  const { from, to } = minutesOf(range);
  const conditions = noConditions();
  conditions.add('minute_ms BETWEEN ? AND ?', BigInt(from), BigInt(to));
  if (system !== undefined) conditions.add('system = ?', system);
  return conditions;
}

/** Views that are open together; a connection does one thing at a time, in order. */
async function over<T>(
  store: TelemetryStore,
  opening: readonly Promise<View>[],
  work: (views: View[], read: Read) => Promise<T>,
): Promise<T> {
  const views = await Promise.all(opening);
  try {
    return await withConnection(store.buffer.instance, (read) => work(views, read), QUERY_TIMEOUT_MS);
  } finally {
    await Promise.all(views.map((view) => view.release()));
  }
}
