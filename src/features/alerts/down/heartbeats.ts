/** A process without a sign of life for so long is down. */
export const SILENCE_MS = 15_000;

export interface Beat {
  id: string;
  beat: number;
}

/**
 * Watches heartbeat counters on the watcher's own monotonic clock: a wall clock that steps by an hour neither kills
 * nor revives anybody. A new watcher gives everybody the full time, since it cannot know when they last beat.
 */
export function createHeartbeatWatch(silenceMs = SILENCE_MS) {
  let seen = new Map<string, { beat: number; since: number }>();
  return {
    /** @param monotonic in ms @returns who has been silent for too long */
    look(beats: readonly Beat[], monotonic: number): string[] {
      const now = new Map<string, { beat: number; since: number }>();
      for (const { id, beat } of beats) {
        const before = seen.get(id);
        now.set(id, before?.beat === beat ? before : { beat, since: monotonic });
      }
      seen = now;
      return [...now].filter(([, { since }]) => monotonic - since >= silenceMs).map(([id]) => id);
    },
  };
}
