import {
  AGGREGATIONS,
  type Aggregation,
  ARITHMETIC,
  type BinaryOperator,
  COMPARISONS,
  type Expression,
  INSTANT_FUNCTIONS,
  type InstantFunction,
  isComparison,
  isSetOperator,
  type Matching,
  RANGE_FUNCTIONS,
  type RangeFunction,
  type Selector,
} from './expression.ts';
import { durationMs, ExpressionError, lex, type Token } from './lex.ts';
import { MATCH_OPERATORS, type Matcher, type MatchOperator, NAME, patternFault } from './series.ts';

const MOST_CHARACTERS = 5_000;
const DEEPEST = 50;
/** From the loosest binding to the tightest; all of them bind to the left. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['or'],
  ['and', 'unless'],
  COMPARISONS,
  ['+', '-'],
  ['*', '/', '%'],
];
const OPERATORS: ReadonlySet<string> = new Set([...ARITHMETIC, ...COMPARISONS, ...LEVELS.flat()]);

/**
 * PromQL text → tree. A dot in a metric's name stands for the `_` that it is exported with.
 * @throws ExpressionError for what is wrong, and for parts of PromQL that are left out (`@`, subqueries, `group_left`)
 */
export function parseExpression(source: string): Expression {
  if (source.length > MOST_CHARACTERS) throw new ExpressionError(`is longer than ${MOST_CHARACTERS} characters`, 0);
  const parser = new Parser(lex(source));
  const expression = parser.level(0, 0);
  parser.expect('end', '');
  return expression;
}

