/**
 * What a column's cells can be. A kind recognises a cell in TypeScript (on the sample) and reads it
 * in SQL, both by the same rule, because DuckDB's own casts are too kind: measured, `'1.5'::BIGINT`
 * is 2, `'007'` is 7, a DATE drops its time and a TIMESTAMP its offset, without a word. So every
 * `read` refuses (`error()`) what the kind does not recognise; the column is then inferred anew
 * over the whole file, and widens.
 */
export interface Kind {
  id: string;
  /** Column type of the contract; undefined: text. */
  type: string;
  matches(text: string): boolean;
  /** SQL that reads the VARCHAR expression `c`, raising an error for what does not match. */
  read(c: string): string;
  /** SQL that is true when `c` matches. */
  test(c: string): string;
}

const REFUSED = `error('does not fit')`;

function refuseUnless(condition: string, read: string, type: string, c: string): string {
  return `CASE WHEN ${c} IS NULL THEN NULL WHEN ${condition} THEN ${read} ELSE ${REFUSED}::${type} END`;
}

function matchesPattern(pattern: string): (c: string) => string {
  return (c) => `regexp_full_match(${c}, '${pattern}')`;
}

const INTEGER = /^(0|-?[1-9]\d*)$/;
const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** Identifiers with leading zeros, or with a plus (telephone numbers), are no integers. */
const integer: Kind = {
  id: 'integer',
  type: 'integer',
  matches: (text) => INTEGER.test(text) && (text.length < 19 || within(text)),
  // The cheapest sound guard found (+6 % CPU on a load; comparing with the value's text +12 %).
  read: (c) =>
    `CASE WHEN contains(${c}, '.') OR (${c} < '1' AND ${c} <> '0' AND (NOT ${c} ^@ '-' OR ${c} ^@ '-0'))
      THEN ${REFUSED}::BIGINT ELSE CAST(${c} AS BIGINT) END`,
  test: (c) => `(regexp_full_match(${c}, '0|-?[1-9][0-9]*') AND TRY_CAST(${c} AS BIGINT) IS NOT NULL)`,
};

function within(text: string): boolean {
  const value = BigInt(text);
  return value >= MIN && value <= MAX;
}

const NUMBER = String.raw`[+-]?(((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(0|[1-9][0-9]*)[eE][+-]?[0-9]+)|-?(0|[1-9][0-9]{0,17})`;

const LOOSE_NUMBER = String.raw`[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`;

const number: Kind = {
  id: 'number',
  type: 'number',
  matches: fullMatch(NUMBER),
  read: (c) => `CAST(${c} AS DOUBLE)`,
  test: matchesPattern(NUMBER),
};

function fullMatch(pattern: string): (text: string) => boolean {
  const regexp = new RegExp(`^(?:${pattern})$`);
  return (text) => regexp.test(text);
}

/** Digits in groups and another decimal mark than the point; `thousands` '' = none. */
function localNumber(id: string, decimal: '.' | ',', thousands: string): Kind {
  const mark = decimal === '.' ? String.raw`\.` : ',';
  const group = thousands === '.' ? String.raw`\.` : thousands === "'" ? "''" : thousands;
  const whole = thousands === '' ? '(0|[1-9][0-9]*)' : `(0|[1-9][0-9]*|[1-9][0-9]{0,2}(${group}[0-9]{3})+)`;
  const pattern = `[+-]?${whole}(${mark}[0-9]+)?([eE][+-]?[0-9]+)?`;
  const strip = (c: string) => (thousands === '' ? c : `replace(${c}, '${thousands.replace("'", "''")}', '')`);
  const plain = (c: string) => (decimal === '.' ? strip(c) : `replace(${strip(c)}, ',', '.')`);
  const test = matchesPattern(pattern);
  return {
    id,
    type: 'number',
    matches: fullMatch(pattern.replaceAll("''", "'")),
    read: (c) => refuseUnless(test(c), `CAST(${plain(c)} AS DOUBLE)`, 'DOUBLE', c),
    test,
  };
}

function groupedInteger(id: string, thousands: string): Kind {
  const group = thousands === '.' ? String.raw`\.` : thousands === "'" ? "''" : thousands;
  const pattern = `-?(0|[1-9][0-9]{0,2}(${group}[0-9]{3})*|[1-9][0-9]{0,17})`;
  const test = matchesPattern(pattern);
  return {
    id,
    type: 'integer',
    matches: fullMatch(pattern.replaceAll("''", "'")),
    read: (c) =>
      refuseUnless(test(c), `CAST(replace(${c}, '${thousands.replace("'", "''")}', '') AS BIGINT)`, 'BIGINT', c),
    test,
  };
}

const boolean: Kind = {
  id: 'boolean',
  type: 'boolean',
  matches: (text) => /^(true|false)$/i.test(text),
  read: (c) => refuseUnless(`lower(${c}) IN ('true', 'false')`, `lower(${c}) = 'true'`, 'BOOLEAN', c),
  test: (c) => `lower(${c}) IN ('true', 'false')`,
};

