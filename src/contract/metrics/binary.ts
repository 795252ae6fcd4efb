import {
  ARITHMETIC,
  type BinaryOperator,
  type Comparison,
  isComparison,
  type Matching,
  type SetOperator,
} from './expression.ts';
import { dropLabels, keepLabels, type Labels, labelKey, NAME, withoutName } from './series.ts';

/** One series at one moment. */
export interface Point {
  labels: Labels;
  value: number;
}

/** The expression cannot be answered on this data: two series would be one. */
export class EvaluationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EvaluationError';
  }
}

const CALCULATE: Record<(typeof ARITHMETIC)[number], (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};
const COMPARE: Record<Comparison, (a: number, b: number) => boolean> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
};

const isArithmetic = (op: BinaryOperator): op is (typeof ARITHMETIC)[number] =>
  (ARITHMETIC as readonly string[]).includes(op);

export const compare = (op: Comparison, a: number, b: number): boolean => COMPARE[op](a, b);

/** The value that `a op b` leaves; undefined when a comparison filters it out. `kept` is what passes a filter. */
function combine(op: BinaryOperator, a: number, b: number, bool: boolean, kept: number): number | undefined {
  if (isArithmetic(op)) return CALCULATE[op](a, b);
  const holds = compare(op as Comparison, a, b);
  if (bool) return holds ? 1 : 0;
  return holds ? kept : undefined;
}

export function numberWithNumber(op: BinaryOperator, a: number, b: number): number {
  return combine(op, a, b, true, a) as number;
}

/** Series against a number, which stands on the left when `swapped`. */
export function seriesWithNumber(op: BinaryOperator, points: Point[], number: number, bool: boolean, swapped: boolean) {
  const named = isComparison(op) && !bool;
  return points.flatMap(({ labels, value }): Point[] => {
    const [a, b] = swapped ? [number, value] : [value, number];
    const made = combine(op, a, b, bool, value);
    return made === undefined ? [] : [{ labels: named ? labels : withoutName(labels), value: made }];
  });
}

type Signature = (labels: Labels) => string;

function signatureOf(match: Matching | undefined): Signature {
  if (match?.on) {
    const { on } = match;
    return (labels) => labelKey(keepLabels(labels, on));
  }
  const ignored = [NAME, ...(match?.ignoring ?? [])];
  return (labels) => labelKey(dropLabels(labels, ignored));
}

/** One to one, as Prometheus pairs without group_left. @throws EvaluationError */
export function seriesWithSeries(
  op: BinaryOperator,
  left: Point[],
  right: Point[],
  bool: boolean,
  match: Matching | undefined,
): Point[] {
  const signature = signatureOf(match);
  const others = new Map<string, Point>();
  for (const point of right) {
    const key = signature(point.labels);
    if (others.has(key)) throw new EvaluationError('Several series on the right side match the same one.');
    others.set(key, point);
  }
  const seen = new Set<string>();
  return left.flatMap((point): Point[] => {
    const key = signature(point.labels);
    const other = others.get(key);
    if (!other) return [];
    const value = combine(op, point.value, other.value, bool, point.value);
    if (value === undefined) return [];
    if (seen.has(key)) throw new EvaluationError('Several series on the left side match the same one.');
    seen.add(key);
    const named = isComparison(op) && !bool ? point.labels : withoutName(point.labels);
    const labels = match?.on ? keepLabels(named, match.on) : dropLabels(named, match?.ignoring ?? []);
    return [{ labels, value }];
  });
}

export function combineSets(op: SetOperator, left: Point[], right: Point[], match: Matching | undefined): Point[] {
  const signature = signatureOf(match);
  const keys = new Set((op === 'or' ? left : right).map(({ labels }) => signature(labels)));
  if (op === 'or') return [...left, ...right.filter(({ labels }) => !keys.has(signature(labels)))];
  return left.filter(({ labels }) => keys.has(signature(labels)) === (op === 'and'));
}
