import { hash } from 'node:crypto';
import type { Rows } from '../schema.ts';
import { attributesOf, integer } from './attributes.ts';
import { exemplarsOf } from './exemplars.ts';
import type {
  Exemplar,
  ExponentialHistogramDataPoint,
  HistogramDataPoint,
  KeyValue,
  Metric,
  NumberDataPoint,
  SummaryDataPoint,
} from './generated/otlp_pb.ts';
import type { Origin } from './origin.ts';
import { isTime, msOf } from './times.ts';

const TEMPORALITIES = ['unspecified', 'delta', 'cumulative'];

interface Timed {
  timeUnixNano: bigint;
  startTimeUnixNano: bigint;
  attributes: KeyValue[];
  flags: number;
  exemplars?: Exemplar[];
}

/** What all points of a metric share, and what is particular to one. */
interface Kind {
  type: string;
  temporality: string | null;
  monotonic: boolean | null;
  /** Bounds of an explicit histogram, as JSON: they are the series' own, so that points need not repeat them. */
  bounds: string | null;
}

type Measured =
  | { value: number | null }
  | { count: bigint; sum: number | null; min: number | null; max: number | null; buckets: string };

type Into = Pick<Rows, 'series' | 'points' | 'hpoints'>;

const GAUGE: Kind = { type: 'gauge', temporality: null, monotonic: null, bounds: null };

/** One row per data point, and one per series. @returns why points were refused, one text for each */
export function flattenMetric(metric: Metric, origin: Origin, into: Into): string[] {
  const refused: string[] = [];
  const add = (timed: Timed, kind: Kind, measured: Measured): void => {
    const fault = addPoint(metric, origin, timed, kind, measured, into);
    if (fault) refused.push(fault);
  };
  const { data } = metric;
  switch (data.case) {
    case 'gauge':
      for (const each of data.value.dataPoints) add(each, GAUGE, { value: numberOf(each) });
      break;
    case 'sum': {
      const { isMonotonic } = data.value;
      const kind = { type: 'sum', temporality: temporalityOf(data.value), monotonic: isMonotonic, bounds: null };
      for (const each of data.value.dataPoints) add(each, kind, { value: numberOf(each) });
      break;
    }
    case 'histogram': {
      const kind = { type: 'histogram', temporality: temporalityOf(data.value), monotonic: null };
      for (const each of data.value.dataPoints) {
        add(each, { ...kind, bounds: JSON.stringify(each.explicitBounds) }, histogram(each));
      }
      break;
    }
    case 'exponentialHistogram': {
      const temporality = temporalityOf(data.value);
      const kind = { type: 'exponential_histogram', temporality, monotonic: null, bounds: null };
      for (const each of data.value.dataPoints) add(each, kind, exponential(each));
      break;
    }
    case 'summary':
      for (const each of data.value.dataPoints) {
        add(each, { type: 'summary', temporality: 'cumulative', monotonic: null, bounds: null }, summary(each));
      }
      break;
    default:
      refused.push(`metric "${metric.name}": it holds no kind of data that OTLP knows`);
  }
  return refused;
}

function addPoint(
  metric: Metric,
  origin: Origin,
  timed: Timed,
  kind: Kind,
  measured: Measured,
  into: Into,
): string | undefined {
  if (!metric.name) return 'metric without a name';
  if (!isTime(timed.timeUnixNano) || !isTime(timed.startTimeUnixNano)) {
    return `metric "${metric.name}": a time beyond the year 2262`;
  }
  const attributes = attributesOf(timed.attributes);
  const workspace_id = origin.claim(attributes);
  const ts_ms = msOf(timed.timeUnixNano > 0n ? timed.timeUnixNano : origin.received_ns);
  const series_id = addSeries(metric, origin, workspace_id, attributes, kind, ts_ms, into);
  const shared = {
    workspace_id,
    series_id,
    ts_ms,
    start_ms: timed.startTimeUnixNano > 0n ? msOf(timed.startTimeUnixNano) : null,
    flags: timed.flags > 0 ? BigInt(timed.flags) : null,
    exemplars: timed.exemplars && timed.exemplars.length > 0 ? JSON.stringify(exemplarsOf(timed.exemplars)) : null,
  };
  if ('value' in measured) into.points.push({ ...shared, ...measured });
  else into.hpoints.push({ ...shared, ...measured });
  return undefined;
}

/** The id is a digest of what tells a series from others: the same in every process and after every restart. */
function addSeries(
  metric: Metric,
  origin: Origin,
  workspace_id: string | null,
  attributes: object,
  kind: Kind,
  seen_ms: bigint,
  into: Into,
): bigint {
  const labels = JSON.stringify(Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))));
  const { system, service, instance, resource_id, scope, scope_attrs } = origin;
  const { name, unit } = metric;
  const identity = [workspace_id, name, unit, Object.values(kind), resource_id, scope, scope_attrs, labels];
  const series_id = hash('sha256', JSON.stringify(identity), 'buffer').readBigInt64LE();
  into.series.push({
    workspace_id,
    seen_ms,
    series_id,
    metric: name,
    description: metric.description || null,
    unit: unit || null,
    ...kind,
    system,
    service,
    instance,
    labels,
    resource_id,
    scope,
    scope_attrs,
    metadata: metric.metadata.length > 0 ? JSON.stringify(attributesOf(metric.metadata)) : null,
  });
  return series_id;
}

function numberOf(point: NumberDataPoint): number | null {
  if (point.value.case === 'asInt') return Number(point.value.value);
  return point.value.case === 'asDouble' ? point.value.value : null;
}

function temporalityOf(data: { aggregationTemporality: number }): string {
  return TEMPORALITIES[data.aggregationTemporality] ?? 'unspecified';
}

function histogram(point: HistogramDataPoint): Measured {
  return { ...spread(point), buckets: JSON.stringify(point.bucketCounts.map(integer)) };
}

function exponential(point: ExponentialHistogramDataPoint): Measured {
  const side = (half: typeof point.positive) => ({
    offset: half?.offset ?? 0,
    counts: (half?.bucketCounts ?? []).map(integer),
  });
  const buckets = {
    scale: point.scale,
    zero_count: integer(point.zeroCount),
    zero_threshold: point.zeroThreshold,
    positive: side(point.positive),
    negative: side(point.negative),
  };
  return { ...spread(point), buckets: JSON.stringify(buckets) };
}

function summary(point: SummaryDataPoint): Measured {
  const quantiles = point.quantileValues.map(({ quantile, value }) => ({ quantile, value }));
  return { count: clamp(point.count), sum: point.sum, min: null, max: null, buckets: JSON.stringify({ quantiles }) };
}

function spread(point: HistogramDataPoint | ExponentialHistogramDataPoint) {
  return { count: clamp(point.count), sum: point.sum ?? null, min: point.min ?? null, max: point.max ?? null };
}

/** A count of 2⁶³ and more is nonsense, but no reason to refuse the rest of the export. */
function clamp(count: bigint): bigint {
  return count < 2n ** 63n ? count : 2n ** 63n - 1n;
}