class Parser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #take(): Token {
    const token = this.#token;
    this.#at += 1;
    return token;
  }

  #sees(text: string): boolean {
    return this.#token.kind !== 'text' && this.#token.text === text;
  }

  #accepts(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += 1;
    return true;
  }

  #wrong(message: string, token = this.#token): ExpressionError {
    return new ExpressionError(message, token.at);
  }

  expect(kind: Token['kind'], text?: string): Token {
    const token = this.#token;
    if (token.kind === kind && (text === undefined || token.text === text)) return this.#take();
    const wanted = kind === 'end' ? 'the end' : (text ?? `a ${kind}`);
    throw this.#wrong(`${wanted} is expected before "${token.text || 'the end'}".`);
  }

  level(index: number, depth: number): Expression {
    if (depth > DEEPEST) throw this.#wrong('The expression is nested too deeply.');
    const operators = LEVELS[index];
    if (!operators) return this.#unary(depth);
    let left = this.level(index + 1, depth);
    while (operators.some((op) => this.#sees(op))) {
      const token = this.#take();
      const op = token.text as BinaryOperator;
      const bool = this.#accepts('bool');
      const match = this.#matching();
      const right = this.level(index + 1, depth + 1);
      left = { kind: 'binary', op, left, right, ...(bool ? { bool } : {}), ...(match ? { match } : {}) };
      this.#check(left, token);
    }
    return left;
  }

  #check(binary: Extract<Expression, { kind: 'binary' }>, token: Token): void {
    const { op, left, right, bool, match } = binary;
    const scalars = [left, right].filter(isScalar).length;
    if (bool && !isComparison(op)) throw this.#wrong('bool goes with a comparison only.', token);
    if (scalars === 2 && isComparison(op) && !bool) throw this.#wrong('Two numbers are compared with bool.', token);
    if (scalars > 0 && isSetOperator(op)) throw this.#wrong(`${op} takes series on both sides.`, token);
    if (scalars > 0 && match) throw this.#wrong('on and ignoring need series on both sides.', token);
  }

  #matching(): Matching | undefined {
    for (const word of ['on', 'ignoring'] as const) {
      if (this.#accepts(word)) {
        const names = this.#names();
        if (this.#sees('group_left') || this.#sees('group_right')) throw this.#wrong('group_left is not supported.');
        return { [word]: names };
      }
    }
    return undefined;
  }

  #unary(depth: number): Expression {
    if (this.#accepts('+')) return this.#unary(depth + 1);
    if (depth > DEEPEST) throw this.#wrong('The expression is nested too deeply.');
    if (!this.#accepts('-')) return this.#primary(depth);
    const of = this.#unary(depth + 1);
    return of.kind === 'number' ? { kind: 'number', value: -of.value } : { kind: 'negate', of };
  }

  #primary(depth: number): Expression {
    const token = this.#token;
    if (token.kind === 'number') return { kind: 'number', value: numberOf(this.#take().text) };
    if (this.#accepts('(')) {
      const inner = this.level(0, depth + 1);
      this.expect('sign', ')');
      return inner;
    }
    if (token.kind === 'sign' && token.text === '{') return this.#selected();
    if (token.kind !== 'name')
      throw this.#wrong(`A metric or a number is expected before "${token.text || 'the end'}".`);
    if (OPERATORS.has(token.text)) throw this.#wrong(`"${token.text}" lacks its left side.`);
    const following = this.#tokens[this.#at + 1]?.text ?? '';
    if (isOneOf(AGGREGATIONS, token.text) && ['(', 'by', 'without'].includes(following)) return this.#aggregate(depth);
    if (following === '(') return this.#call(depth);
    return this.#selected();
  }

  #selected(): Expression {
    const selector = this.#selector();
    if (this.#sees('[')) throw this.#wrong('A window needs a function around it, such as rate(…[5m]).');
    return { kind: 'selector', selector: this.#offset(selector) };
  }

  #call(depth: number): Expression {
    const token = this.#take();
    const fn = token.text;
    this.expect('sign', '(');
    const made = this.#called(fn, depth, token);
    this.expect('sign', ')');
    return made;
  }

  #called(fn: string, depth: number, token: Token): Expression {
    if (fn === 'time') return { kind: 'time' };
    if (isOneOf(RANGE_FUNCTIONS, fn)) return this.#over(fn);
    if (isOneOf(INSTANT_FUNCTIONS, fn)) return { kind: 'call', fn: fn as InstantFunction, of: this.#vector(depth) };
    if (fn === 'histogram_quantile') {
      const q = this.#scalar(depth);
      return { kind: 'histogram_quantile', q, of: this.#vector(depth) };
    }
    throw this.#wrong(`There is no function ${fn} here.`, token);
  }

  #over(fn: RangeFunction): Expression {
    const q = fn === 'quantile_over_time' ? this.#scalar(0) : undefined;
    if (q && q.kind !== 'number') throw this.#wrong('The quantile is a number such as 0.95.');
    const selector = this.#selector();
    this.expect('sign', '[');
    const window = durationMs(this.expect('duration').text);
    if (this.#token.text.startsWith(':')) throw this.#wrong('Subqueries are not supported.');
    this.expect('sign', ']');
    if (window <= 0) throw this.#wrong('A window is longer than nothing.');
    return { kind: 'over', fn, selector: this.#offset(selector), window, ...(q ? { q: q.value } : {}) };
  }

  /** A number and the comma after it. */
  #scalar(depth: number): Expression {
    const token = this.#token;
    const q = this.level(0, depth + 1);
    if (!isScalar(q)) throw this.#wrong('A number is expected here.', token);
    this.expect('sign', ',');
    return q;
  }

  #vector(depth: number): Expression {
    const token = this.#token;
    const of = this.level(0, depth + 1);
    if (isScalar(of)) throw this.#wrong('Series are expected here, not a number.', token);
    return of;
  }

  #aggregate(depth: number): Expression {
    const fn = this.#take().text as Aggregation;
    let grouping = this.#grouping();
    this.expect('sign', '(');
    const q = fn === 'quantile' ? this.#scalar(depth) : undefined;
    const of = this.#vector(depth);
    this.expect('sign', ')');
    grouping ??= this.#grouping();
    return { kind: 'aggregate', fn, of, ...grouping, ...(q ? { q } : {}) };
  }

  #grouping(): { by: string[] } | { without: string[] } | undefined {
    if (this.#accepts('by')) return { by: this.#names() };
    if (this.#accepts('without')) return { without: this.#names() };
    return undefined;
  }

  #names(): string[] {
    this.expect('sign', '(');
    const names: string[] = [];
    while (!this.#accepts(')')) {
      names.push(this.expect('name').text);
      if (!this.#sees(')')) this.expect('sign', ',');
    }
    return names;
  }

  #selector(): Selector {
    const matchers: Matcher[] = [];
    if (this.#token.kind === 'name') {
      matchers.push({ label: NAME, op: '=', value: this.#take().text.replaceAll('.', '_') });
    }
    if (this.#accepts('{')) {
      while (!this.#accepts('}')) {
        matchers.push(this.#matcher());
        if (!this.#sees('}')) this.expect('sign', ',');
      }
    }
    if (!matchers.some(({ op, value }) => op === '=' && value !== '')) {
      throw this.#wrong('A selector names a metric, or has at least one label = value.');
    }
    return { matchers, offset: 0 };
  }

  #matcher(): Matcher {
    const label = this.expect('name').text.replaceAll('.', '_');
    const operator = this.#take();
    if (!isOneOf(MATCH_OPERATORS, operator.text)) throw this.#wrong('=, !=, =~ or !~ is expected.', operator);
    const token = this.expect('text');
    const value = unquoted(token.text);
    const op = operator.text as MatchOperator;
    const fault = op === '=~' || op === '!~' ? patternFault(value) : undefined;
    if (fault) throw this.#wrong(`The pattern ${fault}.`, token);
    return { label, op, value };
  }

  #offset(selector: Selector): Selector {
    if (this.#sees('@')) throw this.#wrong('@ is not supported.');
    if (!this.#accepts('offset')) return selector;
    const sign = this.#accepts('-') ? -1 : 1;
    return { ...selector, offset: sign * durationMs(this.expect('duration').text) };
  }
}

/** True for what has one value and no labels. */
export function isScalar(expression: Expression): boolean {
  if (expression.kind === 'number' || expression.kind === 'time') return true;
  if (expression.kind === 'negate') return isScalar(expression.of);
  return expression.kind === 'binary' && isScalar(expression.left) && isScalar(expression.right);
}

function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}

function numberOf(text: string): number {
  if (/^nan$/i.test(text)) return Number.NaN;
  return /^inf$/i.test(text) ? Number.POSITIVE_INFINITY : Number(text);
}

function unquoted(text: string): string {
  const inner = text.slice(1, -1);
  if (text.startsWith('`')) return inner;
  return inner.replaceAll(/\\(.)/g, (_, char: string) => ({ n: '\n', t: '\t', r: '\r' })[char] ?? char);
}
