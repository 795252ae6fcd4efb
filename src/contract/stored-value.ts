import { textForm } from './column-rules.ts';

/**
 * A value of a column as JSON can carry it: integers as numbers, beyond ±(2⁵³−1) as digits; decimals as text
 * of their full scale; number as a number, NaN and ±Infinity as text; boolean; everything else as text, dates and
 * times as DuckDB writes them (timestamps in UTC). DuckDB's cast of its text to the column's type gives it back.
 */
export type StoredValue = string | number | boolean;

type Reader = (text: string, type: string) => StoredValue | undefined;

const READERS: Record<string, Reader> = {
  integer: readInteger,
  decimal: readDecimal,
  number: readNumber,
  boolean: (text) => /^(?:t|true|y|yes|1)$/i.test(text),
  date: readDate,
  time: (text) => timeText(text),
  timestamp: readTimestamp,
  uuid: (text) => {
    const hex = text.replaceAll('-', '').toLowerCase();
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  },
};

const patterns = new Map<string, RegExp>();

/** The text forms are few, so each is compiled once. JavaScript has `(?i:…)` as RE2 does. */
function matches(form: string, text: string): boolean {
  let pattern = patterns.get(form);
  if (!pattern) {
    pattern = new RegExp(`^(?:${form})$`);
    patterns.set(form, pattern);
  }
  return pattern.test(text);
}

/**
 * A JSON value as a value of the column's type. What has another JSON type is judged by its text: "5" and 5
 * are integers, true and 1 booleans.
 *
 * @returns null when there is none (null, a missing field, for anything but text a blank one); undefined when
 *   it is no value of the type
 */
export function readValue(given: unknown, type: string): StoredValue | null | undefined {
  if (given === null || given === undefined) return null;
  if (type === 'json') return jsonText(given);
  if (type === 'number' && typeof given === 'number') return numberValue(given);
  const text = textOf(given);
  if (text === undefined) return undefined;
  if (type === 'text' || type === 'file') return text;
  const trimmed = trimBlanks(text);
  if (trimmed === '') return null;
  const form = textForm(type);
  if (form === undefined || !matches(form, trimmed)) return undefined;
  const value = READERS[kindOf(type)]?.(trimmed, type);
  // A JSON number is exact where a text may carry more digits than any type: nothing of it may be lost.
  return typeof given === 'number' && type !== 'boolean' && Number(value) !== given ? undefined : value;
}

function kindOf(type: string): string {
  return type.startsWith('decimal') ? 'decimal' : type;
}

/** As DuckDB's trim(): the blanks of Unicode, not tabs and line ends. */
function trimBlanks(text: string): string {
  return text.replace(/^\p{Zs}+/u, '').replace(/\p{Zs}+$/u, '');
}

/** Undefined when the value is nested deeper than can be written. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)?.toWellFormed();
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.toWellFormed();
  return typeof value === 'number' ? plainDigits(value) : jsonText(value);
}

/** 1e21 → 1000000000000000000000, 1e-7 → 0.0000001: exact types take no such exponents. */
function plainDigits(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0') + (digits.length > point ? `.${digits.slice(point)}` : '');
}

/** A number of `unit`s of 10^-scale, rounded half away from zero as DuckDB does; exact texts only. */
function scaled(text: string, scale: number): bigint {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]\+?(\d+))?$/.exec(text) as RegExpExecArray;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = BigInt(`0${whole}${fraction}`);
  const shift = scale + Number(exponent) - fraction.length;
  const size = 10n ** BigInt(Math.abs(shift));
  const magnitude = shift >= 0 ? digits * size : (digits * 2n + size) / (size * 2n);
  return sign === '-' ? -magnitude : magnitude;
}

const INTEGER_DIGITS = 19;
const WIDEST = 38;
const LARGEST = 2n ** 63n - 1n;

/** Compared at the finest scale that DuckDB has for so many whole digits: what is finer is lost without a word. */
function isWhole(text: string, scale: number, digits: number): boolean {
  const finest = WIDEST - (digits - scale);
  return scaled(text, finest) === scaled(text, scale) * 10n ** BigInt(finest - scale);
}

