import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#platform/observe/log.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { Claimed } from './claim.ts';
import type { QueueName } from './queue.ts';

/** Retries and delayed jobs become ready without a word. */
const POLL_MS = 1_000;

export interface FeedOptions {
  queue: QueueName;
  slots: number;
  log: Logger;
  claim(queue: QueueName, free: number): Promise<Claimed>;
  /** Runs one task to its end; never rejects. */
  run(queue: QueueName, claimed: Claimed['started'][number]): Promise<void>;
}

export interface Feed {
  readonly slots: number;
  busy(): number;
  /** Something may have become ready. */
  wake(): void;
  /** Claims nothing more; resolves when what was claimed has ended. */
  stop(): Promise<void>;
}

/**
 * Keeps the slots of one queue filled. One claim at a time, for all slots that are free: while it is under way more
 * become free, so a backlog of short tasks is claimed in batches and a single task at once.
 */
export function startFeed({ queue, slots, log, claim, run }: FeedOptions): Feed {
  let busy = 0;
  let stopped = false;
  let woken = false;
  let rouse = (): void => undefined;
  const ends = new Set<Promise<void>>();

  const wake = (): void => {
    woken = true;
    rouse();
  };
  const begin = (claimed: Claimed['started'][number]): void => {
    busy += 1;
    const end = run(queue, claimed).finally(() => {
      busy -= 1;
      ends.delete(end);
      wake();
    });
    ends.add(end);
  };
  const fill = async (): Promise<boolean> => {
    if (busy >= slots) return false;
    try {
      const { started, more } = await untraced(() => claim(queue, slots - busy));
      for (const claimed of started) begin(claimed);
      return more && busy < slots;
    } catch (error) {
      log.warn({ err: error, queue }, 'queue: nothing could be claimed, trying again');
      await delay(POLL_MS);
      return false;
    }
  };
  const rest = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const loop = async (): Promise<void> => {
    while (!stopped) {
      woken = false;
      const more = await fill();
      if (!stopped && !woken && !more) await rest();
    }
  };
  const looping = loop();
  return {
    slots,
    busy: () => busy,
    wake,
    async stop() {
      stopped = true;
      wake();
      await looping;
      await Promise.all(ends);
    },
  };
}
