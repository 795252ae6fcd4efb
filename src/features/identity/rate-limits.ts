import { createHash } from 'node:crypto';
import type pg from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { fail } from '#kernel/errors.ts';
import { createTurns } from '#kernel/gate.ts';
import { addressKey } from '#platform/http/address-key.ts';

export interface IdentityLimits {
  /** Failed sign-ins per account from one address, per 15 minutes. */
  failures: number;
  /** … per account from all addresses: higher, or anybody could lock anybody out. */
  failures_per_account: number;
  /** … per address over all accounts: higher, for offices behind one address. */
  failures_per_address: number;
  /** Sign-ups per address and hour. */
  sign_ups: number;
  /** Reset mails per account and hour. */
  resets: number;
  /** … per address. */
  resets_per_address: number;
  /** Invitations that are mailed per account and hour: they go to strangers. */
  invitations: number;
}

export const DEFAULT_LIMITS: IdentityLimits = {
  failures: 5,
  failures_per_account: 30,
  failures_per_address: 60,
  sign_ups: 100,
  resets: 3,
  resets_per_address: 30,
  invitations: 30,
};

const QUARTER = 15 * 60;
const HOUR = 3600;

export interface IdentityGuard {
  /**
   * Runs `verify` unless too much has failed for this account or address; null counts as a failure.
   * One at a time per account and process, so that parallel guesses cannot overtake the count.
   * @throws rate_limited with the seconds to wait
   */
  signIn<T>(account: string, address: string, verify: () => Promise<T | null>): Promise<T | null>;
  /** @throws rate_limited */
  signUp(address: string): Promise<void>;
  /** @throws rate_limited */
  reset(account: string, address: string): Promise<void>;
  /** @throws rate_limited */
  invitation(account: string): Promise<void>;
}

/** Counted in PostgreSQL, so that three replicas do not allow three times as many guesses. */
export function createIdentityGuard(pool: pg.Pool, limits: IdentityLimits): IdentityGuard {
  const limiter = (keyPrefix: string, points: number, duration: number): RateLimiterPostgres =>
    new RateLimiterPostgres({
      storeClient: pool,
      storeType: 'pool',
      tableName: 'rate_limits',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix,
      points,
      duration,
    });
  const pair = limiter('failures', limits.failures, QUARTER);
  const byAccount = limiter('failures_account', limits.failures_per_account, QUARTER);
  const byAddress = limiter('failures_address', limits.failures_per_address, QUARTER);
  const signUps = limiter('sign_ups', limits.sign_ups, HOUR);
  const resets = limiter('resets', limits.resets, HOUR);
  const resetsByAddress = limiter('resets_address', limits.resets_per_address, HOUR);
  const invitations = limiter('invitations', limits.invitations, HOUR);
  const inTurn = createTurns();

  return {
    signIn(account, address, verify) {
      const who = digest(account.toLowerCase());
      const where = addressKey(address);
      const counters: [RateLimiterPostgres, string][] = [
        [pair, `${who}@${where}`],
        [byAccount, who],
        [byAddress, where],
      ];
      return inTurn(who, async () => {
        await Promise.all(counters.map(([counter, key]) => refuseSpent(counter, key)));
        const verified = await verify();
        if (verified === null) await Promise.all(counters.map(([counter, key]) => counter.penalty(key)));
        else await pair.delete(`${who}@${where}`);
        return verified;
      });
    },
    async signUp(address) {
      await spend(signUps, addressKey(address), 'Too many accounts were made from this address.');
    },
    async reset(account, address) {
      const message = 'Too many password resets were asked for.';
      await spend(resetsByAddress, addressKey(address), message);
      await spend(resets, digest(account.toLowerCase()), message);
    },
    async invitation(account) {
      await spend(invitations, digest(account), 'Too many invitations were sent.');
    },
  };
}

async function refuseSpent(counter: RateLimiterPostgres, key: string): Promise<void> {
  const spent = await counter.get(key);
  if (spent && spent.consumedPoints >= counter.points) {
    throw tooMany('Too many failed sign-ins.', spent.msBeforeNext);
  }
}

async function spend(counter: RateLimiterPostgres, key: string, message: string): Promise<void> {
  try {
    await counter.consume(key);
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    throw tooMany(message, refused.msBeforeNext);
  }
}

function tooMany(message: string, waitMs: number) {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const minutes = Math.ceil(seconds / 60);
  return fail('rate_limited', `${message} Try again in ${minutes} minute${minutes === 1 ? '' : 's'}.`, {
    retry_after: seconds,
  });
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
