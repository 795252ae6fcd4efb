import { stringify } from 'yaml';
import { durationText } from '#contract/metrics/lex.ts';
import type { SloRow } from './slos.ts';

/** OpenSLO v1 documents, one per service level. */
export function openSlo(slos: readonly SloRow[]): string {
  return slos.map((slo) => stringify(documentOf(slo), { lineWidth: 0 })).join('---\n');
}

function documentOf({ name, description, service, good_query, total_query, target, window_ms }: SloRow) {
  const metric = (query: string) => ({ metricSource: { type: 'Prometheus', spec: { query } } });
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return {
    apiVersion: 'openslo/v1',
    kind: 'SLO',
    metadata: { name: slug || 'slo', displayName: name },
    spec: {
      description,
      service: service || 'caudal',
      indicator: {
        metadata: { name: `${slug || 'slo'}-ratio` },
        spec: { ratioMetric: { counter: true, good: metric(good_query), total: metric(total_query) } },
      },
      timeWindow: [{ duration: durationText(window_ms), isRolling: true }],
      budgetingMethod: 'Occurrences',
      objectives: [{ displayName: name, target }],
    },
  };
}
