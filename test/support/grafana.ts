import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { grafanaQuery, type Panel } from '#contract/dashboards.ts';

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const UNITS: Record<string, string> = {
  seconds: 's',
  share: 'percentunit',
  per_second: 'ops',
  bytes_per_second: 'Bps',
  bytes: 'bytes',
};

/** A dashboard with all three variables as Grafana's own SDK builds it: its types are Grafana's schema. */
export function bySdk(uid: string, name: string, panels: readonly Panel[]): object {
  const builder = new DashboardBuilder(name)
    .uid(uid)
    .tags(['caudal'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').type('prometheus').label('Data source'));
  const before: string[] = [];
  for (const label of ['system', 'service', 'instance']) {
    const within = before.map((each) => `${each}=~"$${each}"`).join(',');
    builder.withVariable(
      new QueryVariableBuilder(label)
        .label(label)
        .datasource(DATASOURCE)
        .query(`label_values(process_uptime_seconds{${within}}, ${label})`)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*'),
    );
    before.push(label);
  }
  let section: string | undefined;
  for (const panel of panels) {
    if (panel.section !== undefined && panel.section !== section) builder.withRow(new RowBuilder(panel.section));
    section = panel.section;
    builder.withPanel(built(panel));
  }
  return JSON.parse(JSON.stringify(builder.build()));
}

function built({ title, description, unit = 'number', queries }: Panel): PanelBuilder {
  const panel = new PanelBuilder()
    .title(title)
    .datasource(DATASOURCE)
    .unit(UNITS[unit] ?? 'short')
    .span(8)
    .height(7);
  if (description !== undefined) panel.description(description);
  for (const { query, legend = '' } of queries) {
    panel.withTarget(new DataqueryBuilder().expr(grafanaQuery(query)).legendFormat(legend).datasource(DATASOURCE));
  }
  return panel;
}
