import { DASHBOARD_VARIABLES, type DashboardInput, type Panel, type PanelUnit } from '#contract/dashboards.ts';
import type { MetricEntry } from '#contract/metric-entry.ts';
import { METRICS } from '#contract/metrics.ts';
import { prometheusLabel, prometheusName } from '#contract/prometheus-names.ts';

/** Which metrics are shown together; every metric of the table is on one of the boards. */
const BOARDS: Record<string, { name: string; description: string; sections: Record<string, RegExp> }> = {
  'caudal-overview': {
    name: 'Caudal: what it does',
    description: 'Requests, loads, tasks and queries of the installation.',
    sections: {
      Requests: /^http\./,
      'Loads and uploads': /^caudal\.(upload|uploads|load)/,
      'Tasks and workers': /^caudal\.(task|queue|worker)/,
      Queries: /^caudal\.(query|cache|sql)/,
      'Everything else': /^caudal\.(?!upload|load|task|queue|worker|query|cache|sql|lake|telemetry|disk|instances)/,
    },
  },
  'caudal-processes': {
    name: 'Caudal: processes and machines',
    description: 'What the processes of the installation and their machines use.',
    sections: {
      Processes: /^(process|nodejs|v8js)\./,
      Machines: /^(system\.|caudal\.(disk|instances))/,
      'Lake and telemetry store': /^caudal\.(lake|telemetry)/,
    },
  },
};

/** Caudal's own dashboards, from the table of its metrics; the key is what a later version knows each by. */
export function builtinDashboards(): Record<string, DashboardInput & { description: string }> {
  return Object.fromEntries(
    Object.entries(BOARDS).map(([key, { name, description, sections }]) => [
      key,
      { name, description, panels: Object.entries(sections).flatMap(([section, fits]) => panelsOf(section, fits)) },
    ]),
  );
}

function panelsOf(section: string, fits: RegExp): Panel[] {
  return (Object.entries(METRICS) as [string, MetricEntry][])
    .filter(([name]) => fits.test(name))
    .map(([name, entry]) => ({
      title: name,
      description: entry.description,
      section,
      unit: unitOf(entry),
      queries: queriesOf(name, entry),
    }));
}

const CHOSEN = DASHBOARD_VARIABLES.map((name) => `${name}=~"$${name}"`).join(',');

function queriesOf(name: string, entry: MetricEntry): Panel['queries'] {
  const metric = prometheusName(name, entry.unit, entry.type === 'counter');
  // The workspace divides too finely for a picture.
  const by = entry.attributes.filter((attribute) => attribute !== 'caudal.workspace').map(prometheusLabel);
  const legend = by.map((label) => `{{${label}}}`).join(' ');
  if (entry.type === 'histogram') {
    return [0.5, 0.95, 0.99].map((q) => ({
      query: `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket{${CHOSEN}}[$interval])))`,
      legend: `p${q * 100}`,
    }));
  }
  if (entry.type === 'counter') {
    return [{ query: `sum by (${by.join(', ')}) (rate(${metric}{${CHOSEN}}[$interval]))`, legend: legend || 'all' }];
  }
  return [{ query: `${metric}{${CHOSEN}}`, legend: `{{service}} ${legend}`.trim() }];
}

const UNITS: Record<string, PanelUnit> = { s: 'seconds', By: 'bytes', '1': 'share' };

function unitOf({ unit, type }: MetricEntry): PanelUnit {
  if (type === 'counter') return unit === 'By' ? 'bytes_per_second' : 'per_second';
  return UNITS[unit] ?? 'number';
}
