import type { Point } from './binary.ts';
import { type Labels, labelKey, withoutName } from './series.ts';

/** How long what a condition finds must last, in ms. */
export interface AlertTiming {
  /** It fires once the condition has held for so long without a missing evaluation. */
  for: number;
  /** A firing one that is gone fires on for so long. */
  keep_firing_for: number;
}

export type AlertState = 'pending' | 'firing';

export interface Alert {
  labels: Labels;
  value: number;
  state: AlertState;
  /** Epoch ms. */
  active_at: number;
  fired_at: number | null;
  /** When the condition was first missed while it fires on. */
  missed_at: number | null;
}

/** By `labelKey` of the alert's labels. */
export type Alerts = ReadonlyMap<string, Alert>;

export interface Step {
  alerts: Map<string, Alert>;
  fired: Alert[];
  resolved: Alert[];
}

/** Labels of an alert: the series' without the metric's name, the rule's own over them. */
export function alertLabels(labels: Labels, own: Labels): Labels {
  return { ...withoutName(labels), ...own };
}

/**
 * One evaluation of a rule, as Prometheus' rule manager does it: what the condition found (by labels) against what
 * was active before. Pure: the moment is an argument. Source: `AlertingRule.Eval`, rules/alerting.go.
 */
export function stepAlerts(
  before: Alerts,
  found: readonly Point[],
  own: Labels,
  timing: AlertTiming,
  at: number,
): Step {
  const step: Step = { alerts: new Map(), fired: [], resolved: [] };
  const present = new Map<string, Point>();
  for (const { labels, value } of found) {
    const merged = alertLabels(labels, own);
    present.set(labelKey(merged), { labels: merged, value });
  }
  for (const [key, { labels, value }] of present) {
    const known = before.get(key);
    const alert: Alert = known
      ? { ...known, value, missed_at: null }
      : { labels, value, state: 'pending', active_at: at, fired_at: null, missed_at: null };
    if (alert.state === 'pending' && at - alert.active_at >= timing.for) {
      alert.state = 'firing';
      alert.fired_at = at;
      step.fired.push(alert);
    }
    step.alerts.set(key, alert);
  }
  for (const [key, known] of before) {
    if (present.has(key) || known.state === 'pending') continue;
    const missed_at = known.missed_at ?? at;
    if (at - missed_at < timing.keep_firing_for) step.alerts.set(key, { ...known, missed_at });
    else step.resolved.push(known);
  }
  return step;
}
