/** Everything that was counted of an SLO up to `end`, in epoch ms. */
export interface Running {
  end: number;
  good: number;
  total: number;
}

export interface Counts {
  good: number;
  total: number;
}

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

/**
 * Multi-window, multi-burn-rate alerts as the Google SRE workbook has them (chapter 5): the long window says that it
 * matters, the short one that it still goes on.
 */
export const BURN_ALERTS = [
  { severity: 'page', rate: 14.4, long: HOUR, short: 5 * MINUTE },
  { severity: 'page', rate: 6, long: 6 * HOUR, short: 30 * MINUTE },
  { severity: 'ticket', rate: 3, long: DAY, short: 2 * HOUR },
  { severity: 'ticket', rate: 1, long: 3 * DAY, short: 6 * HOUR },
] as const;

export const BURN_WINDOWS = [
  ['5m', 5 * MINUTE],
  ['30m', 30 * MINUTE],
  ['1h', HOUR],
  ['2h', 2 * HOUR],
  ['6h', 6 * HOUR],
  ['1d', DAY],
  ['3d', 3 * DAY],
] as const;

const NOTHING: Counts = { good: 0, total: 0 };

/** What was counted between two times, from running totals that ascend: the difference of those at its ends. */
export function summable(running: readonly Running[]): (from: number, to: number) => Counts {
  const upTo = (time: number): Counts => {
    let [low, high] = [0, running.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((running[middle] as Running).end <= time) low = middle + 1;
      else high = middle;
    }
    return running[low - 1] ?? NOTHING;
  };
  /** Minutes that end in `(from, to]`. */
  return (from, to) => {
    const [first, last] = [upTo(from), upTo(to)];
    return { good: last.good - first.good, total: last.total - first.total };
  };
}

/** How many times faster than even the budget is spent; null when too few events say anything. */
export function burnRate({ good, total }: Counts, target: number, least: number): number | null {
  if (total < least) return null;
  return Math.max(0, total - good) / total / (1 - target);
}

/** Share of the budget that is left over a whole window; null without events. */
export function budgetLeft({ good, total }: Counts, target: number): number | null {
  if (total <= 0) return null;
  return 1 - Math.max(0, total - good) / total / (1 - target);
}
