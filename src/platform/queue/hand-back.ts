import { hostname } from 'node:os';
import { openDatabase, rows, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { bury, type HowItDied } from './bury.ts';
import { openQueue } from './queue.ts';
import { buryUnborn, type Ended } from './unborn.ts';

/**
 * Records the deaths of processes of this machine that are gone, marks them stopped and hands their tasks to the
 * others at once. Called by who knows that they are gone (their supervisor, when one dies and when it
 * starts again after everything was killed). Without it pg-boss notices the missing heartbeat by
 * itself, after 13 s instead of 3 (measured).
 * @returns the tasks handed back
 */
export async function handBack(
  url: string,
  gone: (pid: number) => boolean,
  how: HowItDied,
  log: Logger,
  /** Who ended, if it was one: its death is recorded even if it had never given a sign of life. */
  ended?: Ended,
): Promise<string[]> {
  const onError = (error: Error) => log.debug({ err: error }, 'hand back: connection lost');
  const database = openDatabase({ url, applicationName: 'caudal-supervisor', max: 1, onError });
  const queue = await openQueue({ url, log, supervise: false, works: false });
  try {
    const known = await rows(
      database.db,
      sql<{ id: string; pid: number }>`
        SELECT id, pid FROM instances WHERE host = ${hostname()} AND stopped_at IS NULL`,
    );
    const dead = known.filter(({ pid }) => gone(pid)).map(({ id }) => id);
    if (ended && dead.length === 0) await buryUnborn(database.db, ended, how);
    return await bury(database.db, queue.boss, dead, how);
  } finally {
    await queue.stop();
    await database.close();
  }
}
