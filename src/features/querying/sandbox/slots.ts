import { fail } from '#kernel/errors.ts';

export interface Slots {
  /** Waits for a free slot. @throws sql_busy when the queue is full or the wait too long */
  take(signal?: AbortSignal): Promise<void>;
  give(): void;
  readonly busy: number;
  readonly queued: number;
}

export interface SlotOptions {
  count: number;
  /** Most that wait. */
  queue: number;
  /** Longest wait. */
  wait_ms: number;
}

interface Waiter {
  grant(): void;
}

/** First come, first served; a short queue evens out bursts, a long one would only time out later. */
export function createSlots({ count, queue, wait_ms }: SlotOptions): Slots {
  let busy = 0;
  const waiting: Waiter[] = [];
  const tooBusy = () =>
    fail('sql_busy', `All ${count} query slots are busy.`, { retry_after: Math.max(1, Math.ceil(wait_ms / 1000)) });

  return {
    get busy() {
      return busy;
    },
    get queued() {
      return waiting.length;
    },
    async take(signal) {
      signal?.throwIfAborted();
      if (busy < count) {
        busy += 1;
        return;
      }
      if (waiting.length >= queue) throw tooBusy();
      await new Promise<void>((resolve, reject) => {
        const leave = (error: unknown): void => {
          waiting.splice(waiting.indexOf(waiter), 1);
          clearTimeout(timer);
          signal?.removeEventListener('abort', aborted);
          reject(error);
        };
        const aborted = (): void => leave(signal?.reason);
        const timer = setTimeout(() => leave(tooBusy()), wait_ms);
        const waiter: Waiter = {
          grant() {
            clearTimeout(timer);
            signal?.removeEventListener('abort', aborted);
            resolve();
          },
        };
        signal?.addEventListener('abort', aborted, { once: true });
        waiting.push(waiter);
      });
    },
    give() {
      const next = waiting.shift();
      if (next) next.grant();
      else busy -= 1;
    },
  };
}
