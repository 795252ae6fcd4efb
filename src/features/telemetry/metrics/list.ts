import type { SeriesRequest } from '#contract/metrics/series.ts';
import { NAME } from '#contract/metrics/series.ts';
import type { Exemplar, MetricInfo } from '#contract/telemetry.ts';
import { QUERY_TIMEOUT_MS } from '../query/trace.ts';
import { openView } from '../query/view.ts';
import { withConnection } from '../store/duckdb.ts';
import type { TimeRange, Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { labelsOf, partsOf, type SeriesRow } from './descriptor.ts';
import { describedSeries, fits } from './select.ts';

const MOST_METRICS = 2_000;

/** Every metric that was seen in the range, with the labels that its series have. */
export async function listMetrics(store: TelemetryStore, visible: Visibility, range: TimeRange): Promise<MetricInfo[]> {
  const view = await openView(store, 'series', visible, range);
  try {
    const rows = await withConnection(
      store.buffer.instance,
      (read) =>
        read<SeriesRow & { description: string | null; series: bigint; keys: string[]; services: string[] }>(
          `SELECT metric, any_value(description) AS description, unit, type, temporality, monotonic,
                  count(DISTINCT series_id) AS series, list_sort(list_distinct(list(service))) AS services,
                  list_sort(list_distinct(flatten(list(json_keys(labels))))) AS keys
           FROM ${view.from} GROUP BY metric, unit, type, temporality, monotonic ORDER BY metric LIMIT ${MOST_METRICS}`,
        ),
      QUERY_TIMEOUT_MS,
    );
    return rows.map((row) => ({
      metric: row.metric,
      name: partsOf(row)[0]?.name ?? row.metric,
      description: row.description,
      unit: row.unit,
      type: row.type,
      temporality: row.temporality,
      monotonic: row.monotonic,
      series: Number(row.series),
      labels: row.keys,
      services: row.services,
    }));
  } finally {
    await view.release();
  }
}

const MOST_EXEMPLARS = 500;

/** Single measurements of the series that fit, newest first, each with the span that it was made in. */
export async function selectExemplars(
  store: TelemetryStore,
  visible: Visibility,
  request: SeriesRequest,
): Promise<Exemplar[]> {
  const { matchers, from, to } = request;
  const everything = visible.everything === true;
  const fitting = new Map(
    (await describedSeries(store, visible, [request], { from, to }))
      .map((row) => ({ row, labels: labelsOf(row, everything) }))
      .filter(({ row, labels }) => partsOf(row).some((part) => fits(part, labels, matchers)))
      .map(({ row, labels }) => [row.series_id, { ...labels, [NAME]: partsOf(row)[0]?.name ?? row.metric }]),
  );
  if (fitting.size === 0) return [];
  const kept = await Promise.all(
    (['points', 'hpoints'] as const).map((signal) =>
      readExemplars(store, visible, signal, [...fitting.keys()], request),
    ),
  );
  return kept
    .flat()
    .flatMap(({ series_id, exemplars }) =>
      (JSON.parse(exemplars) as Stored[]).map(({ ts_ms, value, trace_id, span_id, attributes }) => ({
        labels: fitting.get(series_id) ?? {},
        time: new Date(ts_ms ?? 0).toISOString(),
        value: Number(value),
        trace_id,
        span_id,
        attributes,
      })),
    )
    .sort((a, b) => (a.time < b.time ? 1 : -1))
    .slice(0, MOST_EXEMPLARS);
}

interface Stored extends Pick<Exemplar, 'trace_id' | 'span_id' | 'attributes'> {
  ts_ms: number | null;
  value: number | string | null;
}

async function readExemplars(
  store: TelemetryStore,
  visible: Visibility,
  signal: 'points' | 'hpoints',
  ids: readonly bigint[],
  { from, to }: SeriesRequest,
) {
  const range = { from_ns: BigInt(Math.floor(from)) * 1_000_000n, to_ns: BigInt(Math.ceil(to)) * 1_000_000n };
  const view = await openView(store, signal, visible, range);
  try {
    return await withConnection(
      store.buffer.instance,
      (read) =>
        read<{ series_id: bigint; exemplars: string }>(
          `SELECT series_id, exemplars FROM ${view.from}
           WHERE exemplars IS NOT NULL AND series_id IN (${ids.join(', ')})
             AND ts_ms BETWEEN ${Math.floor(from)} AND ${Math.ceil(to)} ORDER BY ts_ms DESC LIMIT ${MOST_EXEMPLARS}`,
        ),
      QUERY_TIMEOUT_MS,
    );
  } finally {
    await view.release();
  }
}
