import { hostname } from 'node:os';
import { type Db, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';

export interface InstanceOptions {
  db: Db;
  log: Logger;
  id: string;
  /** As its supervisor calls it. */
  name?: string | undefined;
  roles: readonly string[];
  version: string;
  /** Where other processes of the installation reach this one, `host:port`. */
  address: string | null;
  /** What this process is doing now: slots, tasks, caches. */
  load(): Record<string, unknown>;
}

const BEAT_MS = 5_000;

/**
 * Registers this process in `instances` and raises its beat every 5 s. Watchers compare the counter on
 * their own monotonic clock, so a stepping wall clock neither kills nor revives anybody.
 */
export async function startHeartbeat(options: InstanceOptions): Promise<{ stop(): Promise<void> }> {
  const { db, id } = options;
  const beat = () =>
    sql`
    INSERT INTO instances (id, name, roles, host, pid, address, version, load)
    VALUES (${id}, ${options.name ?? null}, ${[...options.roles]}, ${hostname()}, ${process.pid}, ${options.address}, ${options.version},
            ${JSON.stringify(options.load())}::jsonb)
    ON CONFLICT (id) DO UPDATE SET beat = instances.beat + 1, load = excluded.load, heartbeat_at = now(),
            stopped_at = NULL`.execute(db);
  await beat();
  const timer = setInterval(() => {
    beat().catch((error) => options.log.warn({ err: error }, 'heartbeat: not written'));
  }, BEAT_MS);
  return {
    async stop() {
      clearInterval(timer);
      await sql`UPDATE instances SET stopped_at = now() WHERE id = ${id}`.execute(db).catch(() => undefined);
    },
  };
}
