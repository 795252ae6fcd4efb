import { type Alert, stepAlerts } from '#contract/metrics/alerting.ts';
import { EvaluationError } from '#contract/metrics/binary.ts';
import { evaluateAt, evaluateRange, LOOKBACK_MS, loadSeries } from '#contract/metrics/evaluate.ts';
import { durationMs } from '#contract/metrics/lex.ts';
import { printExpression } from '#contract/metrics/print.ts';
import { labelKey, type SelectSeries } from '#contract/metrics/series.ts';
import type { Preview, PreviewInput } from '#contract/policies.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { compileCondition } from './condition.ts';
import { withLatched } from './latch.ts';

const DAY_MS = 86_400_000;
const STEP_MS = 15_000;
const MOST_STEPS = 6_000;
const MOST_SERIES = 50;
const MOST_POINTS = 500;
const LONGEST_MS = 31 * DAY_MS;

/**
 * What a policy would have done over past data: the very code that evaluates it, with the clock of the past.
 * @throws invalid_input
 */
export async function previewPolicy(input: PreviewInput, select: SelectSeries, now: Date): Promise<Preview> {
  const { condition } = input;
  if (condition.kind === 'instance_down') throw invalid('condition', 'Only conditions over metrics have a preview.');
  const { expression, compared, latch } = compileCondition(condition);
  const range = rangeOf(input, now);
  const loading = { ...range, lookback: LOOKBACK_MS };
  const loaded = new Map([
    ...(await loadSeries(expression, loading, select)),
    ...(latch ? await loadSeries(latch, loading, select) : []),
  ]);
  const timing = { for: ms(input.for), keep_firing_for: ms(input.keep_firing_for) };
  const fired: Preview['fired'] = [];
  const open = new Map<string, Preview['fired'][number]>();
  let alerts: ReadonlyMap<string, Alert> = new Map();
  let evaluations = 0;
  try {
    for (let at = range.from; at <= range.to; at += range.step) {
      const present = latch && evaluateAt(latch, at, loaded);
      const found = withLatched(evaluateAt(expression, at, loaded), alerts, present);
      const step = stepAlerts(alerts, found, {}, timing, at);
      for (const alert of step.fired) {
        const line = firing(alert, at);
        fired.push(line);
        open.set(labelKey(alert.labels), line);
      }
      for (const { labels } of step.resolved) {
        const line = open.get(labelKey(labels));
        if (line) line.resolved_at = iso(at);
      }
      alerts = step.alerts;
      evaluations += 1;
    }
    const lines = evaluateRange(compared, { ...range, step: chartStep(range) }, loaded).slice(0, MOST_SERIES);
    return {
      expression: printExpression(expression),
      from: iso(range.from),
      to: iso(range.to),
      step_ms: range.step,
      evaluations,
      fired,
      series: lines.map(({ labels, times, values }) => ({ labels, times, values: values.map(finite) })),
    };
  } catch (error) {
    if (error instanceof EvaluationError) throw fail('invalid_input', error.message);
    throw error;
  }
}

const ms = (text: string | undefined): number => (text === undefined ? 0 : durationMs(text));
const iso = (at: number): string => new Date(at).toISOString();
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function firing({ labels, active_at, value }: Alert, at: number): Preview['fired'][number] {
  return { labels, active_at: iso(active_at), fired_at: iso(at), resolved_at: null, value: finite(value) };
}

function rangeOf(input: PreviewInput, now: Date): { from: number; to: number; step: number } {
  const to = input.to ? Date.parse(input.to) : now.getTime();
  const from = input.from ? Date.parse(input.from) : to - DAY_MS;
  if (from >= to) throw invalid('from', 'The range begins before it ends.');
  if (to - from > LONGEST_MS) throw invalid('from', 'A preview covers at most 31 days.', 'too_long');
  const finest = Math.ceil((to - from) / MOST_STEPS / 1000) * 1000;
  const asked = input.step ? durationMs(input.step) : STEP_MS;
  const step = Math.max(asked, finest, 1000);
  return { from: Math.ceil(from / step) * step, to, step };
}

const chartStep = ({ from, to, step }: { from: number; to: number; step: number }): number =>
  Math.max(1, Math.ceil((to - from) / step / MOST_POINTS)) * step;
