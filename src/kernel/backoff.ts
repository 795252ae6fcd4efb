export interface BackoffOptions {
  /** First delay in ms. */
  base: number;
  /** Longest delay in ms. */
  cap: number;
  /** Returns a number in [0, 1); an argument so that tests are certain. */
  random?: () => number;
}

/**
 * Delay in ms before attempt `attempt` (0-based): exponential with "equal jitter", so that
 * it never falls below half of the nominal delay.
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffDelay(attempt: number, { base, cap, random = Math.random }: BackoffOptions): number {
  const nominal = Math.min(cap, base * 2 ** Math.min(attempt, 30));
  return Math.round(nominal / 2 + (nominal / 2) * random());
}
