import type { Expression, Matching, Selector } from './expression.ts';
import { durationText } from './lex.ts';
import { NAME } from './series.ts';

/** The tree as PromQL text that parses into the same tree. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return numberText(expression.value);
    case 'time':
      return 'time()';
    case 'selector':
      return selectorText(expression.selector, '');
    case 'over': {
      const range = selectorText(expression.selector, `[${durationText(expression.window)}]`);
      return `${expression.fn}(${expression.q === undefined ? '' : `${numberText(expression.q)}, `}${range})`;
    }
    case 'call':
      return `${expression.fn}(${printExpression(expression.of)})`;
    case 'histogram_quantile':
      return `histogram_quantile(${printExpression(expression.q)}, ${printExpression(expression.of)})`;
    case 'negate':
      return `-${operand(expression.of)}`;
    case 'aggregate':
      return aggregateText(expression);
    case 'binary':
      return binaryText(expression);
  }
}

export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  return String(value);
}

export function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function selectorText({ matchers, offset }: Selector, range: string): string {
  const name = matchers.find(({ label, op }) => label === NAME && op === '=');
  const rest = matchers.filter((matcher) => matcher !== name);
  const labels = rest.map(({ label, op, value }) => `${label}${op}${quoted(value)}`).join(',');
  const braces = labels || !name ? `{${labels}}` : '';
  return `${name?.value ?? ''}${braces}${range}${offset === 0 ? '' : ` offset ${durationText(offset)}`}`;
}

function aggregateText(expression: Extract<Expression, { kind: 'aggregate' }>): string {
  const { fn, of, by, without, q } = expression;
  const grouping = by ? ` by (${by.join(', ')}) ` : without ? ` without (${without.join(', ')}) ` : '';
  return `${fn}${grouping}(${q ? `${printExpression(q)}, ` : ''}${printExpression(of)})`;
}

function binaryText({ op, left, right, bool, match }: Extract<Expression, { kind: 'binary' }>): string {
  return `${operand(left)} ${op}${bool ? ' bool' : ''}${matchText(match)} ${operand(right)}`;
}

function matchText(match: Matching | undefined): string {
  if (match?.on) return ` on (${match.on.join(', ')})`;
  return match?.ignoring ? ` ignoring (${match.ignoring.join(', ')})` : '';
}

/** Brackets wherever an operator meets another: right and plain, not minimal. */
function operand(expression: Expression): string {
  const text = printExpression(expression);
  return expression.kind === 'binary' || expression.kind === 'negate' ? `(${text})` : text;
}
