/**
 * What the values of one column have been, so that its type can be told at the end: the narrowest that
 * holds every value without losing a digit.
 */
export interface Typing {
  seen: number;
  nulls: boolean;
  /** Digits before and after the point, over all numbers. */
  int_digits: number;
  scale: number;
  /** Some number does not survive as a double. */
  lossy: boolean;
}

const INTEGER = 1;
const BIG = 2;
const FRACTION = 4;
const EXPONENT = 8;
const BOOLEAN = 16;
const DATE = 32;
const TIMESTAMP = 64;
const TIME = 128;
const UUID = 256;
const TEXT = 512;
const JSON_VALUE = 1024;
const NUMERIC = INTEGER | BIG | FRACTION | EXPONENT;

export function newTyping(): Typing {
  return { seen: 0, nulls: false, int_digits: 0, scale: 0, lossy: false };
}

export function sawNull(typing: Typing): void {
  typing.nulls = true;
}
export function sawBoolean(typing: Typing): void {
  typing.seen |= BOOLEAN;
}
export function sawJson(typing: Typing): void {
  typing.seen |= JSON_VALUE;
}
export function sawDate(typing: Typing): void {
  typing.seen |= DATE;
}
export function sawTimestamp(typing: Typing): void {
  typing.seen |= TIMESTAMP;
}
export function sawTime(typing: Typing): void {
  typing.seen |= TIME;
}
export function sawText(typing: Typing): void {
  typing.seen |= TEXT;
}

const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/;

/** @param text a number as JSON writes it */
export function sawNumber(typing: Typing, text: string): void {
  const match = NUMBER.exec(text);
  if (!match) {
    typing.seen |= TEXT;
    return;
  }
  const integer = match[1] ?? '';
  const fraction = match[2];
  typing.int_digits = Math.max(typing.int_digits, integer.length);
  if (fraction !== undefined) typing.scale = Math.max(typing.scale, fraction.length);
  if (match[3] !== undefined) typing.seen |= EXPONENT;
  else if (fraction !== undefined) typing.seen |= FRACTION;
  else typing.seen |= fitsBigint(text, integer) ? INTEGER : BIG;
  if (!typing.lossy && (integer.length + (fraction?.length ?? 0) > 15 || match[3] !== undefined)) {
    typing.lossy = !survivesAsDouble(text);
  }
}

/** @param text the double, as briefly as JavaScript writes it */
export function sawDouble(typing: Typing, value: number, text: string): void {
  if (!Number.isSafeInteger(value)) typing.seen |= FRACTION;
  else {
    typing.seen |= INTEGER;
    if (text.length > typing.int_digits) typing.int_digits = text.length;
  }
}

function fitsBigint(text: string, digits: string): boolean {
  if (digits.length < 19) return true;
  if (digits.length > 19) return false;
  const value = BigInt(text);
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

/** Whether a double, written as briefly as it can be, has the same digits. */
function survivesAsDouble(text: string): boolean {
  const value = Number(text);
  if (!Number.isFinite(value)) return false;
  return digitsOf(text) === digitsOf(String(value)) || (value === 0 && digitsOf(text) === '');
}

/** Significant digits without point, sign, exponent, and zeros at either end. */
function digitsOf(text: string): string {
  return text
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
}

const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** What DuckDB casts: an offset only behind seconds. */
const TIMESTAMP_TEXT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]\d\d(?::?\d\d)?)?)?)?$/;

/**
 * A text that may be a date, a timestamp or a UUID (lower case: it must come back as it was written).
 * A timestamp with an offset is an instant and is stored in UTC; digits below a microsecond would be lost: text.
 */
export function sawString(typing: Typing, text: string): void {
  if (typing.seen & TEXT) return;
  typing.seen |= kindOf(text);
}

function kindOf(text: string): number {
  const { length } = text;
  if (length < 10 || length > 36 || text.charCodeAt(0) > 0x66) return TEXT;
  if (length === 36) return UUID_TEXT.test(text) ? UUID : TEXT;
  if (text.charCodeAt(4) !== 0x2d) return TEXT;
  const match = TIMESTAMP_TEXT.exec(text);
  if (!match || !isDay(Number(match[1]), Number(match[2]), Number(match[3]))) return TEXT;
  return length === 10 ? DATE : TIMESTAMP;
}

function isDay(year: number, month: number, day: number): boolean {
  if (year === 0 || month < 1 || month > 12 || day < 1) return false;
  return day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

/** The column's type; `text` where nothing but NULL was seen, or kinds that have nothing in common. */
export function typeOf(typing: Typing): string {
  const { seen } = typing;
  if (seen === BOOLEAN) return 'boolean';
  if (seen === DATE) return 'date';
  if (seen === TIME) return 'time';
  if (seen === UUID) return 'uuid';
  if (seen === JSON_VALUE) return 'json';
  if (seen !== 0 && (seen & ~(DATE | TIMESTAMP)) === 0) return 'timestamp';
  if (seen !== 0 && (seen & ~NUMERIC) === 0) return numericType(typing);
  return 'text';
}

function numericType(typing: Typing): string {
  const { seen, int_digits, scale, lossy } = typing;
  if (seen === INTEGER) return 'integer';
  if ((seen & ~(INTEGER | BIG)) === 0) return wholeType(int_digits);
  if (!lossy) return 'number';
  if (seen & EXPONENT || int_digits + scale > 38) return 'text';
  return `decimal(${int_digits + scale},${scale})`;
}

function wholeType(digits: number): string {
  if (digits <= 20) return 'decimal(20,0)';
  return digits <= 38 ? 'decimal(38,0)' : 'text';
}