const UUID = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';
const uuid: Kind = {
  id: 'uuid',
  type: 'uuid',
  matches: fullMatch(UUID),
  read: (c) => refuseUnless(`strlen(${c}) = 36`, `CAST(${c} AS UUID)`, 'UUID', c),
  test: matchesPattern(UUID),
};

const TIME = String.raw`([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?`;
const time: Kind = {
  id: 'time',
  type: 'time',
  matches: fullMatch(TIME),
  read: (c) => refuseUnless(`strlen(${c}) <= 15`, `CAST(${c} AS TIME)`, 'TIME', c),
  test: matchesPattern(TIME),
};

const ISO_DATE = '[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])';
const isoDate: Kind = {
  id: 'date',
  type: 'date',
  matches: (text) => isoDatePattern.test(text) && realDate(text, 'ymd'),
  read: (c) => refuseUnless(`strlen(${c}) <= 10`, `CAST(${c} AS DATE)`, 'DATE', c),
  test: (c) => `(regexp_full_match(${c}, '${ISO_DATE}') AND TRY_CAST(${c} AS DATE) IS NOT NULL)`,
};
const isoDatePattern = new RegExp(`^${ISO_DATE}$`);

const CLOCK = String.raw`[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?`;
function isoTimestamp(id: string, zone: string, read: (c: string) => string, longest: number, dateAlone = false): Kind {
  const pattern = `${ISO_DATE}${dateAlone ? `(${CLOCK})?` : CLOCK}${zone}`;
  const regexp = new RegExp(`^(?:${pattern})$`);
  return {
    id,
    type: 'timestamp',
    matches: (text) => regexp.test(text) && realDate(text, 'ymd'),
    read: (c) => refuseUnless(`strlen(${c}) BETWEEN ${dateAlone ? 8 : 12} AND ${longest}`, read(c), 'TIMESTAMP', c),
    test: (c) => `(regexp_full_match(${c}, '${pattern}') AND TRY_CAST(${c} AS TIMESTAMP) IS NOT NULL)`,
  };
}

export type DateOrder = 'ymd' | 'dmy' | 'mdy';

const TWO = 0x32;

