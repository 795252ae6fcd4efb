/** What a number under a number format is for a person (ECMA-376 part 1, 18.8.30 and 18.8.31). */
export type NumberKind = 'number' | 'date' | 'datetime' | 'time' | 'elapsed' | 'code' | 'text';

export interface NumberFormat {
  kind: NumberKind;
  /** Writes a number as the format shows it; absent where the plain number will do. */
  show?(value: number): string;
}

export const GENERAL: NumberFormat = { kind: 'number' };

/** Built-in formats that are not in the file; those that vary with the language are dates in all of them. */
const BUILT_IN: Record<number, string> = {
  1: '0',
  2: '0.00',
  3: '#,##0',
  4: '#,##0.00',
  9: '0%',
  10: '0.00%',
  11: '0.00E+00',
  14: 'yyyy-mm-dd',
  15: 'd-mmm-yy',
  16: 'd-mmm',
  17: 'mmm-yy',
  18: 'h:mm AM/PM',
  19: 'h:mm:ss AM/PM',
  20: 'h:mm',
  21: 'h:mm:ss',
  22: 'yyyy-mm-dd h:mm',
  37: '#,##0',
  38: '#,##0',
  39: '#,##0.00',
  40: '#,##0.00',
  45: 'mm:ss',
  46: '[h]:mm:ss',
  47: 'mm:ss.0',
  49: '@',
};

/** East Asian dates: 27–31, 34–36 and 50–58; 32 and 33 are times. */
function eastAsian(id: number): string | undefined {
  if (id === 32 || id === 33) return 'h:mm:ss';
  return (id >= 27 && id <= 36) || (id >= 50 && id <= 58) ? 'yyyy-mm-dd' : undefined;
}

export function numberFormat(id: number, custom: ReadonlyMap<number, string>): NumberFormat {
  const code = custom.get(id) ?? BUILT_IN[id] ?? eastAsian(id);
  return code === undefined ? GENERAL : parseFormat(code);
}

/** Only the first section counts: that for positive numbers. */
export function parseFormat(code: string): NumberFormat {
  const section = firstSection(code);
  if (/^general$/i.test(section.trim())) return GENERAL;
  if (section.trim() === '@') return { kind: 'text' };
  if (/^0{2,}$/.test(section)) {
    return {
      kind: 'code',
      show: (value) => (value < 0 ? '-' : '') + String(Math.abs(value)).padStart(section.length, '0'),
    };
  }
  const letters = withoutLiterals(section);
  const elapsed = /\[(h+|m+|s+)\]/i.test(section);
  const date = /[yd]/i.test(letters) || (/m/i.test(letters) && !/[hs]/i.test(letters) && !elapsed);
  const time = elapsed || /[hs]/i.test(letters) || /am\/pm|a\/p/i.test(letters);
  if (date) return { kind: time ? 'datetime' : 'date' };
  if (time) return { kind: elapsed ? 'elapsed' : 'time' };
  const show = numeric(section);
  return show ? { kind: 'number', show } : GENERAL;
}

function firstSection(code: string): string {
  let quoted = false;
  for (let i = 0; i < code.length; i++) {
    if (code[i] === '"') quoted = !quoted;
    else if (code[i] === '\\') i++;
    else if (code[i] === ';' && !quoted) return code.slice(0, i);
  }
  return code;
}

/** The letters that mean something: no quoted texts, escapes, blanks of a width, fillers, colours, conditions, locales. */
function withoutLiterals(section: string): string {
  return section
    .replace(/"[^"]*"?/g, '')
    .replace(/\\./g, '')
    .replace(/[_*]./g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/general/gi, '')
    .replace(/e[-+]/gi, '');
}

const PLAIN_NUMBER = /^([^0#?]*)(#*0(?:\.(0+))?|#,##[0#](?:\.(0+))?)(%?)([^0#?]*)$/;

/** Formats such as `0.00`, `#,##0`, `0%`, `"$"#,##0.00`; others (fractions, scientific) show the plain number. */
function numeric(section: string): ((value: number) => string) | undefined {
  const text = section.replace(/\[\$([^\]-]*)[^\]]*\]/g, '"$1"').replace(/\[[^\]]*\]/g, '');
  const match = PLAIN_NUMBER.exec(text);
  if (!match) return undefined;
  const [, before = '', digits = '', fixed, grouped_fixed, percent = '', after = ''] = match;
  const decimals = (fixed ?? grouped_fixed ?? '').length;
  const grouped = digits.includes(',');
  const prefix = literal(before);
  const suffix = percent + literal(after);
  return (value) => {
    const scaled = percent ? value * 100 : value;
    const fixed_text = Math.abs(scaled).toFixed(decimals);
    const absolute = grouped ? withThousands(fixed_text) : fixed_text;
    return `${scaled < 0 ? '-' : ''}${prefix}${absolute}${suffix}`;
  };
}

/** By hand: toLocaleString takes 10 µs a number, which was half of a workbook's time. */
function withThousands(digits: string): string {
  const point = digits.indexOf('.');
  const end = point === -1 ? digits.length : point;
  let text = digits.slice(end);
  for (let at = end; at > 0; at -= 3) text = `${digits.slice(Math.max(0, at - 3), at)}${at === end ? '' : ','}${text}`;
  return text;
}

function literal(text: string): string {
  return text
    .replace(/[_*]./g, '')
    .replace(/"([^"]*)"?/g, '$1')
    .replace(/\\(.)/g, '$1');
}

const DAY_MS = 86_400_000;
const EPOCH_1900 = Date.UTC(1899, 11, 30);
const EPOCH_1904 = Date.UTC(1904, 0, 1);
const LAST_SERIAL = 2_958_466;

export interface Moment {
  /** `YYYY-MM-DD` */
  day: string;
  /** `HH:MM:SS` with milliseconds when there are any. */
  time: string;
  /** Midnight exactly. */
  whole: boolean;
}

/**
 * A serial number as day and time; undefined when there is no such day. In the 1900 system serials
 * below 60 are a day later than counted from 1899-12-30, and 60 is 29 February 1900, which never was.
 */
export function momentOf(serial: number, date1904: boolean): Moment | undefined {
  if (serial < 0 || serial >= LAST_SERIAL) return undefined;
  if (!date1904 && serial >= 60 && serial < 61) return undefined;
  const shift = !date1904 && serial < 60 ? 1 : 0;
  const ms = Math.round((serial + shift) * DAY_MS);
  const iso = new Date((date1904 ? EPOCH_1904 : EPOCH_1900) + ms).toISOString();
  return { day: iso.slice(0, 10), time: iso.slice(11, 23).replace(/\.000$/, ''), whole: ms % DAY_MS === 0 };
}

/** 1.25 → `30:00:00`: hours may pass 24. */
export function durationText(days: number): string {
  const ms = Math.round(Math.abs(days) * DAY_MS);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const rest = ms % 1000 === 0 ? '' : `.${String(ms % 1000).padStart(3, '0')}`;
  return `${days < 0 ? '-' : ''}${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${rest}`;
}
