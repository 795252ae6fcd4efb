import type { DuckDBListValue, DuckDBValue } from '@duckdb/node-api';
import { labelKey, type Matcher, matches, NAME, type Series, type SeriesRequest } from '#contract/metrics/series.ts';
import { fail } from '#kernel/errors.ts';
import { QUERY_TIMEOUT_MS } from '../query/trace.ts';
import { openView, type View } from '../query/view.ts';
import { type Read, type ReadValues, withConnection } from '../store/duckdb.ts';
import type { TimeRange, Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { labelsOf, type Named, type Part, partsOf, type SeriesRow } from './descriptor.ts';
import { expandHistogram, expandPoints, type HistogramSamples, type PointSamples, samplesWithin } from './expand.ts';
import { inOrder } from './in-order.ts';

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

interface Found {
  points: Map<bigint, PointSamples>;
  histograms: Map<bigint, HistogramSamples>;
}

async function readSamples(
  store: Store,
  visible: Visibility,
  rows: readonly SeriesRow[],
  range: Range,
): Promise<Found> {
  const plain = rows.filter(({ type }) => type === 'gauge' || type === 'sum');
  const others = rows.filter((row) => !plain.includes(row));
  const [points, histograms] = await Promise.all([
    readLists(store, visible, 'points', ['value'], plain, range),
    readLists(store, visible, 'hpoints', ['count::DOUBLE', 'sum', 'buckets'], others, range),
  ]);
  return {
    points: samplesOf(points, (times, stale, [values]) => ({ times, stale, values }) as PointSamples),
    histograms: samplesOf(
      histograms,
      (times, stale, [counts, sums, buckets]) => ({ times, stale, counts, sums, buckets }) as HistogramSamples,
    ),
  };
}

type Lists = Map<bigint, (readonly DuckDBValue[])[]>;

function samplesOf<S>(
  lists: Lists,
  make: (times: number[], stale: ReadonlySet<number>, columns: (readonly DuckDBValue[])[]) => S,
): Map<bigint, S> {
  return new Map(
    Array.from(lists, ([id, [times, stale, ...columns]]) => [
      id,
      make(times as number[], new Set(stale as number[]), columns),
    ]),
  );
}

/** OTLP's flag "no recorded value". */
const NO_VALUE = 1;

/**
 * Of each series its times, those without a value, and the columns, as lists in the order of time. Numbers as DOUBLE:
 * exact for milliseconds and counts, and four times faster to read than BIGINT. DuckDB's own order of a list takes
 * longer than the list itself (52 ms instead of 21 for 288,000 points).
 */
async function readLists(
  store: Store,
  visible: Visibility,
  signal: 'points' | 'hpoints',
  columns: readonly string[],
  series: readonly SeriesRow[],
  range: Range,
): Promise<Lists> {
  if (series.length === 0) return new Map();
  const ids = series.map(({ series_id }) => `${series_id}`).join(', ');
  const lists = columns.map((column) => `list(${column})`);
  const found = await withView(store, signal, visible, inNs(range), (view, _, readValues) =>
    readValues(
      `SELECT series_id, list(ts_ms::DOUBLE),
              coalesce(list(ts_ms::DOUBLE) FILTER (flags & ${NO_VALUE} = ${NO_VALUE}), []), ${lists.join(', ')}
       FROM (
         SELECT * FROM ${view.from}
         WHERE series_id IN (${ids}) AND ts_ms BETWEEN ${Math.floor(range.from)} AND ${Math.ceil(range.to)}
         LIMIT ${MOST_POINTS + 1})
       GROUP BY series_id`,
    ),
  );
  const read: Lists = new Map(
    found.map(([id, ...own]) => {
      const [times = [], stale = [], ...lists] = own.map((list) => (list as DuckDBListValue).items);
      const [sorted = [], ...rest] = inOrder(times as number[], [times, ...lists]) as (readonly DuckDBValue[])[];
      return [id as bigint, [sorted, stale, ...rest]];
    }),
  );
  const count = Array.from(read.values(), ([times = []]) => times.length).reduce((sum, each) => sum + each, 0);
  if (count > MOST_POINTS) throw tooMany('More samples fit');
  return read;
}

/** Series of equal labels (a process that was started again) are one. */
function merge(wanted: readonly Wanted[], { points, histograms }: Found, request: SeriesRequest): Series[] {
  const later = request.matchers.filter(({ label }) => Object.values(LATER).includes(label));
  const merged = new Map<string, Series>();
  for (const { row, labels, parts } of wanted) {
    const plain = points.get(row.series_id);
    const spread = histograms.get(row.series_id);
    const value = parts.find(({ part }) => part === 'value');
    const made: Series[] = [];
    if (value && plain) made.push(expandPoints(row, value, labels, samplesWithin(plain, request.from, request.to)));
    if (!value && spread)
      made.push(...expandHistogram(row, parts, labels, samplesWithin(spread, request.from, request.to)));
    for (const series of made) {
      if (series.times.length === 0 || !matches(series.labels, later)) continue;
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
  work: (view: View, read: Read, readValues: ReadValues) => Promise<T>,
): Promise<T> {
  const view = await openView(store, signal, visible, range);
  try {
    return await withConnection(
      store.buffer.instance,
      (read, readValues) => work(view, read, readValues),
      QUERY_TIMEOUT_MS,
    );
  } finally {
    await view.release();
  }
}
