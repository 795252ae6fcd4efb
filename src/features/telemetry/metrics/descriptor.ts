import { type Labels, NAME } from '#contract/metrics/series.ts';
import { plainName, prometheusLabel, prometheusName } from '#contract/prometheus-names.ts';

/** A series as the store describes it. */
export interface SeriesRow {
  workspace_id: string | null;
  series_id: bigint;
  metric: string;
  unit: string | null;
  type: string;
  temporality: string | null;
  monotonic: boolean | null;
  system: string;
  service: string;
  instance: string | null;
  labels: string;
  bounds: string | null;
}

/** The parts that a metric of one kind has; each is a series of Prometheus'. */
export type Part = 'value' | 'bucket' | 'quantile' | 'sum' | 'count';

const PARTS: Record<string, readonly Part[]> = {
  gauge: ['value'],
  sum: ['value'],
  histogram: ['bucket', 'sum', 'count'],
  exponential_histogram: ['bucket', 'sum', 'count'],
  summary: ['quantile', 'sum', 'count'],
};
const SUFFIX: Record<Part, string> = { value: '', quantile: '', bucket: '_bucket', sum: '_sum', count: '_count' };

export interface Named {
  part: Part;
  /** As Prometheus has it. */
  name: string;
  /** Without unit and `_total`: who writes `caudal.worker.busy` means it. */
  plain: string;
}

export function partsOf({ metric, unit, type, monotonic }: SeriesRow): Named[] {
  const name = prometheusName(metric, unit ?? '', type === 'sum' && monotonic === true);
  return (PARTS[type] ?? []).map((part) => ({
    part,
    name: name + SUFFIX[part],
    plain: plainName(metric) + SUFFIX[part],
  }));
}

/** `system`, `service` and `instance` are the store's; an attribute of that name is kept as `exported_…`, as in Prometheus. */
const OWN = ['system', 'service', 'instance'] as const;

/** Without the name. `everything`: of several workspaces, so that each says whose it is. */
export function labelsOf(row: SeriesRow, everything: boolean): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(JSON.parse(row.labels) as Record<string, unknown>)) {
    const name = prometheusLabel(key);
    if (name === 'caudal_workspace') continue;
    const taken = (OWN as readonly string[]).includes(name) || name === NAME;
    labels[taken ? `exported_${name}` : name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  for (const name of OWN) if (row[name]) labels[name] = row[name];
  if (everything && row.workspace_id !== null) labels['caudal_workspace'] = row.workspace_id;
  return labels;
}

export function named(labels: Labels, name: string, more: Labels = {}): Labels {
  return { [NAME]: name, ...labels, ...more };
}
