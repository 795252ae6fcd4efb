import { Type } from 'typebox';
import { type Death, Instance, Pool } from '#contract/instances.ts';
import type { Principal } from '#contract/principal.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { type RecordedDeath, readDeaths } from '#platform/deaths.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { describePool, type PoolLimits } from '#platform/queue/pool.ts';

interface Row {
  id: string;
  name: string | null;
  roles: string[];
  host: string;
  pid: number;
  address: string | null;
  version: string;
  load: Record<string, unknown>;
  started_at: Date;
  heartbeat_at: Date;
  stopped_at: Date | null;
  silent: boolean;
}

/** Every process of the installation: roles, load, heartbeat. Those that ended are listed for a day. */
export function instanceRoutes(deps: { db: Db; limits: PoolLimits }) {
  return async (app: App): Promise<void> => {
    app.get(
      '/instances',
      {
        config: { access: { scope: 'telemetry:read' } },
        schema: {
          tags: ['observability'],
          summary: 'Processes with their roles, load and heartbeat; who died, doing what, and where that went',
          response: { 200: Type.Object({ items: Type.Array(Instance), next_cursor: Type.Null(), pool: Pool }) },
        },
      },
      async (request) => {
        const found = await rows(
          deps.db,
          sql<Row>`
            SELECT id, name, roles, host, pid, address, version, load, started_at, heartbeat_at, stopped_at,
                   heartbeat_at < now() - interval '15 seconds' AS silent FROM instances
            WHERE heartbeat_at > now() - interval '1 day' ORDER BY stopped_at IS NOT NULL, started_at DESC LIMIT 200`,
        );
        const deaths = new Map<string, RecordedDeath>();
        for (const death of await readDeaths(deps.db, { instances: found.map(({ id }) => id) })) {
          if (!deaths.has(death.instance_id)) deaths.set(death.instance_id, death);
        }
        const principal = principalOf(request);
        const items = found.map((row) => toInstance(row, deaths.get(row.id), principal));
        return { items, next_cursor: null, pool: await describePool(deps.db, deps.limits) };
      },
    );
  };
}

function toInstance(
  { silent, stopped_at, ...row }: Row,
  death: RecordedDeath | undefined,
  principal: Principal,
): Instance {
  // Who was taken for dead and beats again lives.
  const dead = death !== undefined && death.replaced_by !== row.id;
  return {
    ...row,
    state: dead ? 'dead' : stopped_at ? 'stopped' : silent ? 'silent' : 'alive',
    started_at: row.started_at.toISOString(),
    heartbeat_at: row.heartbeat_at.toISOString(),
    death: death ? asSeenBy(death, principal) : null,
  };
}

/** Other workspaces' tasks are counted, not named. */
function asSeenBy(death: RecordedDeath, { workspace_id, operator }: Principal): Death {
  const { cause, exit_code, signal, last_heartbeat_at, died_at, noticed_by, tasks_lost } = death;
  const tasks = death.tasks
    .filter((task) => operator || task.workspace_id === workspace_id)
    .map(({ workspace_id: _, ...task }) => task);
  const { replaced_by, replaced_at } = death;
  return {
    cause,
    exit_code,
    signal,
    last_heartbeat_at,
    died_at,
    noticed_by,
    tasks,
    tasks_lost,
    replaced_by,
    replaced_at,
  };
}
