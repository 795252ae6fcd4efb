import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';

export interface QuotaLimits {
  /** Unpacked bytes a minute that one workspace may send. */
  workspace: number;
  /** The same for one system (`service.namespace`) of a workspace. */
  system: number;
}

export interface Quotas {
  /** @throws rate_limited when the workspace or one of its systems has sent its share of this minute */
  charge(workspaceId: string, systems: Iterable<string>, bytes: number): void;
}

const MINUTE_MS = 60_000;

/**
 * One noisy program must not push out what others send. Counted by the minute in the process that stores: there is one.
 * An export is let in while anything is left, so that one larger than the quota is not refused for ever.
 */
export function createQuotas(limits: QuotaLimits, clock: Pick<Clock, 'monotonic'>): Quotas {
  let began = clock.monotonic();
  let sent = new Map<string, number>();
  const check = (key: string, limit: number, whose: string, now: number): void => {
    if ((sent.get(key) ?? 0) < limit) return;
    const retry_after = Math.max(1, Math.ceil((began + MINUTE_MS - now) / 1000));
    throw fail('rate_limited', `${whose} has sent its telemetry of this minute.`, { retry_after });
  };
  const add = (key: string, bytes: number): void => {
    sent.set(key, (sent.get(key) ?? 0) + bytes);
  };
  return {
    charge(workspaceId, systems, bytes) {
      const now = clock.monotonic();
      if (now - began >= MINUTE_MS) {
        began = now;
        sent = new Map();
      }
      const own = [...new Set(systems)].map((system) => ({ system, key: `${workspaceId} ${system}` }));
      check(workspaceId, limits.workspace, 'The workspace', now);
      for (const { system, key } of own) check(key, limits.system, `The system "${system.slice(0, 100)}"`, now);
      add(workspaceId, bytes);
      for (const { key } of own) add(key, bytes);
    },
  };
}
