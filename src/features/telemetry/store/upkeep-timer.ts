import type { Clock } from '#kernel/clock.ts';
import type { Logger } from '#platform/observe/log.ts';
import type { Kept } from '../schema.ts';
import type { TelemetryStore } from './store.ts';
import { runUpkeep } from './upkeep.ts';

export interface UpkeepTimerOptions {
  store: TelemetryStore;
  clock: Clock;
  log: Logger;
  keepMs: Record<Kept, number>;
  maxBytes: number;
}

const EVERY_MS = 5 * 60_000;
const GRACE_MS = 10 * 60_000;

/** Runs the upkeep now and then, one run at a time; `stop` waits for the one that is running. */
export function startUpkeep(options: UpkeepTimerOptions): { now(): void; stop(): Promise<void> } {
  const { store, log } = options;
  let running: Promise<void> = Promise.resolve();
  const run = async (): Promise<void> => {
    const { db, objects, directory } = store;
    const { instance } = store.buffer;
    const report = await runUpkeep({ ...options, db, objects, instance, directory, graceMs: GRACE_MS });
    if (report) log.debug(report, 'telemetry: upkeep');
  };
  let waiting = false;
  const start = (): void => {
    if (waiting) return;
    waiting = true;
    running = running
      .then(() => {
        waiting = false;
        return run();
      })
      .catch((error) => log.warn({ err: error }, 'telemetry: upkeep failed, trying again'));
  };
  const timer = setInterval(start, EVERY_MS).unref();
  return {
    now: start,
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}
