import type { Matcher } from './series.ts';

/** A part of PromQL as a tree. What is not in here is refused by the parser, never guessed at. */
export type Expression =
  | { kind: 'number'; value: number }
  | { kind: 'time' }
  | { kind: 'selector'; selector: Selector }
  | { kind: 'over'; fn: RangeFunction; selector: Selector; window: number; q?: number }
  | { kind: 'call'; fn: InstantFunction; of: Expression }
  | { kind: 'histogram_quantile'; q: Expression; of: Expression }
  | { kind: 'negate'; of: Expression }
  | { kind: 'aggregate'; fn: Aggregation; of: Expression; by?: string[]; without?: string[]; q?: Expression }
  | { kind: 'binary'; op: BinaryOperator; left: Expression; right: Expression; bool?: boolean; match?: Matching };

/** Offset in ms: positive looks back. */
export interface Selector {
  matchers: Matcher[];
  offset: number;
}

/** Which labels pair the two sides of an operator; neither: all but the name. */
export interface Matching {
  on?: string[];
  ignoring?: string[];
}

export const RANGE_FUNCTIONS = [
  'rate',
  'increase',
  'delta',
  'changes',
  'resets',
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'sum_over_time',
  'count_over_time',
  'last_over_time',
  'present_over_time',
  'stddev_over_time',
  'quantile_over_time',
] as const;
export type RangeFunction = (typeof RANGE_FUNCTIONS)[number];

export const INSTANT_FUNCTIONS = ['abs', 'timestamp', 'absent'] as const;
export type InstantFunction = (typeof INSTANT_FUNCTIONS)[number];

export const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'quantile'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

export const COMPARISONS = ['==', '!=', '>', '<', '>=', '<='] as const;
export type Comparison = (typeof COMPARISONS)[number];
export const ARITHMETIC = ['+', '-', '*', '/', '%'] as const;
export const SET_OPERATORS = ['and', 'or', 'unless'] as const;
export type SetOperator = (typeof SET_OPERATORS)[number];
export type BinaryOperator = (typeof ARITHMETIC)[number] | Comparison | SetOperator;

export const isComparison = (op: BinaryOperator): op is Comparison => (COMPARISONS as readonly string[]).includes(op);
export const isSetOperator = (op: BinaryOperator): op is SetOperator =>
  (SET_OPERATORS as readonly string[]).includes(op);

/** The parts of an expression, one level down. */
export function partsOf(expression: Expression): Expression[] {
  switch (expression.kind) {
    case 'call':
    case 'negate':
      return [expression.of];
    case 'histogram_quantile':
      return [expression.q, expression.of];
    case 'aggregate':
      return expression.q ? [expression.q, expression.of] : [expression.of];
    case 'binary':
      return [expression.left, expression.right];
    default:
      return [];
  }
}

export interface Reach {
  selector: Selector;
  /** The window in ms; null for an instant selector, which looks back by the evaluator's setting. */
  window: number | null;
}

/** Every selector with how far back it looks: what must be read before the expression can be evaluated. */
export function reachesOf(expression: Expression): Reach[] {
  if (expression.kind === 'selector') return [{ selector: expression.selector, window: null }];
  if (expression.kind === 'over') return [{ selector: expression.selector, window: expression.window }];
  return partsOf(expression).flatMap(reachesOf);
}
