import { DASHBOARD_VARIABLES } from '#contract/dashboards.ts';
import { builtinDashboards } from '#features/dashboards/builtin.ts';
import { grafanaDashboard } from '#features/dashboards/grafana.ts';

/** The built-in dashboards as Grafana imports them, as `GET /dashboards/{id}/grafana` gives them too. */
export function grafanaDashboards(): { path: string; text: string }[] {
  return Object.entries(builtinDashboards()).map(([key, board]) => {
    const made = grafanaDashboard(key, { ...board, variables: [...DASHBOARD_VARIABLES] });
    return { path: `deploy/grafana/${key}.json`, text: `${JSON.stringify(made, null, 2)}\n` };
  });
}
