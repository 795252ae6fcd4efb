/** How the original reader took a record apart. */
export interface Dialect {
  delimiter: string;
  quote: string;
  escape: string;
}

export interface RawRecord {
  /** Position among the records of the replay. */
  n: number;
  line: number;
  raw: string;
  format: 'csv' | 'json';
}

/** A record taken apart again: one text per column of its source, or why that is not possible. */
export interface SplitRecord {
  n: number;
  line: number;
  raw: string;
  fields: (string | null)[];
  /** Fields more (+) or fewer (−) than columns. */
  surplus: number;
  problem: string | null;
}

/** What quarantine keeps of a record; a longer one was cut and cannot be read again. */
const KEPT_CHARACTERS = 65_536;

/**
 * Splits one delimited record as the file's dialect has it. Lenient, since the record was refused once
 * already: a quote that never closes takes the rest. An empty unquoted field is NULL.
 */
export function splitFields(raw: string, { delimiter, quote, escape: escapeMark }: Dialect): (string | null)[] {
  const text = raw.replace(/(\r\n|\n|\r)$/, '');
  const fields: (string | null)[] = [];
  let at = 0;
  for (;;) {
    const [field, end] =
      quote !== '' && text.startsWith(quote, at)
        ? quotedField(text, at + quote.length, delimiter, quote, escapeMark || quote)
        : plainField(text, at, delimiter);
    fields.push(field);
    if (end >= text.length) return fields;
    at = end + delimiter.length;
  }
}

type Field = [value: string | null, end: number];

function plainField(text: string, start: number, delimiter: string): Field {
  const found = text.indexOf(delimiter, start);
  const end = found === -1 ? text.length : found;
  return [end === start ? null : text.slice(start, end), end];
}

function quotedField(text: string, start: number, delimiter: string, quote: string, escapeMark: string): Field {
  let value = '';
  let at = start;
  while (at < text.length) {
    if (text.startsWith(escapeMark, at) && text.startsWith(quote, at + escapeMark.length)) {
      value += quote;
      at += escapeMark.length + quote.length;
    } else if (text.startsWith(quote, at)) {
      const found = text.indexOf(delimiter, at + quote.length);
      const end = found === -1 ? text.length : found;
      return [value + text.slice(at + quote.length, end), end];
    } else {
      value += text.charAt(at);
      at += 1;
    }
  }
  return [value, text.length];
}

/** A record kept as JSON: an object by names, an array by position, one value as one field. */
function jsonFields(raw: string, names: readonly string[]): (string | null)[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return undefined;
  }
  if (Array.isArray(value)) return value.map(textOf);
  if (value === null || typeof value !== 'object') return [textOf(value)];
  const object = value as Record<string, unknown>;
  return names.map((name) => (Object.hasOwn(object, name) ? textOf(object[name]) : null));
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `names`: the source's columns as the file named them. */
export function splitRecord(record: RawRecord, names: readonly string[], dialect: Dialect): SplitRecord {
  const { n, line, raw, format } = record;
  const fields = format === 'json' ? jsonFields(raw, names) : splitFields(raw, dialect);
  const cut = raw.length >= KEPT_CHARACTERS ? 'too long: only its first 64 KiB were kept' : null;
  if (!fields) return { n, line, raw, fields: [], surplus: 0, problem: cut ?? 'not valid JSON' };
  return { n, line, raw, fields, surplus: fields.length - names.length, problem: cut };
}
