import { peek, scanKey, scanValue, unexpected } from './scan.ts';
import type { Window } from './window.ts';

/** Levels of objects that are looked into for rows, and members of each that are remembered. */
const MAX_LEVELS = 3;
const MAX_MEMBERS = 10_000;

/** What a document looks like from afar: enough to say where its rows are, never their values. */
export type Outline =
  | { kind: 'scalar'; start: number; end: number; text?: string }
  | { kind: 'array'; start: number; end: number; count: number; holds: Holds }
  | {
      kind: 'object';
      start: number;
      end: number;
      count: number;
      holds: Holds;
      /** Absent when there are too many of them, or they are too deep. */
      members?: Map<string, Outline>;
      /** Equal for two objects with the same keys in the same order. */
      key_hash: number;
      /** All keys are decimal integers. */
      integer_keys: boolean;
      /** They are 0, 1, 2 … */
      counted_keys: boolean;
    };

/** What kinds of values are directly inside. */
export interface Holds {
  objects: number;
  arrays: number;
  scalars: number;
}

/**
 * Passes one value and outlines it; positions are those of the file. Arrays are passed without being kept:
 * memory does not grow with them.
 * @throws JsonFault
 */
export function outline(window: Window, level = 0): Outline {
  const byte = peek(window);
  const start = window.offset + window.pos;
  if (byte === 0x7b) return outlineObject(window, start, level);
  if (byte === 0x5b) return outlineArray(window, start);
  window.mark = window.pos;
  scanValue(window);
  const text = window.buffer.toString('utf8', window.mark, Math.min(window.pos, window.mark + 64));
  return { kind: 'scalar', start, end: window.offset + window.pos, text };
}

function outlineArray(window: Window, start: number): Outline {
  const holds: Holds = { objects: 0, arrays: 0, scalars: 0 };
  let count = 0;
  for (const byte of elements(window)) {
    hold(holds, byte);
    count++;
    scanValue(window);
  }
  return { kind: 'array', start, end: window.offset + window.pos, count, holds };
}

/**
 * Walks an array's elements: yields the first byte of each, and expects it to be passed before it goes on.
 * Before each the mark is set, so that an element is contiguous in the window once it is passed.
 */
export function* elements(window: Window): Generator<number> {
  window.pos++;
  let byte = peek(window);
  if (byte === 0x5d) {
    window.pos++;
    return;
  }
  for (;;) {
    byte = peek(window);
    window.mark = window.pos;
    yield byte;
    const next = peek(window);
    if (next !== 0x2c && next !== 0x5d) throw unexpected(window, next, '"," or "]"');
    window.pos++;
    if (next === 0x5d) return;
  }
}

/** Walks an object's members likewise: yields each key, the window stands at its value. */
export function* members(window: Window): Generator<string> {
  window.pos++;
  if (peek(window) === 0x7d) {
    window.pos++;
    return;
  }
  for (;;) {
    peek(window);
    window.mark = window.pos;
    scanKey(window);
    yield keyText(window);
    const next = peek(window);
    if (next !== 0x2c && next !== 0x7d) throw unexpected(window, next, '"," or "}"');
    window.pos++;
    if (next === 0x7d) return;
  }
}

function keyText(window: Window): string {
  const end = window.buffer.lastIndexOf(0x22, window.pos - 1);
  return JSON.parse(window.buffer.toString('utf8', window.mark, end + 1)) as string;
}

function outlineObject(window: Window, start: number, level: number): Outline {
  const holds: Holds = { objects: 0, arrays: 0, scalars: 0 };
  const found = new Map<string, Outline>();
  let count = 0;
  let key_hash = 0x811c9dc5;
  let integer_keys = true;
  let counted_keys = true;
  for (const key of members(window)) {
    const byte = peek(window);
    hold(holds, byte);
    counted_keys &&= key === String(count);
    count++;
    key_hash = hash(key, key_hash);
    integer_keys &&= /^(0|[1-9]\d{0,15})$/.test(key);
    window.mark = window.pos;
    if (level < MAX_LEVELS && count <= MAX_MEMBERS) found.set(key, outline(window, level + 1));
    else scanValue(window);
  }
  const all = level < MAX_LEVELS && count <= MAX_MEMBERS;
  const end = window.offset + window.pos;
  return {
    kind: 'object',
    start,
    end,
    count,
    holds,
    key_hash,
    integer_keys,
    counted_keys,
    ...(all ? { members: found } : {}),
  };
}

function hold(holds: Holds, byte: number): void {
  if (byte === 0x7b) holds.objects++;
  else if (byte === 0x5b) holds.arrays++;
  else holds.scalars++;
}

/** FNV-1a over the UTF-16 units, with a separator. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let i = 0; i <= text.length; i++) {
    value = Math.imul(value ^ (i === text.length ? 0x10000 : text.charCodeAt(i)), 0x01000193);
  }
  return value >>> 0;
}
