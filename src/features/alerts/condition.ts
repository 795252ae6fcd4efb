import { type Expression, reachesOf } from '#contract/metrics/expression.ts';
import { durationMs, ExpressionError } from '#contract/metrics/lex.ts';
import { isScalar, parseExpression } from '#contract/metrics/parse.ts';
import { type Matcher, NAME, patternFault } from '#contract/metrics/series.ts';
import type { Condition } from '#contract/policies.ts';
import { CaudalError, invalid } from '#kernel/errors.ts';

export const DEFAULT_MEMORY = '24h30m';
/** Longer windows belong into an SLO, which counts by the minute instead of reading everything again each time. */
const LONGEST_WINDOW_MS = 2 * 86_400_000;

/** Conditions that Caudal watches by itself have no expression. */
export type Evaluated = Exclude<Condition, { kind: 'instance_down' }>;

export interface Compiled {
  /** Every series of its answer meets the condition. */
  expression: Expression;
  /** What is compared, without the comparison: for charts. */
  compared: Expression;
  /** For absence: what counts as there again. A firing alert fires on until its series is in this answer. */
  latch?: Expression;
}

/** @throws invalid_input naming the field */
export function compileCondition(condition: Evaluated): Compiled {
  const compiled = compile(condition);
  for (const { window } of reachesOf(compiled.expression)) {
    if (window !== null && window > LONGEST_WINDOW_MS) {
      throw invalid(
        'condition',
        'A window is at most two days long.',
        'too_long',
        'Longer ones are what /slos are for.',
      );
    }
  }
  return compiled;
}

function compile(condition: Evaluated): Compiled {
  switch (condition.kind) {
    case 'expression': {
      const expression = parsed(condition.expression, 'condition.expression');
      const compared = expression.kind === 'binary' && !isScalar(expression.left) ? expression.left : expression;
      return { expression, compared };
    }
    case 'threshold': {
      const compared = comparedBy(condition);
      const right: Expression = { kind: 'number', value: condition.threshold };
      return { expression: { kind: 'binary', op: condition.comparison, left: compared, right }, compared };
    }
    case 'absence':
      return absence(condition);
  }
}

function parsed(source: string, field: string): Expression {
  try {
    return parseExpression(source);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { message, position } = error;
    throw new CaudalError('invalid_input', message, {
      errors: [{ field, code: 'expression', message: `${message} (at character ${position + 1})` }],
      members: { position },
    });
  }
}

function matchersOf(condition: Extract<Condition, { metric: string }>): Matcher[] {
  const name: Matcher = { label: NAME, op: '=', value: plain(condition.metric) };
  const filter = (condition.filter ?? []).map(({ label, op = '=', value }, index): Matcher => {
    const fault = op === '=~' || op === '!~' ? patternFault(value) : undefined;
    if (fault) throw invalid(`condition.filter.${index}.value`, `The pattern ${fault}.`, 'pattern');
    return { label: plain(label), op, value };
  });
  return [name, ...filter];
}

/** Names as Prometheus has them. */
const plain = (name: string): string => name.replaceAll('.', '_');

function comparedBy(condition: Extract<Condition, { kind: 'threshold' }>): Expression {
  const { over, aggregate } = condition;
  const selector = { matchers: matchersOf(condition), offset: 0 };
  const inner: Expression = over
    ? {
        kind: 'over',
        fn: over.function,
        selector,
        window: windowOf(over.window),
        ...(over.q === undefined ? {} : { q: over.q }),
      }
    : { kind: 'selector', selector };
  if (over?.function === 'quantile_over_time' && over.q === undefined) {
    throw invalid('condition.over.q', 'quantile_over_time needs q, such as 0.95.', 'required');
  }
  if (!aggregate) return inner;
  const by = aggregate.by?.map(plain);
  return { kind: 'aggregate', fn: aggregate.function, of: inner, ...(by ? { by } : {}) };
}

function windowOf(text: string): number {
  const window = durationMs(text);
  if (window <= 0) throw invalid('condition.over.window', 'A window is longer than nothing.', 'too_short');
  return window;
}

/**
 * Per series: was there within the memory and is not within `for`. `absent()` would say nothing of one of many.
 * Prometheus forgets when the memory runs out; here the alert stays until its series is back.
 */
function absence(condition: Extract<Condition, { kind: 'absence' }>): Compiled {
  const selector = { matchers: matchersOf(condition), offset: 0 };
  const by = condition.by.map(plain);
  const [silent, memory] = [durationMs(condition.for), durationMs(condition.memory ?? DEFAULT_MEMORY)];
  if (silent <= 0) throw invalid('condition.for', 'An absence lasts longer than nothing.', 'too_short');
  if (memory <= silent) throw invalid('condition.memory', 'The memory is longer than the absence.', 'too_short');
  const group = (fn: 'last_over_time' | 'present_over_time', window: number): Expression => ({
    kind: 'aggregate',
    fn: 'group',
    by,
    of: { kind: 'over', fn, selector, window },
  });
  const there = group('present_over_time', silent);
  const expression: Expression = { kind: 'binary', op: 'unless', left: group('last_over_time', memory), right: there };
  return { expression, compared: there, latch: there };
}
