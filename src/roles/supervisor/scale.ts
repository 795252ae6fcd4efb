import { type QueueReading, utilization } from '#platform/queue/pool.ts';

/**
 * How many worker processes there should be: pure, with a clock that only runs forward given (ms). The holder of the
 * pool's lock keeps the state; a new holder begins without any, which costs at most one wait.
 */

export interface ScaleRules {
  min: number;
  max: number;
  up_after_ms: number;
  down_after_ms: number;
}

/** Above this share of busy slots the pool grows. */
const GROW_ABOVE = 0.75;
/** It shrinks only to where this share would be busy, so that shrinking never makes it grow again. */
const SHRINK_TO = 0.5;

export interface ScaleState {
  /** Since when it has been too small; null when it is not. */
  pressed_since: number | null;
  /** Since when fewer have sufficed, and the most that would have been needed since then. */
  spare: { since: number; most: number } | null;
}

export const FRESH: ScaleState = { pressed_since: null, spare: null };

export interface Decision {
  state: ScaleState;
  target: number;
  /** Absent when the target stays. */
  reason?: string;
}

/**
 * Grows when more than 75 % of a queue's slots are busy, or a task has waited for `up_after_ms`, all through
 * `up_after_ms`: to what the demand needs, at most twice as many. Shrinks when fewer would have sufficed at half load
 * all through `down_after_ms`: to the most that was needed meanwhile.
 */
export function decide(
  state: ScaleState,
  target: number,
  queues: readonly QueueReading[],
  now: number,
  rules: ScaleRules,
): Decision {
  const { min, max } = rules;
  const within = Math.min(max, Math.max(min, target));
  if (within !== target) return { state: FRESH, target: within, reason: `the limits are ${min} to ${max}` };
  const share = utilization(queues, target);
  const oldest = Math.max(0, ...queues.map(({ oldest_ms }) => oldest_ms));
  const pressed_since = share > GROW_ABOVE || oldest > rules.up_after_ms ? (state.pressed_since ?? now) : null;
  const fewer = needed(queues, SHRINK_TO, min);
  const most = Math.max(fewer, state.spare?.most ?? 0);
  const spare = fewer < target && pressed_since === null ? { since: state.spare?.since ?? now, most } : null;

  if (pressed_since !== null && now - pressed_since >= rules.up_after_ms && target < max) {
    const grown = Math.min(max, 2 * target, Math.max(target + 1, needed(queues, GROW_ABOVE, min)));
    const waits = oldest > 0 ? `, the oldest task waits ${Math.round(oldest / 1000)} s` : '';
    return { state: FRESH, target: grown, reason: `${percent(share)} of the slots are busy${waits}` };
  }
  if (spare && now - spare.since >= rules.down_after_ms) {
    return { state: FRESH, target: spare.most, reason: `${spare.most} would have sufficed` };
  }
  return { state: { pressed_since, spare }, target };
}

/** Processes at which not more than `share` of any queue's slots would be taken by what runs and waits. */
function needed(queues: readonly QueueReading[], share: number, min: number): number {
  return Math.max(
    min,
    ...queues.map(({ busy, queued, slots }) => (slots > 0 ? Math.ceil((busy + queued) / (slots * share)) : 0)),
  );
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** How many of the target a supervisor runs: as even as it goes, the first ones one more. Zero for who is not listed. */
export function shareOf(target: number, supervisors: readonly string[], self: string): number {
  const place = [...supervisors].sort().indexOf(self);
  if (place < 0) return 0;
  const each = Math.floor(target / supervisors.length);
  return each + (place < target % supervisors.length ? 1 : 0);
}
