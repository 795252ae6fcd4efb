import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { DASHBOARD_VARIABLES } from '#contract/dashboards.ts';
import type { MetricEntry } from '#contract/metric-entry.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { METRICS } from '#contract/metrics.ts';
import { prometheusName } from '#contract/prometheus-names.ts';
import { builtinDashboards } from '#features/dashboards/builtin.ts';
import { grafanaDashboard } from '#features/dashboards/grafana.ts';
import { grafanaDashboards } from '../../scripts/docs/grafana.ts';
import { bySdk } from '../support/grafana.ts';

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string }[];
  panels?: Panel[];
}

const dashboards = grafanaDashboards().map(({ text }) => JSON.parse(text));
const panels = dashboards.flatMap((dashboard) =>
  (dashboard.panels as Panel[]).flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel])),
);

test('every metric of the table has a panel, and no panel asks for another', () => {
  assert.deepEqual([...new Set(panels.map(({ title }) => title))].sort(), Object.keys(METRICS).sort());
  const known = (Object.entries(METRICS) as [string, MetricEntry][]).map(([name, { unit, type }]) =>
    prometheusName(name, unit, type === 'counter'),
  );
  for (const { targets = [] } of panels) {
    assert.ok(targets.length > 0);
    for (const { expr } of targets) {
      assert.ok(
        known.some((name) => new RegExp(`\\b${name}(_bucket)?\\{`).test(expr)),
        expr,
      );
      // Our own evaluator speaks the same language.
      parseExpression(expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(system|service|instance)/g, '.*'));
    }
  }
});

test('Grafana’s own SDK, given the same dashboard, makes the same JSON', () => {
  for (const [key, board] of Object.entries(builtinDashboards())) {
    const own = grafanaDashboard(key, { ...board, variables: [...DASHBOARD_VARIABLES] });
    assert.deepEqual(own, bySdk(key, board.name, board.panels));
  }
  const [panel] = Object.values(builtinDashboards())[0]?.panels ?? [];
  assert.ok(panel);
  // Panels without a section, and a line that overflows.
  const bare = [panel, panel, panel, panel].map(({ section: _, description: __, ...rest }) => rest);
  assert.deepEqual(
    grafanaDashboard('bare', { name: 'Bare', variables: [...DASHBOARD_VARIABLES], panels: bare }),
    bySdk('bare', 'Bare', bare),
  );
});

test('promtool takes deploy/prometheus/prometheus.yml', (t) => {
  const file = join(import.meta.dirname, '../../deploy/prometheus/prometheus.yml');
  const { status, stderr, error } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
  if (error) t.skip('without promtool');
  else assert.equal(status, 0, stderr);
});
