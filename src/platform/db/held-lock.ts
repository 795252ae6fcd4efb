import pg from 'pg';
import type { Logger } from '#platform/observe/log.ts';
import { LOCKS } from './advisory-lock.ts';

export interface HeldLock {
  /** Asks for the lock, or whether we still have it; to be called often: who asks no more for 15 s loses it. */
  held(): Promise<boolean>;
  release(): Promise<void>;
}

/** A process that was frozen must not hold for ever what others wait for. */
const IDLE_MS = 15_000;

/** A lock for as long as this process lives and asks, on a connection of its own. */
export function heldLock(url: string, lock: keyof typeof LOCKS, log: Logger): HeldLock {
  let client: pg.Client | undefined;
  let holding = false;

  const drop = (): void => {
    const gone = client;
    client = undefined;
    holding = false;
    gone?.end().catch(() => undefined);
  };
  const connected = async (): Promise<pg.Client> => {
    if (client) return client;
    const next = new pg.Client({ connectionString: url, application_name: `caudal-lock-${lock}`, keepAlive: true });
    next.on('error', (error) => {
      log.debug({ err: error, lock }, 'lock: connection lost');
      if (client === next) drop();
    });
    await next.connect();
    await next.query(`SET idle_session_timeout = ${IDLE_MS}`);
    client = next;
    return next;
  };
  return {
    async held() {
      try {
        const connection = await connected();
        if (holding) {
          await connection.query('SELECT 1');
          return holding;
        }
        const { rows } = await connection.query('SELECT pg_try_advisory_lock($1) AS held', [LOCKS[lock]]);
        holding = rows[0]?.held === true;
        return holding;
      } catch (error) {
        log.debug({ err: error, lock }, 'lock: not to be had');
        drop();
        return false;
      }
    },
    async release() {
      drop();
    },
  };
}
