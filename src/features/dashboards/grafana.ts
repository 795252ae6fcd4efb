import { type Dashboard, grafanaQuery, type Panel, type PanelUnit } from '#contract/dashboards.ts';

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const UNITS: Record<PanelUnit, string> = {
  number: 'short',
  seconds: 's',
  bytes: 'bytes',
  share: 'percentunit',
  per_second: 'ops',
  bytes_per_second: 'Bps',
};
/** Three panels beside each other on Grafana's grid of 24 columns. */
const [WIDTH, HEIGHT, COLUMNS] = [8, 7, 24];

/**
 * A dashboard as Grafana imports it. A test builds the same with Grafana's own SDK and finds no difference: the SDK is
 * 11 MB, and is not needed where Caudal runs.
 */
export function grafanaDashboard(
  uid: string,
  { name, variables, panels }: Pick<Dashboard, 'name' | 'variables' | 'panels'>,
): object {
  return {
    timezone: 'browser',
    editable: true,
    graphTooltip: 0,
    fiscalYearStartMonth: 0,
    schemaVersion: 42,
    templating: { list: [DATASOURCE_VARIABLE, ...variables.map(labelVariable)] },
    annotations: {},
    title: name,
    uid,
    tags: ['caudal'],
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    panels: laidOut(panels),
  };
}

const VARIABLE = { skipUrlSync: false, multi: false, allowCustomValue: true, includeAll: false } as const;
const AUTO = { auto: false, auto_min: '10s', auto_count: 30 } as const;
const DATASOURCE_VARIABLE = {
  type: 'datasource',
  name: 'datasource',
  ...VARIABLE,
  ...AUTO,
  query: 'prometheus',
  label: 'Data source',
};

function labelVariable(name: string, index: number, all: readonly string[]) {
  const within = all
    .slice(0, index)
    .map((label) => `${label}=~"$${label}"`)
    .join(',');
  return {
    type: 'query',
    name,
    ...VARIABLE,
    multi: true,
    includeAll: true,
    ...AUTO,
    label: name,
    datasource: DATASOURCE,
    query: `label_values(process_uptime_seconds{${within}}, ${name})`,
    refresh: 2,
    allValue: '.*',
  };
}

/** Sections are rows; panels fill them from the left. */
function laidOut(panels: readonly Panel[]): object[] {
  const laid: object[] = [];
  let [x, y] = [0, 0];
  let section: string | undefined;
  for (const panel of panels) {
    if (panel.section !== undefined && panel.section !== section) {
      if (x > 0) y += HEIGHT;
      laid.push(row(panel.section, y));
      [x, y] = [0, y + 1];
    }
    section = panel.section;
    if (x + WIDTH > COLUMNS) [x, y] = [0, y + HEIGHT];
    laid.push(timeSeries(panel, x, y));
    x += WIDTH;
  }
  return laid;
}

const row = (title: string, y: number) => ({
  type: 'row',
  collapsed: false,
  id: 0,
  panels: [],
  title,
  gridPos: { x: 0, y, h: 1, w: COLUMNS },
});

function timeSeries({ title, description, unit = 'number', queries }: Panel, x: number, y: number) {
  return {
    type: 'timeseries',
    transparent: false,
    repeatDirection: 'h',
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: false, calcs: [] },
      tooltip: { mode: 'single', sort: 'asc' },
    },
    fieldConfig: { defaults: { custom: {}, unit: UNITS[unit] }, overrides: [] },
    title,
    ...(description === undefined ? {} : { description }),
    datasource: DATASOURCE,
    gridPos: { h: HEIGHT, w: WIDTH, x, y },
    targets: queries.map(({ query, legend = '' }) => ({
      expr: grafanaQuery(query),
      legendFormat: legend,
      datasource: DATASOURCE,
    })),
  };
}
