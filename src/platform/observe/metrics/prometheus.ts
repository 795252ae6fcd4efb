import type { Attributes, AttributeValue } from '@opentelemetry/api';
import {
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { MetricEntry } from '#contract/metric-entry.ts';
import { prometheusLabel, prometheusName, prometheusNumber } from '#contract/prometheus-names.ts';

/** What Prometheus asks for in `Accept` and understands without it. */
export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Collected metrics as Prometheus text (version 0.0.4). Names follow "OpenTelemetry Metric Exporter – Prometheus":
 * dots become `_`, the unit is a suffix, counters end in `_total`; the resource is `target_info`. The instance label is
 * the scraper's to give.
 * @param known metrics that are named even before anything was measured, so that rules and dashboards can be written
 */
export function prometheusText(
  { resource, scopeMetrics }: ResourceMetrics,
  known: Readonly<Record<string, MetricEntry>> = {},
): string {
  const lines = [
    '# TYPE target_info gauge',
    '# HELP target_info The process',
    `target_info${labels(resource.attributes)} 1`,
  ];
  const families = new Set<string>(['target_info']);
  for (const { metrics } of scopeMetrics) {
    for (const metric of metrics) {
      const name = prometheusName(metric.descriptor.name, metric.descriptor.unit, isCounter(metric));
      if (metric.dataPoints.length === 0 || families.has(name)) continue;
      families.add(name);
      announce(lines, name, typeOf(metric), metric.descriptor.description);
      appendPoints(lines, name, metric);
    }
  }
  for (const [own, { unit, type, description }] of Object.entries(known)) {
    const name = prometheusName(own, unit, type === 'counter');
    if (!families.has(name)) announce(lines, name, type === 'updown' ? 'gauge' : type, description);
  }
  return `${lines.join('\n')}\n`;
}

function announce(lines: string[], name: string, type: string, description: string): void {
  lines.push(`# TYPE ${name} ${type}`);
  if (description) lines.push(`# HELP ${name} ${escapeHelp(description)}`);
}

function isCounter(metric: MetricData): boolean {
  return metric.dataPointType === DataPointType.SUM && metric.isMonotonic;
}

function typeOf(metric: MetricData): string {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  return isCounter(metric) ? 'counter' : 'gauge';
}

function appendPoints(lines: string[], name: string, metric: MetricData): void {
  // Nothing of ours aggregates exponentially, and the text format has no words for it.
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) return;
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    for (const point of metric.dataPoints) appendHistogram(lines, name, point);
    return;
  }
  for (const { attributes, value } of metric.dataPoints)
    lines.push(`${name}${labels(attributes)} ${prometheusNumber(value)}`);
}

function appendHistogram(lines: string[], name: string, { attributes, value }: DataPoint<Histogram>): void {
  let below = 0;
  for (const [index, count] of value.buckets.counts.entries()) {
    below += count;
    const bound = value.buckets.boundaries[index];
    const le = bound === undefined ? '+Inf' : prometheusNumber(bound);
    lines.push(`${name}_bucket${labels(attributes, ['le', le])} ${below}`);
  }
  lines.push(`${name}_sum${labels(attributes)} ${prometheusNumber(value.sum ?? 0)}`);
  lines.push(`${name}_count${labels(attributes)} ${value.count}`);
}

function labels(attributes: Attributes, extra?: [string, string]): string {
  const pairs = Object.entries(attributes)
    .filter((pair): pair is [string, AttributeValue] => pair[1] !== undefined)
    .map(([key, value]) => [prometheusLabel(key), typeof value === 'string' ? value : JSON.stringify(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (extra) pairs.push(extra);
  if (pairs.length === 0) return '';
  return `{${pairs.map(([key, value]) => `${key}="${escapeLabel(value)}"`).join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
