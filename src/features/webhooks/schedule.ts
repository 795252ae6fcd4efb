import { backoffDelay } from '#kernel/backoff.ts';

const GIVE_UP_MS = 24 * 3_600_000;
const BACKOFF = { base: 5_000, cap: 2 * 3_600_000 };

/** What became of one attempt: the status of the answer, or why there was none. */
export interface Attempt {
  status: number | null;
  /** Null when the receiver took it. */
  error: string | null;
  /** Trying again cannot help: the address is refused, or the receiver says that it is gone (410). */
  final: boolean;
}

export type Outcome = { state: 'delivered' } | { state: 'dead' } | { state: 'waiting'; delay_ms: number };

/**
 * 5 s after the first failure, twice as long after each further one up to 2 h, for 24 h; then a dead letter.
 *
 * @param attempts how often it was tried, this time included
 * @param age_ms since it was first due
 */
export function outcomeOf(attempt: Attempt, attempts: number, age_ms: number, random = Math.random): Outcome {
  if (attempt.error === null) return { state: 'delivered' };
  if (attempt.final || age_ms >= GIVE_UP_MS) return { state: 'dead' };
  return { state: 'waiting', delay_ms: backoffDelay(attempts - 1, { ...BACKOFF, random }) };
}
