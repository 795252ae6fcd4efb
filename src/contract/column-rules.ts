import type { DeclaredColumn } from './datasets.ts';

/**
 * What a declared column asks of a value, in one set of words: loads check them in SQL over whole segments,
 * `record-check.ts` on one record at a time, and a test holds both to the same verdicts.
 */
export type RuleCode = 'wrong_type' | 'required' | 'pattern' | 'enum' | 'min' | 'max';

type Rules = Pick<DeclaredColumn, 'type' | 'min' | 'max'>;

const REASONS: Record<RuleCode, (column: Rules) => string> = {
  wrong_type: ({ type }) => `not a valid ${type}`,
  required: () => 'required, but empty',
  pattern: () => 'does not match the declared pattern',
  enum: () => 'not one of the declared values',
  min: ({ min }) => `below ${min}`,
  max: ({ max }) => `above ${max}`,
};

/** The reason that quarantine shows and that `errors[].message` gives. */
export function reasonOf(code: RuleCode, column: Rules): string {
  return REASONS[code](column);
}

const YEAR = '(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])';
const DAY = `${YEAR}(?:-[0-9]{1,2}-[0-9]{1,2}|/[0-9]{1,2}/[0-9]{1,2})`;
const HOUR_MINUTE = '(?:[01]?[0-9]|2[0-3]):[0-5][0-9]';
const SECOND = ':[0-5][0-9](?:\\.[0-9]{1,9})?';
const OFFSET = '(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)';
const EXACT = '[+-]?(?:[0-9]{1,38}(?:\\.[0-9]{0,38})?|\\.[0-9]{1,38})(?:[eE][+]?[0-9]{1,2})?';

const FORMS: Record<string, string> = {
  integer: EXACT,
  decimal: EXACT,
  number: '[+-]?(?:(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|(?i:nan|inf|infinity))',
  boolean: '(?i:true|false|t|f|yes|no|y|n|1|0)',
  // A spreadsheet's date may come with a time of midnight; with any other it is no date.
  date: `${DAY}(?:[ T]00:00(?::00(?:\\.0{1,9})?)?Z?)?`,
  time: `${HOUR_MINUTE}(?:${SECOND})?`,
  timestamp: `${DAY}(?:[ T]${HOUR_MINUTE}(?:${SECOND}${OFFSET}?)?)?`,
  uuid: '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}',
};

/**
 * How a text must look to be a value of the type, blanks around it aside; RE2 and JavaScript read it alike.
 * Undefined: every text is one (text, file), or its own parser judges (json). It is narrower than the
 * engine's casts, which take `1_000`, `0x1F`, `epoch`, and for a date any time, which they drop.
 */
export function textForm(type: string): string | undefined {
  return FORMS[type.startsWith('decimal') ? 'decimal' : type];
}

const NUMERIC = /^(integer|number|decimal)/;

/** Both numbers or both days: one is cast to the other; any other pair is judged by the value's text. */
export function castsDirectly(from: string, to: string): boolean {
  const isDay = (type: string): boolean => type === 'date' || type === 'timestamp';
  return (NUMERIC.test(from) && NUMERIC.test(to)) || (isDay(from) && isDay(to));
}
