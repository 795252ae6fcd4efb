import { observe } from '#platform/observe/metrics/instruments.ts';
import { isScaled } from '#platform/queue/queue.ts';
import { type QueueLoad, type Runner, startRunner } from '#platform/queue/run.ts';
import { watchSilence } from '#platform/queue/silence.ts';
import { openDrains } from './drains.ts';
import { openReading } from './reading.ts';
import type { RoleStart } from './role.ts';
import { slotsOf, taskTable } from './tasks.ts';
import { startUpkeep } from './upkeep.ts';

export const startWorker: RoleStart = async (platform) => {
  const { config, database, log } = platform;
  const reading = openReading(platform);
  const drains = openDrains(platform);
  const runner = await startRunner({
    db: database.db,
    boss: platform.queue.boss,
    log,
    listener: platform.listener,
    instance_id: platform.instance,
    ...(config.tasksRunning > 0 ? { most: config.tasksRunning } : {}),
    slots: slotsOf(config),
    definitions: { ...taskTable(platform, async () => reading.load), replay_events: async () => drains.replay },
  });
  const unobserve = observeSlots(runner);
  const upkeep = startUpkeep(platform);
  const silence = watchSilence({ db: database.db, boss: platform.queue.boss, log, self: platform.instance });
  let retiring = false;
  return {
    name: 'worker',
    address: null,
    load: () => ({ queues: runner.load(), drains: drains.running().length, ...(retiring ? { retiring } : {}) }),
    async retire() {
      retiring = true;
      await runner.finish();
    },
    async drain() {
      await silence.stop();
      await Promise.all([upkeep.stop(), drains.stop()]);
      await runner.drain(Math.max(1_000, config.drainTimeout - 1_000));
    },
    async stop() {
      unobserve();
      await Promise.all([reading.pool.close(), drains.close()]);
    },
  };
};

function observeSlots(runner: Runner): () => void {
  return observe(['caudal.worker.slots.total', 'caudal.worker.slots.busy', 'caudal.worker.utilization'], () => {
    const load = Object.entries(runner.load());
    const by = (what: keyof QueueLoad) =>
      load.map(([queue, each]) => ({ value: each[what], attributes: { 'caudal.queue': queue } }));
    const shares = load.flatMap(([queue, { busy, slots }]) => (isScaled(queue) ? [busy / slots] : []));
    return {
      'caudal.worker.slots.total': by('slots'),
      'caudal.worker.slots.busy': by('busy'),
      'caudal.worker.utilization': Math.max(0, ...shares),
    };
  });
}
