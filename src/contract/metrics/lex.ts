export interface Token {
  kind: 'name' | 'number' | 'duration' | 'text' | 'sign' | 'end';
  text: string;
  at: number;
}

/** The expression is wrong, or says what this language leaves out; `position` is a 0-based offset into it. */
export class ExpressionError extends Error {
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.name = 'ExpressionError';
    this.position = position;
  }
}

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const DURATION = /(?:\d+(?:ms|[smhdwy]))+(?![\w.])/y;

/** `1h30m` → ms. */
export function durationMs(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g))
    ms += Number(count) * (UNIT_MS[unit as string] ?? 0);
  return ms;
}

/** ms → `1h30m`, as `durationMs` reads it. */
export function durationText(ms: number): string {
  let rest = Math.abs(ms);
  let text = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return `${ms < 0 ? '-' : ''}${text || '0s'}`;
}

const RULES: [Token['kind'] | 'space', RegExp][] = [
  ['space', /(?:\s|#[^\n]*)+/y],
  ['duration', DURATION],
  ['number', /(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?:NaN|Inf|nan|inf|INF|NAN)\b)/y],
  ['name', /[A-Za-z_:][\w:.]*/y],
  ['text', /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/y],
  ['sign', /==|!=|>=|<=|=~|!~|[=><+\-*/%(){}[\],@:^]/y],
];

/** @throws ExpressionError */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const token = next(source, at);
    if (token.kind !== 'space') tokens.push({ kind: token.kind, text: token.text, at });
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function next(source: string, at: number): { kind: Token['kind'] | 'space'; text: string } {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const text = rule.exec(source)?.[0];
    if (text) return { kind, text };
  }
  throw new ExpressionError(`"${source[at]}" is not expected here.`, at);
}
