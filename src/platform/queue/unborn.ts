import { hostname } from 'node:os';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import { type HowItDied, recordDeath } from './bury.ts';

/** A process that its supervisor started and saw end. */
export interface Ended {
  pid: number;
  name: string;
  role: string;
  /** How long it lived, in ms. */
  lived: number;
}

/** Its first heartbeat may be older than its process by what clocks differ. */
const SLACK_MS = 5_000;

/**
 * Records the death of a process that never gave a sign of life: nobody else can miss it. One that did, or that was told
 * to stop, is not recorded here.
 * @returns whether it was such a one
 */
export async function buryUnborn(db: Db, { pid, name, role, lived }: Ended, how: HowItDied): Promise<boolean> {
  return transaction(db, async (tx) => {
    const seconds = (lived + SLACK_MS) / 1000;
    const known = await rows(
      tx,
      sql`SELECT 1 FROM instances WHERE host = ${hostname()} AND pid = ${pid}
          AND heartbeat_at > now() - make_interval(secs => ${seconds}::double precision)`,
    );
    if (known.length > 0) return false;
    const [began] = await rows(
      tx,
      sql<{ at: Date }>`SELECT now() - make_interval(secs => ${lived / 1000}::double precision) AS at`,
    );
    const started_at = began?.at ?? new Date();
    const process = { id: newId(), roles: [role], host: hostname(), pid, name, version: 'unknown' };
    await recordDeath(tx, { ...process, started_at, heartbeat_at: started_at }, [], how);
    return true;
  });
}
