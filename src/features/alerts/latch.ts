import type { Alerts } from '#contract/metrics/alerting.ts';
import type { Point } from '#contract/metrics/binary.ts';
import { labelKey } from '#contract/metrics/series.ts';

/**
 * An absence lasts until its series is back, also when the memory of it has run out: firing alerts whose series is not
 * in `present` count as found. Without `present` nothing is held.
 */
export function withLatched(found: Point[], before: Alerts, present: readonly Point[] | undefined): Point[] {
  if (!present) return found;
  const there = new Set([...present, ...found].map(({ labels }) => labelKey(labels)));
  const held = [...before.values()].filter(({ labels, state }) => state === 'firing' && !there.has(labelKey(labels)));
  return [...found, ...held.map(({ labels, value }) => ({ labels, value }))];
}
