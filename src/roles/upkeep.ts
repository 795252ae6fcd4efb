import { sweepIdentity } from '#features/identity/identity.ts';
import { sweepPhotos } from '#features/images/photos.ts';
import { sweepUploads } from '#features/uploads/sweep.ts';
import { sweepDeliveries } from '#features/webhooks/deliveries.ts';
import { systemClock } from '#kernel/clock.ts';
import { whileHolding } from '#platform/db/advisory-lock.ts';
import { sql } from '#platform/db/db.ts';
import { foldSourceLists } from '#platform/lake/source-lists.ts';
import { collectLake, SWEEP, sweepOrphans } from '#platform/lake/sweep.ts';
import { redeliverLostTasks } from '#platform/queue/lost-tasks.ts';
import { archiveBatches, expireArchives } from '#platform/stream/archive.ts';
import type { Platform } from './role.ts';

const MINUTE = 60_000;

interface Chore {
  name: string;
  every: number;
  run(): Promise<unknown>;
}

/** What is swept, and how often. Each chore is idempotent; one worker of the installation does them at a time. */
function chores(platform: Platform): Chore[] {
  const { db } = platform.database;
  const { log, objects: store, config } = platform;
  return [
    {
      name: 'uploads',
      every: 10 * MINUTE,
      run: () => sweepUploads({ db, store, log, retention_ms: config.uploadRetention }),
    },
    { name: 'photos', every: 10 * MINUTE, run: () => sweepPhotos({ db, store }) },
    {
      name: 'lake',
      every: 10 * MINUTE,
      run: () =>
        collectLake({ db, objects: store, now: systemClock.now }, { ...SWEEP, keep_ms: config.versionRetention }),
    },
    { name: 'orphans', every: 60 * MINUTE, run: () => sweepOrphans({ db, objects: store, now: systemClock.now }) },
    { name: 'event archives', every: MINUTE, run: () => archiveBatches({ db, objects: store }) },
    {
      name: 'event sources',
      every: MINUTE,
      run: () => foldSourceLists({ db, objects: store, temp_dir: platform.tempDir }),
    },
    {
      name: 'expired events',
      every: 60 * MINUTE,
      run: () => expireArchives({ db, objects: store }, config.eventRetention),
    },
    { name: 'webhook deliveries', every: 60 * MINUTE, run: () => sweepDeliveries(db) },
    { name: 'lost tasks', every: MINUTE, run: () => redeliverLostTasks(db, platform.queue) },
    { name: 'accounts', every: 60 * MINUTE, run: () => sweepIdentity(db, systemClock) },
    {
      name: 'idempotency keys',
      every: 10 * MINUTE,
      run: () => sql`DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'`.execute(db),
    },
    {
      name: 'instances',
      every: 60 * MINUTE,
      run: () => sql`DELETE FROM instances WHERE heartbeat_at < now() - interval '7 days'`.execute(db),
    },
    {
      name: 'task losses',
      every: 60 * MINUTE,
      run: () => sql`DELETE FROM task_losses WHERE lost_at < now() - interval '7 days'`.execute(db),
    },
    {
      name: 'deaths',
      every: 60 * MINUTE,
      run: () => sql`DELETE FROM instance_deaths WHERE died_at < now() - interval '90 days'`.execute(db),
    },
  ];
}

/** Looks every minute for chores that are due, first at once. */
export function startUpkeep(platform: Platform): { stop(): Promise<void> } {
  const { log } = platform;
  const due = new Map<string, number>();
  let stopped = false;
  let current: Promise<unknown> = Promise.resolve();

  const round = async (): Promise<void> => {
    for (const chore of chores(platform)) {
      if (stopped || (due.get(chore.name) ?? 0) > performance.now()) continue;
      try {
        const ran = await whileHolding(platform.database.pool, 'upkeep', chore.run);
        if (ran) due.set(chore.name, performance.now() + chore.every);
      } catch (error) {
        log.warn({ err: error, chore: chore.name }, `upkeep of ${chore.name} failed, tried again in a minute`);
      }
    }
  };
  const start = (): void => {
    current = current.then(round);
  };
  const timer = setInterval(start, MINUTE);
  start();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await current;
    },
  };
}
