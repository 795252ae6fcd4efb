import type { Expression } from './expression.ts';
import { reachesOf } from './expression.ts';
import { NAME, type Series } from './series.ts';

/**
 * Series that come from the catalogue and not from the telemetry store, so that policies over them need no telemetry
 * role. The installation's own are on `/metrics` too, of whichever process evaluates; a workspace's are not.
 */
export const UPTIME_SERIES = {
  up: 'caudal_uptime_up',
  latency: 'caudal_uptime_latency_seconds',
  days: 'caudal_uptime_certificate_days',
} as const;
export const SLO_SERIES = { burn: 'caudal_slo_burn_rate', budget: 'caudal_slo_budget_left_ratio' } as const;

export const isUptimeSeries = (name: string): boolean => Object.values<string>(UPTIME_SERIES).includes(name);
export const isSloSeries = (name: string): boolean => Object.values<string>(SLO_SERIES).includes(name);

/** The metrics that an expression names. */
export function namesIn(expression: Expression): string[] {
  return reachesOf(expression).flatMap(({ selector: { matchers } }) =>
    matchers.filter(({ label, op }) => label === NAME && op === '=').map(({ value }) => value),
  );
}

/** The last sample of each, without its name. */
export function latest(all: readonly Series[]): { name: string; attributes: Record<string, string>; value: number }[] {
  return all.flatMap(({ labels: { [NAME]: name = '', ...attributes }, values }) => {
    const value = values[values.length - 1];
    return value === undefined ? [] : [{ name, attributes, value }];
  });
}
