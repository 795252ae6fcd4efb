import { fail } from '#kernel/errors.ts';
import type { Window } from './window.ts';

/** Nesting that is read; ours is an iterative scanner, but what stores and shows the value need not be. */
export const MAX_DEPTH = 1000;

/** What is wrong with a JSON text, and where in the window. */
export class JsonFault extends Error {
  readonly index: number;
  readonly deep: boolean;

  constructor(message: string, index: number, deep = false) {
    super(message);
    this.index = index;
    this.deep = deep;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Bytes of a string that need no look: all but quotes, backslashes and control characters. */
const PLAIN = new Uint8Array(256).fill(1);
PLAIN.fill(0, 0, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

/** The next byte that is no blank, without passing it; -1 at the end. */
export function peek(window: Window): number {
  for (;;) {
    const { buffer, end } = window;
    let { pos } = window;
    while (pos < end) {
      const byte = buffer[pos] as number;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        window.pos = pos;
        return byte;
      }
      pos++;
    }
    window.pos = pos;
    if (!window.refill()) return -1;
  }
}

const stack = new Uint8Array(MAX_DEPTH + 1);

/**
 * Passes one value, checking it against RFC 8259. `pos` ends up behind it.
 * Strings are checked for escapes and control characters here; for UTF-8 the window vouches.
 * @throws JsonFault
 */
export function scanValue(window: Window): void {
  let depth = 0;
  for (;;) {
    const byte = peek(window);
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === MAX_DEPTH) throw new JsonFault(`nested more than ${MAX_DEPTH} deep`, window.pos, true);
      stack[depth++] = byte;
      window.pos++;
      if (byte === OPEN_BRACE ? !opensObject(window) : peek(window) === CLOSE_BRACKET) {
        window.pos++;
        depth--;
      } else continue;
    } else scanScalar(window, byte);
    depth = closeAfterValue(window, depth);
    if (depth === 0) return;
  }
}

/** False for `{}`; otherwise the first key is passed. */
function opensObject(window: Window): boolean {
  if (peek(window) === CLOSE_BRACE) return false;
  scanKey(window);
  return true;
}

/** Passes closing brackets and the comma (with the next key) that follow a value; returns the depth left. */
function closeAfterValue(window: Window, from: number): number {
  let depth = from;
  while (depth > 0) {
    const byte = peek(window);
    const container = stack[depth - 1];
    if (byte === COMMA) {
      window.pos++;
      if (container === OPEN_BRACE) scanKey(window);
      return depth;
    }
    if (byte !== (container === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
      throw unexpected(window, byte, container === OPEN_BRACE ? '"," or "}"' : '"," or "]"');
    }
    window.pos++;
    depth--;
  }
  return 0;
}

/** Passes `"key" :`. */
export function scanKey(window: Window): void {
  const byte = peek(window);
  if (byte !== QUOTE) throw unexpected(window, byte, 'a key in double quotes');
  scanString(window);
  const colon = peek(window);
  if (colon !== COLON) throw unexpected(window, colon, '":"');
  window.pos++;
}

export function scanScalar(window: Window, byte: number): void {
  if (byte === QUOTE) scanString(window);
  else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) scanNumber(window);
  else if (byte === 0x74) scanWord(window, 'true');
  else if (byte === 0x66) scanWord(window, 'false');
  else if (byte === 0x6e) scanWord(window, 'null');
  else throw unexpected(window, byte, 'a value');
}

/** The byte at `pos`, reading on if need be; -1 at the end. */
function current(window: Window): number {
  if (window.pos >= window.end && !window.refill()) return -1;
  return window.buffer[window.pos] as number;
}

export function scanString(window: Window): void {
  window.pos++;
  for (;;) {
    const { buffer, end } = window;
    let { pos } = window;
    while (pos < end && PLAIN[buffer[pos] as number] === 1) pos++;
    window.pos = pos;
    const byte = current(window);
    if (byte === QUOTE) {
      window.pos++;
      return;
    }
    if (byte === BACKSLASH) scanEscape(window);
    else if (byte === -1) throw unexpected(window, byte, 'the end of a string');
    else if (byte < 0x20) throw new JsonFault('a control character in a string is not escaped', window.pos);
  }
}

const SIMPLE_ESCAPES = new Set([...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0)));

function scanEscape(window: Window): void {
  window.pos++;
  const letter = current(window);
  if (SIMPLE_ESCAPES.has(letter)) {
    window.pos++;
    return;
  }
  if (letter !== 0x75) throw new JsonFault('an escape in a string is not one of JSON', window.pos);
  window.pos++;
  for (let i = 0; i < 4; i++) {
    const digit = current(window);
    const hex =
      (digit >= 0x30 && digit <= 0x39) || (digit >= 0x41 && digit <= 0x46) || (digit >= 0x61 && digit <= 0x66);
    if (!hex) throw new JsonFault('\\u in a string needs four hexadecimal digits', window.pos);
    window.pos++;
  }
}

function scanNumber(window: Window): void {
  if (current(window) === 0x2d) window.pos++;
  if (current(window) === 0x30) window.pos++;
  else scanDigits(window);
  if (current(window) === 0x2e) {
    window.pos++;
    scanDigits(window);
  }
  const exponent = current(window);
  if (exponent === 0x65 || exponent === 0x45) {
    window.pos++;
    const sign = current(window);
    if (sign === 0x2b || sign === 0x2d) window.pos++;
    scanDigits(window);
  }
}

function scanDigits(window: Window): void {
  const first = current(window);
  if (first < 0x30 || first > 0x39) throw unexpected(window, first, 'a digit');
  for (let digit = first; digit >= 0x30 && digit <= 0x39; digit = current(window)) window.pos++;
}

function scanWord(window: Window, word: string): void {
  for (let i = 0; i < word.length; i++) {
    if (current(window) !== word.charCodeAt(i)) throw unexpected(window, current(window), `"${word}"`);
    window.pos++;
  }
}

export function unexpected(window: Window, byte: number, expected: string): JsonFault {
  if (byte === -1) return new JsonFault(`it ends too early: ${expected} is missing`, window.pos);
  const found =
    byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  return new JsonFault(`${found} where ${expected} should be`, window.pos);
}

/** A fault as the error of a whole document. */
export function documentError(window: Window, fault: JsonFault): Error {
  const where = `line ${window.lineAt(fault.index)}, byte ${window.offset + fault.index}`;
  if (fault.deep) return fail('json_too_deep', `The JSON is nested more than ${MAX_DEPTH} deep (${where}).`);
  return fail('malformed_json', `The file is not valid JSON: ${fault.message} (${where}).`, {
    hint: 'Check it with a JSON validator. If each line is a JSON value of its own, name the file .ndjson.',
  });
}
