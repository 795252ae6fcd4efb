import { labelKey, type Matcher, matches, NAME, type Series, type SeriesRequest } from '#contract/metrics/series.ts';
import { fail } from '#kernel/errors.ts';
import { QUERY_TIMEOUT_MS } from '../query/trace.ts';
import { openView, type View } from '../query/view.ts';
import { type Read, type ReadColumns, withConnection } from '../store/duckdb.ts';
import type { TimeRange, Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { labelsOf, type Named, type Part, partsOf, type SeriesRow } from './descriptor.ts';
import { expandHistogram, expandPoints, type HistogramRow, type PointRow } from './expand.ts';

const MOST_SERIES = 5_000;
const MOST_POINTS = 3_000_000;
/** A series is described once in a write-ahead file and once in an hour: near its points, not at them. */
const DESCRIBED_WITHIN_MS = 2 * 3_600_000;

type Store = Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>;

/** A described series and what a request wants of it. */
interface Wanted {
  row: SeriesRow;
  labels: Record<string, string>;
  parts: Named[];
}

/** Requests that reach back alike, in ms, are read together: what asks for minutes does not read the day of another. */
const REACHES_MS = [600_000, 3_900_000, Number.POSITIVE_INFINITY];

/**
 * Every series that fits, with its samples, over what is buffered and what is in segments: one answer per request, in
 * their order. Names and labels are Prometheus', a plain name without unit and `_total` is understood too.
 *
 * @throws metrics_too_many when more fits than can be answered
 */
export async function selectSeries(
  store: Store,
  visible: Visibility,
  requests: readonly SeriesRequest[],
): Promise<Series[][]> {
  const latest = Math.max(...requests.map(({ to }) => to));
  const reachOf = ({ from }: SeriesRequest): number => REACHES_MS.findIndex((reach) => latest - from <= reach);
  const answers = new Map<SeriesRequest, Series[]>();
  for (const alike of Map.groupBy(requests, reachOf).values()) {
    const found = await selectTogether(store, visible, alike);
    for (const [index, request] of alike.entries()) answers.set(request, found[index] ?? []);
  }
  return requests.map((request) => answers.get(request) ?? []);
}

async function selectTogether(
  store: Store,
  visible: Visibility,
  requests: readonly SeriesRequest[],
): Promise<Series[][]> {
  const from = Math.min(...requests.map((request) => request.from));
  const to = Math.max(...requests.map((request) => request.to));
  const described = await describedSeries(store, visible, requests, { from, to });
  const wanted = requests.map(({ matchers }) => wantedOf(described, matchers, visible.everything === true));
  const rows = [...new Map(wanted.flat().map(({ row }) => [row.series_id, row])).values()];
  if (rows.length > MOST_SERIES) throw tooMany(`${rows.length} series fit`);
  const samples = await readSamples(store, visible, rows, { from, to });
  return requests.map((request, index) => merge(wanted[index] ?? [], samples, request));
}

function tooMany(what: string) {
  return fail(
    'metrics_too_many',
    `${what}; at most ${MOST_SERIES} series and ${MOST_POINTS} samples can be answered.`,
    {
      hint: 'Name the metric, add labels, or ask for a shorter time.',
    },
  );
}

interface Range {
  from: number;
  to: number;
}

const inNs = ({ from, to }: Range): TimeRange => ({
  from_ns: BigInt(Math.max(0, Math.floor(from))) * 1_000_000n,
  to_ns: BigInt(Math.max(0, Math.ceil(to))) * 1_000_000n,
});

/** The descriptions that may fit, each series once. A name that is asked for begins with the metric's own. */
export async function describedSeries(
  store: Store,
  visible: Visibility,
  requests: readonly Pick<SeriesRequest, 'matchers'>[],
  { from, to }: Range,
): Promise<SeriesRow[]> {
  const names = requests.map(({ matchers }) => matchers.find(({ label, op }) => label === NAME && op === '=')?.value);
  const known = names.filter((name) => name !== undefined);
  const plain = "regexp_replace(metric, '[^a-zA-Z0-9_:]+', '_', 'g')";
  const begins = known.map((_, index) => `starts_with($${index + 1}, ${plain})`).join(' OR ');
  const where = known.length === names.length ? `(${begins})` : 'true';
  const range = inNs({ from: from - DESCRIBED_WITHIN_MS, to: to + DESCRIBED_WITHIN_MS });
  return withView(store, 'series', visible, range, (view, read) =>
    read<SeriesRow>(
      `SELECT DISTINCT ON (series_id) workspace_id, series_id, metric, unit, type, temporality, monotonic, system, service,
              instance, labels, bounds
       FROM ${view.from} WHERE ${where} ORDER BY series_id, seen_ms DESC`,
      known,
    ),
  );
}

function wantedOf(described: readonly SeriesRow[], matchers: readonly Matcher[], everything: boolean): Wanted[] {
  const wanted: Wanted[] = [];
  for (const row of described) {
    const labels = labelsOf(row, everything);
    const parts = partsOf(row).filter((part) => fits(part, labels, matchers));
    if (parts.length > 0) wanted.push({ row, labels, parts });
  }
  return wanted;
}

/** Before its samples are read: the bounds of buckets and the quantiles are known only from them. */
export function fits(
  { part, name, plain }: Named,
  labels: Record<string, string>,
  matchers: readonly Matcher[],
): boolean {
  const now = matchers.filter(({ label }) => label !== LATER[part]);
  return [name, plain].some((each) => matches({ ...labels, [NAME]: each }, now));
}

const LATER: Partial<Record<Part, string>> = { bucket: 'le', quantile: 'quantile' };

interface Samples {
  points: Map<bigint, PointRow[]>;
  histograms: Map<bigint, HistogramRow[]>;
}

async function readSamples(
  store: Store,
  visible: Visibility,
  rows: readonly SeriesRow[],
  range: Range,
): Promise<Samples> {
  const plain = rows.filter(({ type }) => type === 'gauge' || type === 'sum');
  const others = rows.filter((row) => !plain.includes(row));
  const [points, histograms] = await Promise.all([
    readRows(store, visible, 'points', 'value', plain, range, pointOf),
    readRows(store, visible, 'hpoints', 'count::DOUBLE, sum, buckets', others, range, histogramOf),
  ]);
  return { points, histograms };
}

type Columns = readonly (readonly unknown[])[];

const pointOf = ([times, flags, values]: Columns, at: number) =>
  ({ ts_ms: times?.[at], value: values?.[at], flags: flags?.[at] }) as PointRow;

const histogramOf = ([times, flags, counts, sums, buckets]: Columns, at: number) =>
  ({
    ts_ms: times?.[at],
    flags: flags?.[at],
    count: counts?.[at],
    sum: sums?.[at],
    buckets: buckets?.[at],
  }) as HistogramRow;

/** Numbers as DOUBLE: exact for milliseconds and counts, and four times faster to read than BIGINT. */
async function readRows<R>(
  store: Store,
  visible: Visibility,
  signal: 'points' | 'hpoints',
  columns: string,
  series: readonly SeriesRow[],
  range: Range,
  rowOf: (columns: Columns, at: number) => R,
): Promise<Map<bigint, R[]>> {
  const found = new Map<bigint, R[]>();
  if (series.length === 0) return found;
  const ids = series.map(({ series_id }) => `${series_id}`).join(', ');
  const [of = [], ...own] = await withView(store, signal, visible, inNs(range), (view, _, read) =>
    read(
      `SELECT series_id, ts_ms::DOUBLE, flags::DOUBLE, ${columns} FROM ${view.from}
       WHERE series_id IN (${ids}) AND ts_ms BETWEEN ${Math.floor(range.from)} AND ${Math.ceil(range.to)}
       ORDER BY series_id, ts_ms LIMIT ${MOST_POINTS + 1}`,
    ),
  );
  if (of.length > MOST_POINTS) throw tooMany('More samples fit');
  let list: R[] = [];
  for (const [index, id] of (of as bigint[]).entries()) {
    if (index === 0 || id !== of[index - 1]) {
      list = [];
      found.set(id, list);
    }
    list.push(rowOf(own, index));
  }
  return found;
}

/** Series of equal labels (a process that was started again) are one. */
function merge(wanted: readonly Wanted[], { points, histograms }: Samples, request: SeriesRequest): Series[] {
  const later = request.matchers.filter(({ label }) => Object.values(LATER).includes(label));
  const merged = new Map<string, Series>();
  for (const { row, labels, parts } of wanted) {
    const within = <P extends { ts_ms: number }>(rows: P[] | undefined): P[] =>
      rows?.filter(({ ts_ms }) => ts_ms >= request.from && ts_ms <= request.to) ?? [];
    const plain = within(points.get(row.series_id));
    const spread = within(histograms.get(row.series_id));
    const value = parts.find(({ part }) => part === 'value');
    const made = value
      ? plain.length > 0
        ? [expandPoints(row, value, labels, plain)]
        : []
      : spread.length > 0
        ? expandHistogram(row, parts, labels, spread)
        : [];
    for (const series of made) {
      if (!matches(series.labels, later)) continue;
      const key = labelKey(series.labels);
      const before = merged.get(key);
      merged.set(key, before ? interleave(before, series) : series);
    }
  }
  return [...merged.values()];
}

function interleave(a: Series, b: Series): Series {
  const all = [a, b].flatMap((series) =>
    Array.from(series.times, (time, index) => ({
      time,
      value: series.values[index] as number,
      stale: series.stale?.has(index) ?? false,
    })),
  );
  const sorted = all.sort((x, y) => x.time - y.time).filter(({ time }, index) => time !== all[index - 1]?.time);
  const stale = sorted.flatMap((sample, index) => (sample.stale ? [index] : []));
  return {
    labels: a.labels,
    times: sorted.map(({ time }) => time),
    values: sorted.map(({ value }) => value),
    ...(stale.length > 0 ? { stale: new Set(stale) } : {}),
  };
}

async function withView<T>(
  store: Store,
  signal: 'series' | 'points' | 'hpoints',
  visible: Visibility,
  range: TimeRange,
  work: (view: View, read: Read, readColumns: ReadColumns) => Promise<T>,
): Promise<T> {
  const view = await openView(store, signal, visible, range);
  try {
    return await withConnection(
      store.buffer.instance,
      (read, readColumns) => work(view, read, readColumns),
      QUERY_TIMEOUT_MS,
    );
  } finally {
    await view.release();
  }
}
