import type pg from 'pg';

/** What must happen once in the whole installation; the number is the advisory lock's key. */
export const LOCKS = {
  upkeep: 7_306_254_201,
  telemetry: 7_306_254_202,
  alerts: 7_306_254_255,
  pool: 7_306_254_245,
} as const;

/**
 * Runs `work` if no other process holds the lock; otherwise does nothing.
 * @returns whether it ran
 */
export async function whileHolding(
  pool: pg.Pool,
  lock: keyof typeof LOCKS,
  work: () => Promise<unknown>,
): Promise<boolean> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS held', [LOCKS[lock]]);
    if (!rows[0]?.held) return false;
    try {
      await work();
      return true;
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [LOCKS[lock]]);
    }
  } finally {
    client.release();
  }
}

export interface Hold {
  /** False once the connection is lost or has not answered for a while: another may hold the lock. */
  held(): boolean;
  release(): Promise<void>;
}

export interface HoldTimes {
  /** How often the holder says that it lives, in ms. */
  beat: number;
  /** How long one answer lets it believe that it still holds. */
  fresh: number;
  /** After so long without a word PostgreSQL ends the connection, and with it the lock; longer than `fresh`. */
  idle: number;
}

const TIMES: HoldTimes = { beat: 2_000, fresh: 8_000, idle: 15_000 };

/**
 * Takes the lock for as long as its connection lives and its process speaks; undefined while another holds it. A process
 * that is frozen keeps its connection, so PostgreSQL ends one that says nothing; when it wakes it has not been fresh for
 * long, by its own monotonic clock, and does nothing more in the name of the lock.
 */
export async function tryHold(pool: pg.Pool, lock: keyof typeof LOCKS, times = TIMES): Promise<Hold | undefined> {
  const client = await pool.connect();
  let lost = false;
  let fresh = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const lose = (): void => {
    lost = true;
  };
  client.on('error', lose);
  client.once('end', lose);
  const leave = (broken: boolean): void => {
    clearInterval(timer);
    client.off('end', lose);
    // Of a connection that is given up, what still breaks is nobody's to hear, and must not end the process.
    if (!broken) client.off('error', lose);
    client.release(broken);
  };
  let speaking = false;
  const speak = async (): Promise<void> => {
    if (speaking) return;
    speaking = true;
    const asked = performance.now();
    await client.query('SELECT 1').then(() => {
      fresh = asked;
    }, lose);
    speaking = false;
  };
  try {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS held', [LOCKS[lock]]);
    if (!rows[0]?.held) {
      leave(false);
      return undefined;
    }
    await client.query(`SET idle_session_timeout = ${times.idle}`);
  } catch (error) {
    leave(true);
    throw error;
  }
  timer = setInterval(() => void speak(), times.beat).unref();
  return {
    held: () => !lost && performance.now() - fresh < times.fresh,
    // Closing the connection frees the lock whatever else went wrong.
    release: async () => leave(true),
  };
}
