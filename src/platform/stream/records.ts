import { isUtf8 } from 'node:buffer';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { faultPlace } from './fault-place.ts';

export type RecordFormat = 'json' | 'ndjson';

export interface Records {
  /** One JSON object per line, every digit as it was written, without blank lines; ends with a line break. */
  ndjson: Buffer;
  count: number;
}

export interface RecordLimits {
  max_records: number;
  max_depth: number;
}

export const RECORD_LIMITS: RecordLimits = { max_records: 100_000, max_depth: 100 };

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * A request's body as records: one object, an array of objects, or NDJSON. Checked to the last byte, so that
 * what is acknowledged can be read; the bytes themselves are kept: JSON.parse would round large numbers.
 *
 * @throws invalid_json when it is not JSON; malformed_json when lines of NDJSON are not, invalid_input when a
 *   record is no object (each names the record and the field); json_too_deep; payload_too_large (too many)
 */
export function readRecords(body: Buffer, format: RecordFormat, limits: RecordLimits = RECORD_LIMITS): Records {
  if (!isUtf8(body)) throw fail('invalid_json', 'The body is not UTF-8.');
  const bytes = Buffer.from(body.subarray(0, 3).equals(BOM) ? body.subarray(3) : body);
  const records = format === 'ndjson' ? fromLines(bytes, limits) : fromDocument(bytes, limits);
  if (records.count === 0) {
    throw fail('invalid_input', 'There is no record in the body.', {
      errors: [{ field: 'body', code: 'empty', message: 'There is no record in the body.' }],
      hint: 'Send one JSON object, an array of objects, or one object per line (application/x-ndjson).',
    });
  }
  return records;
}

/** The records as JavaScript sees them: numbers beyond 2⁵³ are rounded, so this is to look at, not to store. */
export function parseRecords({ ndjson }: Records): Record<string, unknown>[] {
  return [...lines(ndjson)].map(
    ({ start, end }) => JSON.parse(ndjson.toString('utf8', start, end)) as Record<string, unknown>,
  );
}

/** In place: commas between an array's elements become line breaks, so that its elements keep their bytes. */
function fromDocument(bytes: Buffer, limits: RecordLimits): Records {
  const start = firstByte(bytes);
  const isArray = bytes[start] === 0x5b;
  const text = bytes.toString('utf8');
  const elements = linearize(bytes, isArray, limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(text);
  }
  const list = Array.isArray(value) ? value : [value];
  if (list.length > limits.max_records) throw tooMany(limits);
  refuseOthers(list, isArray);
  if (list.length === 0) return { ndjson: Buffer.alloc(0), count: 0 };
  if (isArray && elements !== list.length) throw new Error('an array was taken apart wrongly');
  return { ndjson: joined([bytes]), count: list.length };
}

function firstByte(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length && (bytes[at] as number) <= SPACE) at += 1;
  return at;
}

/**
 * Walks a document outside of its strings: line breaks become blanks, an array's outermost commas line
 * breaks, its brackets blanks. Sound for valid JSON, harmless for any other. @returns elements of the array
 */
function linearize(bytes: Buffer, isArray: boolean, { max_depth, max_records }: RecordLimits): number {
  let depth = 0;
  let elements = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case 0x22:
        at = stringEnd(bytes, at);
        break;
      case 0x5b:
      case 0x7b:
        depth += 1;
        if (depth > max_depth) throw tooDeep(max_depth);
        if (isArray && depth === 1) bytes[at] = SPACE;
        break;
      case 0x5d:
      case 0x7d:
        if (isArray && depth === 1) bytes[at] = SPACE;
        depth -= 1;
        break;
      case 0x2c:
        if (isArray && depth === 1) {
          bytes[at] = NEWLINE;
          elements += 1;
          if (elements > max_records) throw tooMany({ max_records });
        }
        break;
      case NEWLINE:
      case RETURN:
        bytes[at] = SPACE;
        break;
    }
  }
  return elements;
}

/** Index of the closing quote, or the last byte. */
function stringEnd(bytes: Buffer, from: number): number {
  for (let at = from + 1; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x22) return at;
    if (byte === 0x5c) at += 1;
  }
  return bytes.length;
}

interface Line {
  start: number;
  end: number;
}

function* lines(bytes: Buffer): Generator<Line> {
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    yield { start, end };
    start = end + 1;
  }
}

function fromLines(bytes: Buffer, limits: RecordLimits): Records {
  const kept: Buffer[] = [];
  const returns = bytes.includes(RETURN);
  let number = 0;
  for (const { start, end } of lines(bytes)) {
    number += 1;
    const line = bytes.subarray(start, end);
    if (firstByte(line) === line.length) continue;
    if (kept.length === limits.max_records) throw tooMany(limits);
    // Looking at every byte takes as long as parsing: only where there may be something to see.
    if (returns || !isFlat(line)) linearize(line, false, limits);
    const text = line.toString('utf8');
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw badLine(number, kept.length, text);
    }
    if (!isRecord(value)) throw notARecord(String(kept.length), `line ${number}`);
    kept.push(line);
  }
  return { ndjson: kept.length === number ? endedByBreak(bytes) : joined(kept), count: kept.length };
}

/** No array, and no object but the record itself; a bracket in a text counts as one. */
function isFlat(line: Buffer): boolean {
  return !line.includes(0x5b) && line.indexOf(0x7b) === line.lastIndexOf(0x7b);
}

function endedByBreak(bytes: Buffer): Buffer {
  return bytes.at(-1) === NEWLINE ? bytes : joined([bytes]);
}

function joined(lines: readonly Buffer[]): Buffer {
  const breaks = Buffer.of(NEWLINE);
  return Buffer.concat(lines.flatMap((line) => [line, breaks]));
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseOthers(list: unknown[], isArray: boolean): void {
  const wrong = list.findIndex((value) => !isRecord(value));
  if (wrong === -1) return;
  throw isArray ? notARecord(String(wrong), `element ${wrong}`) : notARecord('body', 'the body');
}

function notARecord(field: string, where: string): CaudalError {
  const message = `A record is a JSON object; ${where} is none.`;
  return fail('invalid_input', message, { errors: [{ field, code: 'not_an_object', message }] });
}

function malformed(text: string): CaudalError {
  const { field, where } = faultPlace(text);
  const message = `The body is not valid JSON (${where}).`;
  return fail('invalid_json', message, { errors: [{ field, code: 'malformed', message }] });
}

function badLine(number: number, index: number, text: string): CaudalError {
  const { field, where } = faultPlace(text);
  const message = `Line ${number} is not valid JSON (${where}).`;
  const path = field === 'body' ? String(index) : `${index}.${field}`;
  return fail('malformed_json', message, { errors: [{ field: path, code: 'malformed', message }] });
}

function tooDeep(limit: number): CaudalError {
  return fail('json_too_deep', `A record is nested more than ${limit} deep.`);
}

function tooMany({ max_records }: Pick<RecordLimits, 'max_records'>): CaudalError {
  return fail('payload_too_large', `There are more than ${max_records} records in the body.`, {
    hint: 'Send them in several requests, or upload them as a file.',
  });
}
