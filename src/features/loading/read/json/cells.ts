import { sawBoolean, sawJson, sawNull, sawNumber, sawString, type Typing } from '../rows/typing.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Index behind the value that begins at `from`, in bytes that the scanner has found valid. */
export function valueEnd(buffer: Buffer, from: number): number {
  const first = buffer[from];
  if (first === QUOTE) return stringEnd(buffer, from);
  if (first === 0x7b || first === 0x5b) return containerEnd(buffer, from);
  let at = from;
  for (
    let byte = buffer[at] ?? 0;
    byte > 0x20 && byte !== 0x2c && byte !== 0x5d && byte !== 0x7d;
    byte = buffer[at] ?? 0
  ) {
    at++;
    if (at >= buffer.length) return at;
  }
  return at;
}

export function stringEnd(buffer: Buffer, from: number): number {
  let at = from + 1;
  for (;;) {
    const byte = buffer[at];
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
  }
}

function containerEnd(buffer: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  for (;;) {
    const byte = buffer[at];
    if (byte === QUOTE) {
      at = stringEnd(buffer, at);
      continue;
    }
    at++;
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at;
  }
}

/** A JSON string's text. Half a surrogate pair has no UTF-8: it becomes U+FFFD. */
export function stringText(buffer: Buffer, start: number, end: number): string {
  let high = 0;
  let escaped = false;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = buffer[at] as number;
    high |= byte;
    if (byte === BACKSLASH) escaped = true;
  }
  const encoding = high < 0x80 ? 'latin1' : 'utf8';
  if (!escaped) return buffer.toString(encoding, start + 1, end - 1);
  return (JSON.parse(buffer.toString(encoding, start, end)) as string).toWellFormed();
}

/**
 * The text of a value and what it tells about its column; undefined for null. Numbers keep every digit
 * they were written with, containers become JSON without blanks.
 */
export function cellText(buffer: Buffer, start: number, end: number, typing: Typing): string | undefined {
  const first = buffer[start];
  if (first === QUOTE) {
    const text = stringText(buffer, start, end);
    sawString(typing, text);
    return text;
  }
  if (first === 0x6e) {
    sawNull(typing);
    return undefined;
  }
  if (first === 0x74 || first === 0x66) {
    sawBoolean(typing);
    return first === 0x74 ? 'true' : 'false';
  }
  if (first === 0x7b || first === 0x5b) {
    sawJson(typing);
    return compactJson(buffer, start, end);
  }
  const text = buffer.toString('latin1', start, end);
  sawNumber(typing, text);
  return text;
}

/** Any value as JSON; undefined for null. */
export function jsonCell(buffer: Buffer, start: number, end: number, typing: Typing): string | undefined {
  if (buffer[start] === 0x6e) return cellText(buffer, start, end, typing);
  sawJson(typing);
  return compactJson(buffer, start, end);
}

/** The same JSON without blanks between its tokens. */
export function compactJson(buffer: Buffer, start: number, end: number): string {
  let text = '';
  let kept = start;
  for (let at = start; at < end; ) {
    const byte = buffer[at] as number;
    if (byte === QUOTE) at = stringEnd(buffer, at);
    else if (byte <= 0x20) {
      text += buffer.toString('utf8', kept, at);
      while (at < end && (buffer[at] as number) <= 0x20) at++;
      kept = at;
    } else at++;
  }
  text += buffer.toString('utf8', kept, end);
  return text.includes('\\u') ? wellFormedEscapes(text) : text;
}

const ESCAPES = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[dD][89a-fA-F][\da-fA-F]{2}|.)/gs;

/** Half a surrogate pair written as an escape: allowed by the grammar, refused by what stores JSON. */
function wellFormedEscapes(json: string): string {
  return json.replace(ESCAPES, (sequence) =>
    sequence.length === 6 && /^\\u[dD][89a-fA-F]/.test(sequence) ? '\\ufffd' : sequence,
  );
}
