import { Type } from 'typebox';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { admitScraper } from '#platform/http/metrics.ts';

const Targets = Type.Array(
  Type.Object({ targets: Type.Array(Type.String()), labels: Type.Record(Type.String(), Type.String()) }),
);

/**
 * How long a process that died is still listed. What replaces it is there within seconds, under an address of its own:
 * a list of the living would show Prometheus a target that went and one that came, and never one that is down.
 */
const MOURNED = '2 minutes';

/**
 * Where each process shows its metrics, as Prometheus' HTTP service discovery wants it. The labels are those
 * of Caudal's own store: a rule means the same series here and there.
 */
export function metricTargetRoutes({ db }: { db: Db }) {
  return async (app: App): Promise<void> => {
    app.get(
      '/metrics/targets',
      {
        config: { access: 'public', untraced: true },
        schema: { tags: ['observability'], summary: 'Processes to scrape, for Prometheus', response: { 200: Targets } },
        onRequest: admitScraper,
      },
      async () => {
        const found = await rows(
          db,
          sql<{ id: string; role: string; address: string }>`
            SELECT id, roles[1] AS role, load->>'metrics_address' AS address FROM instances i
            WHERE load ? 'metrics_address'
              AND (stopped_at IS NULL AND heartbeat_at > now() - interval '15 seconds'
                   OR EXISTS (SELECT 1 FROM instance_deaths d WHERE d.instance_id = i.id
                              AND d.died_at > now() - ${MOURNED}::interval))
            ORDER BY started_at, id LIMIT 1000`,
        );
        return found.map(({ id, role, address }) => ({
          targets: [address],
          labels: { instance: id, service: `caudal-${role}`, system: 'caudal' },
        }));
      },
    );
  };
}
