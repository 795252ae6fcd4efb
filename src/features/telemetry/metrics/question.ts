import type { Aggregation, Expression } from '#contract/metrics/expression.ts';
import { durationMs, durationText, ExpressionError } from '#contract/metrics/lex.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { quoted } from '#contract/metrics/print.ts';
import { fail, invalid } from '#kernel/errors.ts';

/** A query in parameters instead of in words. */
export interface MetricParameters {
  metric: string;
  /** `name=value`, all must hold. */
  labels: string[];
  rate?: string;
  increase?: string;
  /** Of a histogram, 0–1. */
  quantile?: number;
  aggregate?: Aggregation;
  group_by: string[];
}

const NAME = /^[A-Za-z_:][\w:.]*$/;
const DURATION = /^(?:\d+(?:ms|[smhdwy]))+$/;

/**
 * The parameters as an expression: `rate=5m&quantile=0.95&group_by=service` of a histogram is
 * `histogram_quantile(0.95, sum by (service, le) (rate(…_bucket[5m])))`. @throws invalid
 */
export function expressionOf(parameters: MetricParameters): string {
  const { metric, rate, increase, quantile, group_by } = parameters;
  if (!NAME.test(metric)) throw invalid('metric', 'metric must be a name such as http.server.request.duration.');
  const wrong = group_by.find((name) => !NAME.test(name));
  if (wrong !== undefined) throw invalid('group_by', `"${wrong}" is no label's name.`);
  if (rate !== undefined && increase !== undefined) throw invalid('increase', 'Ask for rate or for increase.');
  const name = quantile === undefined || metric.endsWith('_bucket') ? metric : `${metric}_bucket`;
  const selector = `${name.replaceAll('.', '_')}{${matchersOf(parameters.labels).join(', ')}}`;
  const over = overTime(rate, increase, selector, quantile !== undefined);
  const by = quantile === undefined ? group_by : [...group_by, 'le'];
  const labels = by.map((label) => label.replaceAll('.', '_')).join(', ');
  const aggregate = parameters.aggregate ?? (group_by.length > 0 || quantile !== undefined ? 'sum' : undefined);
  if (aggregate === 'quantile') throw invalid('aggregate', 'Ask for quantiles with `quantile`.');
  const grouped = aggregate ? `${aggregate} by (${labels}) (${over})` : over;
  return quantile === undefined ? grouped : `histogram_quantile(${quantile}, ${grouped})`;
}

function overTime(rate: string | undefined, increase: string | undefined, selector: string, spread: boolean): string {
  const [fn, window] = increase === undefined ? ['rate', rate ?? (spread ? '5m' : undefined)] : ['increase', increase];
  if (window === undefined) return selector;
  if (!DURATION.test(window)) throw invalid(fn, `${fn} must be a duration such as 5m.`);
  return `${fn}(${selector}[${window}])`;
}

function matchersOf(labels: readonly string[]): string[] {
  return labels.map((pair) => {
    const match = /^([A-Za-z_][\w.]*)(=~|!~|!=|=)(.*)$/s.exec(pair);
    if (!match) throw invalid('label', 'label must be name=value, name!=value, name=~pattern or name!~pattern.');
    const [, name = '', op = '', value = ''] = match;
    return `${name.replaceAll('.', '_')}${op}${quoted(value)}`;
  });
}

/** @throws metric_query_invalid */
export function parseQuery(text: string): Expression {
  try {
    return parseExpression(text);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw fail('metric_query_invalid', `${error.message} (at character ${error.position + 1})`, {
      errors: [{ field: 'query', code: 'metric_query_invalid', message: error.message }],
    });
  }
}

export interface Steps {
  from: number;
  to: number;
  step: number;
}

const MOST_STEPS = 11_000;
const POINTS = 240;
const LEAST_STEP = 1_000;
/** Steps that people read: 15 s, 1 min, 5 min, … */
const ROUND = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/** Steps aligned to the epoch, so that the same question moves along with time instead of flickering. @throws invalid */
export function stepsOf({ from, to }: { from: number; to: number }, asked: string | undefined): Steps {
  if (to < from) throw invalid('to', 'to must not be before from.');
  if (asked !== undefined && !DURATION.test(asked)) throw invalid('step', 'step must be a duration such as 15s.');
  const wide = (to - from) / POINTS / 1000;
  const step = asked === undefined ? (ROUND.find((seconds) => seconds >= wide) ?? 86_400) * 1000 : durationMs(asked);
  if (step < LEAST_STEP) throw invalid('step', `step must be at least ${durationText(LEAST_STEP)}.`);
  if ((to - from) / step > MOST_STEPS)
    throw invalid('step', `At most ${MOST_STEPS} steps can be answered; take a longer one.`);
  return { from: Math.ceil(from / step) * step, to: Math.floor(to / step) * step, step };
}
