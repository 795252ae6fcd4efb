import { hostname } from 'node:os';
import { newId } from '#kernel/ids.ts';
import { type Database, type Db, first, openDatabase, rows, sql, transaction } from '#platform/db/db.ts';
import { type HeldLock, heldLock } from '#platform/db/held-lock.ts';
import { audit } from '#platform/http/audit.ts';
import type { Logger } from '#platform/observe/log.ts';
import { capacity, type PoolLimits, readPool, utilization } from '#platform/queue/pool.ts';
import { decide, FRESH, type ScaleRules, type ScaleState, shareOf } from './scale.ts';

export interface ElasticOptions {
  url: string;
  rules: ScaleRules;
  /** Of one worker by queue, as configured. */
  slots: PoolLimits['slots'];
  log: Logger;
  /** Told of each decision of ours. */
  decided(text: string): void;
}

export interface ElasticPool {
  /** How many workers this supervisor should run, from now on and at each change. */
  follow(resize: (workers: number) => void): void;
  stop(): Promise<void>;
}

const EVERY_MS = 1_000;

/**
 * This supervisor's part in the pool. Whoever holds the lock sets the target in `worker_pool`; each supervisor that
 * beats takes its share of it. While the database is away everybody keeps what there is.
 */
export async function joinPool(options: ElasticOptions): Promise<ElasticPool> {
  const { url, log } = options;
  const onError = (error: Error) => log.debug({ err: error }, 'pool: connection lost');
  const database: Database = openDatabase({ url, applicationName: 'caudal-pool', max: 2, onError });
  const { db } = database;
  const id = newId();
  const lock: HeldLock = heldLock(url, 'pool', log);
  const holder = createHolder(options, db, id);
  let share = 0;
  let resize: ((workers: number) => void) | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const round = async (): Promise<void> => {
    await beat(db, id, share);
    if (await lock.held()) await holder.look();
    else holder.forget();
    share = await ownShare(db, id, options.rules);
    resize?.(share);
  };
  let current = alone(db, options.rules).then(round);
  await current;
  const next = (): void => {
    timer = setTimeout(() => {
      current = round().catch((error) => log.debug({ err: error }, 'pool: no look this time'));
      void current.then(() => stopped || next());
    }, EVERY_MS);
  };
  next();
  return {
    follow(change) {
      resize = change;
      change(share);
    },
    async stop() {
      stopped = true;
      resize = undefined;
      clearTimeout(timer);
      await current;
      await sql`DELETE FROM supervisors WHERE id = ${id}`.execute(db).catch(() => undefined);
      await lock.release();
      await database.close();
    },
  };
}

/** Who starts where no other supervisor lives begins with the least, whatever was needed before. */
async function alone(db: Db, { min }: ScaleRules): Promise<void> {
  await transaction(db, async (tx) => {
    await sql`DELETE FROM supervisors WHERE heartbeat_at < now() - interval '15 seconds'
              OR host = ${hostname()} AND pid = ${process.pid}`.execute(tx);
    await sql`INSERT INTO worker_pool (target, reason) VALUES (${min}, 'start')
              ON CONFLICT (one) DO UPDATE SET target = excluded.target, reason = excluded.reason, decided_at = now()
              WHERE NOT EXISTS (SELECT 1 FROM supervisors)`.execute(tx);
  });
}

const beat = (db: Db, id: string, workers: number) =>
  sql`INSERT INTO supervisors (id, host, pid, workers) VALUES (${id}, ${hostname()}, ${process.pid}, ${workers})
      ON CONFLICT (id) DO UPDATE SET beat = supervisors.beat + 1, workers = excluded.workers, heartbeat_at = now()`.execute(
    db,
  );

async function ownShare(db: Db, id: string, { min }: ScaleRules): Promise<number> {
  const living = await rows(
    db,
    sql<{ id: string }>`SELECT id FROM supervisors WHERE heartbeat_at > now() - interval '15 seconds' OR id = ${id}`,
  );
  const pool = await first(db, sql<{ target: number }>`SELECT target FROM worker_pool`);
  return shareOf(
    pool?.target ?? min,
    living.map((each) => each.id),
    id,
  );
}

/** The lock holder's look: reads the pool, decides, and writes the target with who decided and why. */
function createHolder(options: ElasticOptions, db: Db, id: string) {
  const { rules, log, decided } = options;
  let state: ScaleState = FRESH;
  return {
    forget(): void {
      state = FRESH;
    },
    async look(): Promise<void> {
      const pool = await first(db, sql<{ target: number }>`SELECT target FROM worker_pool`);
      const target = pool?.target ?? rules.min;
      const { workers, queues } = await readPool(db, options.slots);
      const decision = decide(state, target, queues, performance.now(), rules);
      if (decision.reason !== undefined) {
        const detail = {
          from: target,
          to: decision.target,
          reason: decision.reason,
          workers,
          utilization: Math.round(utilization(queues, target) * 100) / 100,
          capacity: Math.round(capacity(queues, rules.max) * 100) / 100,
          queues,
        };
        await write(db, id, detail);
        log.info({ ...detail }, 'pool: the target changed');
        decided(
          `${decision.target > target ? 'growing' : 'shrinking'} from ${target} to ${decision.target} workers: ${decision.reason}`,
        );
      }
      state = decision.state;
    },
  };
}

async function write(db: Db, id: string, detail: { from: number; to: number; reason: string }): Promise<void> {
  await transaction(db, async (tx) => {
    await sql`UPDATE worker_pool SET target = ${detail.to}, decided_at = now(), decision = decision + 1,
                     reason = ${detail.reason}, detail = ${JSON.stringify(detail)}::jsonb`.execute(tx);
    const who = { workspace_id: null, user_id: null, actor: `supervisor ${process.pid}`, address: null };
    const action = detail.to > detail.from ? 'pool.grown' : 'pool.shrunk';
    await audit(tx, { ...who, action, target: String(detail.to), detail: { ...detail, supervisor: id } });
  });
}