/** Of a text that has matched its pattern. Every month has a 19th, which spares most cells the calendar. */
function realDate(text: string, order: DateOrder): boolean {
  if (order === 'ymd' && text.length === 10 && text.charCodeAt(8) < TWO) return true;
  const parts = text.split(/\D+/, 3).map(Number);
  const [year = 0, month = 0, day = 0] =
    order === 'ymd' ? parts : order === 'dmy' ? [parts[2], parts[1], parts[0]] : [parts[2], parts[0], parts[1]];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** Dates with another order or other marks than ISO's; `clock` adds a time of day. */
function localDate(order: DateOrder, mark: string, clock: boolean): Kind {
  const escaped = mark === '.' ? String.raw`\.` : mark;
  const day = '(0?[1-9]|[12][0-9]|3[01])';
  const month = '(0?[1-9]|1[0-2])';
  const parts = { ymd: ['[0-9]{4}', month, day], dmy: [day, month, '[0-9]{4}'], mdy: [month, day, '[0-9]{4}'] }[order];
  const hours = clock ? ` ([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?` : '';
  const pattern = parts.join(escaped) + hours;
  const format = { ymd: ['%Y', '%m', '%d'], dmy: ['%d', '%m', '%Y'], mdy: ['%m', '%d', '%Y'] }[order].join(mark);
  const formats = clock ? `['${format} %H:%M:%S', '${format} %H:%M']` : `'${format}'`;
  const type = clock ? 'TIMESTAMP' : 'DATE';
  const regexp = new RegExp(`^(?:${pattern})$`);
  return {
    id: `${clock ? 'timestamp' : 'date'}-${order}${mark}`,
    type: clock ? 'timestamp' : 'date',
    matches: (text) => regexp.test(text) && realDate(text, order),
    read: (c) => `CAST(strptime(${c}, ${formats}) AS ${type})`,
    test: (c) => `(regexp_full_match(${c}, '${pattern}') AND try_strptime(${c}, ${formats}) IS NOT NULL)`,
  };
}

const MONTHS = '(January|February|March|April|May|June|July|August|September|October|November|December)';
const SHORT = '(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
function namedMonth(id: string, pattern: string, format: string): Kind {
  return {
    id,
    type: 'date',
    matches: fullMatch(pattern),
    read: (c) => `CAST(strptime(${c}, '${format}') AS DATE)`,
    test: (c) => `(regexp_full_match(${c}, '${pattern}') AND try_strptime(${c}, '${format}') IS NOT NULL)`,
  };
}

export const TEXT: Kind = { id: 'text', type: 'text', matches: () => true, read: (c) => c, test: () => 'true' };

const MARKS = ['/', '.', '-'];
const ORDERS: DateOrder[] = ['dmy', 'mdy'];

/** In the order in which they are tried: the narrowest first, `text` takes what is left. */
export const KINDS: readonly Kind[] = [
  integer,
  number,
  localNumber('number,', ',', ''),
  groupedInteger('integer_,', ','),
  groupedInteger('integer_.', '.'),
  groupedInteger('integer_ ', ' '),
  groupedInteger("integer_'", "'"),
  localNumber('number._,', '.', ','),
  localNumber('number,_.', ',', '.'),
  localNumber('number,_ ', ',', ' '),
  localNumber("number._'", '.', "'"),
  isoDate,
  isoTimestamp('timestamp', '', (c) => `CAST(${c} AS TIMESTAMP)`, 29),
  isoTimestamp(
    'timestamp-zone',
    '(Z|[+-][0-9]{2}(:?[0-9]{2})?)?',
    (c) => `make_timestamp(epoch_us(CAST(${c} AS TIMESTAMPTZ)))`,
    35,
  ),
  time,
  ...ORDERS.flatMap((order) => MARKS.map((mark) => localDate(order, mark, false))),
  ...ORDERS.flatMap((order) => MARKS.map((mark) => localDate(order, mark, true))),
  localDate('ymd', '/', false),
  localDate('ymd', '/', true),
  localDate('ymd', '.', false),
  namedMonth('date-D-month-Y', `[0-9]{1,2} ${MONTHS} [0-9]{4}`, '%d %B %Y'),
  namedMonth('date-D-mon-Y', `[0-9]{1,2}-${SHORT}-[0-9]{4}`, '%d-%b-%Y'),
  namedMonth('date-D mon Y', `[0-9]{1,2} ${SHORT} [0-9]{4}`, '%d %b %Y'),
  boolean,
  uuid,
];

/** Words that stand for "no value" in a column that otherwise has a type. In text they are text, save \N. */
export const NULL_WORDS: ReadonlySet<string> = new Set([
  'na',
  'n/a',
  '#n/a',
  'null',
  'none',
  'nan',
  'nil',
  '-',
  '--',
  '?',
  '.',
  '\\n',
  '(null)',
  '<null>',
]);

export function isNullWord(text: string): boolean {
  return text.length <= 6 && NULL_WORDS.has(text.toLowerCase());
}

const SWITCH = { true: ['true', 't', 'yes', 'y', '1', 'si', 'sí', 's'], false: ['false', 'f', 'no', 'n', '0'] };
const listed = (words: string[]) => words.map((word) => `'${word}'`).join(', ');

/** Further readings when a type was asked for by name: there is nothing left to guess. */
const ASKED: readonly Kind[] = [
  {
    id: 'integer-loose',
    type: 'integer',
    matches: (text) => /^[+-]?\d{1,18}$/.test(text),
    read: (c) => refuseUnless(`regexp_full_match(${c}, '[+-]?[0-9]{1,18}')`, `CAST(${c} AS BIGINT)`, 'BIGINT', c),
    test: matchesPattern('[+-]?[0-9]{1,18}'),
  },
  {
    id: 'number-loose',
    type: 'number',
    matches: fullMatch(LOOSE_NUMBER),
    read: (c) => refuseUnless(`regexp_full_match(${c}, '${LOOSE_NUMBER}')`, `CAST(${c} AS DOUBLE)`, 'DOUBLE', c),
    test: matchesPattern(LOOSE_NUMBER),
  },
  isoTimestamp('timestamp-or-date', '', (c) => `CAST(${c} AS TIMESTAMP)`, 29, true),
  {
    id: 'boolean-words',
    type: 'boolean',
    matches: (text) => [...SWITCH.true, ...SWITCH.false].includes(text.toLowerCase()),
    read: (c) =>
      `CASE WHEN ${c} IS NULL THEN NULL WHEN lower(${c}) IN (${listed(SWITCH.true)}) THEN true
        WHEN lower(${c}) IN (${listed(SWITCH.false)}) THEN false ELSE ${REFUSED}::BOOLEAN END`,
    test: (c) => `lower(${c}) IN (${listed([...SWITCH.true, ...SWITCH.false])})`,
  },
  {
    id: 'json',
    type: 'json',
    matches: isJson,
    read: (c) => `CAST(${c} AS JSON)`,
    test: (c) => `json_valid(${c})`,
  },
];

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function decimal(precision: number, scale: number): Kind {
  const whole = Math.max(1, precision - scale);
  const fraction = scale > 0 ? `(\\.[0-9]{0,${scale}}0*)?` : '(\\.0*)?';
  const pattern = `[+-]?0*[0-9]{1,${whole}}${fraction}`;
  const type = `DECIMAL(${precision},${scale})`;
  return {
    id: type,
    type: `decimal(${precision},${scale})`,
    matches: fullMatch(pattern),
    read: (c) => refuseUnless(`regexp_full_match(${c}, '${pattern}')`, `CAST(${c} AS ${type})`, type, c),
    test: matchesPattern(pattern),
  };
}

/** All readings of a column type that was asked for; empty for text and files. */
export function kindsOfType(type: string): Kind[] {
  const size = /^decimal\((\d+),(\d+)\)$/.exec(type);
  if (size) return [decimal(Number(size[1]), Number(size[2]))];
  return [...KINDS, ...ASKED].filter((kind) => kind.type === type);
}
