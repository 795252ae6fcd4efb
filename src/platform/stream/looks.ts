import { setTimeout as delay } from 'node:timers/promises';
import type { Listener } from '#platform/db/listen.ts';
import { APPENDED_CHANNEL } from './append.ts';

export interface LooksOptions {
  listener: Listener;
  /** What no message tells of: a lost one, what another process left, what becomes due by the clock. */
  every_ms: number;
  /** Looks for what these streams have to do; for that of all streams when it is null. */
  look(streams: readonly string[] | null): Promise<void>;
  failed(error: unknown): void;
}

export interface Looks {
  /** Looks no more, and waits for the look under way. */
  stop(): Promise<void>;
}

/** Between two looks: a busy stream tells of hundreds of groups a second. */
const PAUSE_MS = 50;

/**
 * Looks for work whenever something was appended to a stream: one look at a time and not at once again; what is told
 * meanwhile is looked for together afterwards, so nothing that was told is missed.
 */
export function startLooks({ listener, every_ms, look, failed }: LooksOptions): Looks {
  let wanted: Set<string> | null | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;
  const pause = new AbortController();

  const run = async (): Promise<void> => {
    while (wanted !== undefined && !stopped) {
      const streams = wanted === null ? null : [...wanted];
      wanted = undefined;
      await look(streams).catch(failed);
      await delay(PAUSE_MS, undefined, { signal: pause.signal }).catch(() => undefined);
    }
    running = undefined;
  };
  const soon = (streams: readonly string[] | null): void => {
    if (streams === null) wanted = null;
    else if (wanted !== null) wanted = new Set([...(wanted ?? []), ...streams]);
    if (!stopped) running ??= run();
  };
  const all = (): void => soon(null);
  const stopListening = listener.on(
    APPENDED_CHANNEL,
    (payload) => soon(payload === '' ? null : payload.split(',')),
    all,
  );
  const timer = setInterval(all, every_ms);
  all();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      stopListening();
      pause.abort();
      await running;
    },
  };
}
