export interface CachedAnswer {
  body: Buffer;
  headers: Record<string, string>;
  /** `performance.now()` of its making, for those that say their age. */
  made_at?: number;
}

export interface AnswerCache {
  get(key: string): CachedAnswer | undefined;
  set(key: string, answer: CachedAnswer): void;
  stats(): { bytes: number; entries: number; hits: number; misses: number };
}

/** Answers larger than this are not worth what they push out. */
const LARGEST_SHARE = 0.05;
/** Keys, headers and the map's own memory. */
const OVERHEAD = 512;

/**
 * Finished answers in memory, the least recently used forgotten first. Keys name the versions of the data,
 * so nothing ever has to be invalidated.
 */
export function createAnswerCache(maxBytes: number): AnswerCache {
  const entries = new Map<string, CachedAnswer>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;
  const weigh = (key: string, answer: CachedAnswer): number => answer.body.length + key.length * 2 + OVERHEAD;
  const forget = (key: string, answer: CachedAnswer): void => {
    entries.delete(key);
    bytes -= weigh(key, answer);
  };
  return {
    get(key) {
      const answer = entries.get(key);
      if (!answer) {
        misses += 1;
        return undefined;
      }
      hits += 1;
      entries.delete(key);
      entries.set(key, answer);
      return answer;
    },
    set(key, answer) {
      const before = entries.get(key);
      if (before) forget(key, before);
      if (weigh(key, answer) > Math.max(maxBytes * LARGEST_SHARE, 0)) return;
      entries.set(key, answer);
      bytes += weigh(key, answer);
      for (const [oldest, each] of entries) {
        if (bytes <= maxBytes) break;
        forget(oldest, each);
      }
    },
    stats: () => ({ bytes, entries: entries.size, hits, misses }),
  };
}
