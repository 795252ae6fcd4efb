import { fail } from '#kernel/errors.ts';
import { addressKey } from '#platform/http/address-key.ts';

const WINDOW_MS = 10 * 60_000;
/** An attacker with many addresses fills the window sooner; forgetting all of them costs one assignment. */
const MOST_ADDRESSES = 100_000;

export interface Floods {
  /** Counts one form from this address. @throws rate_limited with the seconds to wait */
  admit(address: string): void;
}

/** Per process and in memory, as the limits on requests are (platform/http/limits.ts). `monotonic` is in ms. */
export function createFloods(mostPerWindow: number, monotonic: () => number): Floods {
  let began = monotonic();
  let counts = new Map<string, number>();
  return {
    admit(address) {
      const now = monotonic();
      if (now - began >= WINDOW_MS || counts.size > MOST_ADDRESSES) {
        began = now;
        counts = new Map();
      }
      const key = addressKey(address);
      const used = (counts.get(key) ?? 0) + 1;
      counts.set(key, used);
      if (used <= mostPerWindow) return;
      const wait = Math.max(1, Math.ceil((WINDOW_MS - (now - began)) / 1000));
      throw fail('rate_limited', `More than ${mostPerWindow} forms came from this address in ten minutes.`, {
        retry_after: wait,
      });
    },
  };
}
