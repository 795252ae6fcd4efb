import type { PgBoss } from 'pg-boss';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { bury } from './bury.ts';

/** What is known of one instance: its last beat, and since when (our monotonic clock, ms) it has been that one. */
export interface Beat {
  beat: number;
  since: number;
}

/** Three heartbeats. */
const SILENT_MS = 15_000;
/** Whoever could not look for so long knows nothing about the others: the database was away, for them too. */
const BLIND_MS = 6_000;
const LOOK_EVERY_MS = 2_000;

export interface Look {
  beats: ReadonlyMap<string, Beat>;
  /** When it was made. */
  at: number;
  silent: string[];
}

/** Compares what is seen now with the look before; clocks of other machines, and steps of any clock, play no part. */
export function lookForSilence(
  before: Look | undefined,
  seen: readonly { id: string; beat: number }[],
  now: number,
): Look {
  const blind = before === undefined || now - before.at > BLIND_MS;
  const beats = new Map<string, Beat>();
  const silent: string[] = [];
  for (const { id, beat } of seen) {
    const known = blind ? undefined : before.beats.get(id);
    const since = known?.beat === beat ? known.since : now;
    beats.set(id, { beat, since });
    if (now - since >= SILENT_MS) silent.push(id);
  }
  return { beats, at: now, silent };
}

/**
 * Buries the instances whose heartbeat stopped and whom no supervisor saw die: frozen, cut off, or on a machine that is
 * gone. Every worker looks; a death is recorded once.
 */
export function watchSilence(deps: { db: Db; boss: PgBoss; log: Logger; self: string }): { stop(): Promise<void> } {
  const { db, boss, log, self } = deps;
  let last: Look | undefined;
  const look = async (): Promise<void> => {
    const seen = await rows(
      db,
      sql<{ id: string; beat: number }>`
        SELECT id, beat FROM instances i WHERE stopped_at IS NULL AND id <> ${self} AND NOT EXISTS (
          SELECT 1 FROM instance_deaths d WHERE d.instance_id = i.id AND d.died_at >= i.heartbeat_at)`,
    );
    last = lookForSilence(last, seen, performance.now());
    if (last.silent.length === 0) return;
    log.warn({ instances: last.silent }, 'instances: no heartbeat for 15 s');
    const tasks = await bury(db, boss, last.silent, { cause: 'silent', noticed_by: self });
    if (tasks.length > 0) log.warn({ tasks }, 'instances: tasks of the silent go to others');
  };
  let stopped = false;
  let current: Promise<void> = Promise.resolve();
  const next = (): NodeJS.Timeout =>
    setTimeout(() => {
      current = untraced(look).catch((error) => log.debug({ err: error }, 'instances: no look this time'));
      void current.then(() => {
        if (!stopped) timer = next();
      });
    }, LOOK_EVERY_MS);
  let timer = next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
