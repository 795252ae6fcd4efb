import type { FleetState } from '#contract/telemetry.ts';
import type { Counted } from './durations.ts';

/** Our defaults (docs/slo.md): so many requests may be slower, and so many may fail. */
const LATENCY: readonly { ms: number; share: number }[] = [
  { ms: 100, share: 0.05 },
  { ms: 300, share: 0.01 },
  { ms: 500, share: 0.001 },
];
const FAILURES = 0.01;
/** Fewer requests say nothing about a share. */
const LEAST_REQUESTS = 20;
const SILENT_MS = 300_000;

export interface Vitals {
  requests: number;
  errors: number;
  durations: Counted;
  last_seen_ms: number;
}

/** Silent: nothing came for five minutes. Off SLO: more failed or were slow than our defaults allow. */
export function healthOf(vitals: Vitals, nowMs: number): { state: FleetState; reasons: string[] } {
  const silentFor = nowMs - vitals.last_seen_ms;
  if (silentFor > SILENT_MS) return { state: 'silent', reasons: [`silent for ${Math.round(silentFor / 60_000)} min`] };
  if (vitals.requests < LEAST_REQUESTS) return { state: 'healthy', reasons: [] };
  const failed = vitals.errors / vitals.requests;
  const reasons = failed >= FAILURES ? [`${percent(failed)} failed`] : [];
  for (const { ms, share } of LATENCY) {
    const slower = shareAbove(vitals.durations, ms);
    if (slower > share) reasons.push(`${percent(slower)} took more than ${ms} ms`);
  }
  return { state: reasons.length > 0 ? 'off_slo' : 'healthy', reasons };
}

/** A bucket that a limit cuts counts as faster: a share is never made worse than it is. */
function shareAbove(durations: Counted, ms: number): number {
  const limit = Math.floor(8 * Math.log2(ms * 1e6));
  let above = 0;
  let all = 0;
  for (const [bucket, n] of durations) {
    all += n;
    if (bucket > limit) above += n;
  }
  return all === 0 ? 0 : above / all;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;