function readInteger(text: string): StoredValue | undefined {
  const value = scaled(text, 0);
  if (value > LARGEST || value < -LARGEST - 1n || !isWhole(text, 0, INTEGER_DIGITS)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function readDecimal(text: string, type: string): string | undefined {
  const [precision, scale] = decimalSize(type);
  const value = scaled(text, scale);
  const magnitude = value < 0n ? -value : value;
  if (magnitude >= 10n ** BigInt(precision) || !isWhole(text, scale, precision)) return undefined;
  const digits = String(magnitude).padStart(scale + 1, '0');
  const shown = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${shown}` : shown;
}

function decimalSize(type: string): [precision: number, scale: number] {
  const [precision = 0, scale = 0] = (type.match(/\d+/g) ?? []).map(Number);
  return [precision, scale];
}

function readNumber(text: string): StoredValue {
  const word = /^([+-]?)(nan|inf)/i.exec(text);
  if (!word) return numberValue(Number(text));
  if (word[2]?.toLowerCase() === 'nan') return 'NaN';
  return word[1] === '-' ? '-Infinity' : 'Infinity';
}

function numberValue(value: number): StoredValue {
  return Number.isFinite(value) ? value : String(value);
}

interface Day {
  year: number;
  month: number;
  day: number;
}

function dayOf(text: string): Day | undefined {
  const [year = 0, month = 0, day = 0] = text.split(/[-/]/).map(Number);
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? { year, month, day } : undefined;
}

const pad = (number: number, width: number): string => String(number).padStart(width, '0');

function dayText({ year, month, day }: Day): string {
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

function readDate(text: string): string | undefined {
  const day = dayOf(text.split(/[ T]/, 1)[0] ?? '');
  return day && dayText(day);
}

/** `7:30:00.50` → `07:30:00.5`; microseconds at most, what is finer is cut. */
function timeText(text: string): string {
  const [hour = '0', minute = '0', seconds = '0'] = text.split(':');
  const [second = '0', fraction = ''] = seconds.split('.');
  const micros = fraction.slice(0, 6).replace(/0+$/, '');
  return `${hour.padStart(2, '0')}:${minute}:${second.padStart(2, '0')}${micros === '' ? '' : `.${micros}`}`;
}

const MINUTE_MS = 60_000;

/** In UTC; a text without an offset is taken to be. Undefined where the offset leads out of the years 1–9999. */
function readTimestamp(text: string): string | undefined {
  const match = /^([^ T]+)(?:[ T]([0-9:.]+)(Z|[+-].+)?)?$/.exec(text);
  const day = dayOf(match?.[1] ?? '');
  if (!day) return undefined;
  const time = timeText(match?.[2] ?? '0:00');
  const minutes = offsetMinutes(match?.[3]);
  if (minutes === 0) return `${dayText(day)} ${time}`;
  const moved = new Date(Date.UTC(2000, day.month - 1, day.day, ...hourAndMinute(time)));
  moved.setUTCFullYear(day.year, day.month - 1, day.day);
  moved.setTime(moved.getTime() - minutes * MINUTE_MS);
  const year = moved.getUTCFullYear();
  if (year < 1 || year > 9999) return undefined;
  const date = dayText({ year, month: moved.getUTCMonth() + 1, day: moved.getUTCDate() });
  return `${date} ${pad(moved.getUTCHours(), 2)}:${pad(moved.getUTCMinutes(), 2)}${time.slice(5)}`;
}

function hourAndMinute(time: string): [hour: number, minute: number] {
  return [Number(time.slice(0, 2)), Number(time.slice(3, 5))];
}

function offsetMinutes(offset: string | undefined): number {
  if (!offset || offset === 'Z') return 0;
  const digits = offset.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0);
  return offset.startsWith('-') ? -minutes : minutes;
}

/** The value as DuckDB's `CAST(… AS VARCHAR)` writes it: what patterns are held against and keys are made of. */
export function storedText(value: StoredValue, type: string): string {
  return type === 'number' ? doubleText(Number(value)) : String(value);
}

/** DuckDB's text of a DOUBLE: shortest digits, `5.0`, `1e+16`, `1e-05`, `inf`. */
function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${pad(Math.abs(exponent), 2)}`;
  }
  const plain = plainDigits(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}

/** As the engine orders them: numbers by size with NaN last, texts by their UTF-8 bytes. */
export function compareValues(a: StoredValue, b: StoredValue, type: string): number {
  if (type === 'number') return compareNumbers(Number(a), Number(b));
  if (type === 'integer') return compareBig(BigInt(a), BigInt(b));
  if (type.startsWith('decimal')) {
    const [, scale] = decimalSize(type);
    return compareBig(scaled(String(a), scale), scaled(String(b), scale));
  }
  if (type === 'boolean') return Number(a) - Number(b);
  return Math.sign(Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
}

function compareBig(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
