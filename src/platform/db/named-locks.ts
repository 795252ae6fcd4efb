import pg from 'pg';
import { createTurns } from '#kernel/gate.ts';
import type { Logger } from '#platform/observe/log.ts';

export interface HeldLock {
  release(): Promise<void>;
}

/**
 * Locks by name over all processes of the installation, on one connection of this process: they end with the
 * process, however it ends. A process that is frozen keeps its locks; once its heartbeat is old, others pass by
 * them. So a lock keeps work from being done twice for nothing; what must not be done twice is fenced in its own
 * transaction.
 */
export interface NamedLocks {
  /** @returns undefined when a living process holds it */
  tryHold(name: string): Promise<HeldLock | undefined>;
  close(): Promise<void>;
}

const CLASS = 7_306;
const PREFIX = 'caudal-lock ';

export function createNamedLocks(url: string, instance: string, log: Logger): NamedLocks {
  let opening: Promise<pg.Client> | undefined;
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, application_name: `${PREFIX}${instance}`, keepAlive: true });
    client.on('error', (error) => log.warn({ err: error }, 'locks: connection lost'));
    client.on('end', () => {
      opening = undefined;
    });
    await client.connect();
    return client;
  };
  const connected = (): Promise<pg.Client> => {
    opening ??= connect().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  // A connection takes one statement at a time.
  const inTurn = createTurns();
  const ask = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    inTurn('connection', async () => work(await connected()));
  return {
    tryHold: (name) =>
      ask(async (client) => {
        const taken = await client.query('SELECT pg_try_advisory_lock($1, hashtext($2)) AS held', [CLASS, name]);
        if (taken.rows[0]?.held) return { release: () => inTurn('connection', () => unlock(client, name)) };
        return (await isHeldByTheDead(client, name)) ? { release: async () => undefined } : undefined;
      }),
    async close() {
      const client = await opening?.catch(() => undefined);
      await client?.end();
    },
  };
}

/** A lock is gone with its connection where that was lost. */
async function unlock(client: pg.Client, name: string): Promise<void> {
  await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [CLASS, name]).catch(() => undefined);
}

/** Times are PostgreSQL's own on both sides, so a clock that steps elsewhere kills nobody. */
async function isHeldByTheDead(client: pg.Client, name: string): Promise<boolean> {
  const found = await client.query(
    `SELECT i.id IS NOT NULL AND (i.stopped_at IS NOT NULL OR i.heartbeat_at < now() - interval '15 seconds') AS dead
     FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
     LEFT JOIN instances i ON i.id::text = substr(a.application_name, $3)
     WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = hashtext($2)::bit(32)::bigint::oid AND l.granted`,
    [CLASS, name, PREFIX.length + 1],
  );
  return found.rows[0]?.dead === true;
}
