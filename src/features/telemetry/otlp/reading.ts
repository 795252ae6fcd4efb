import { type Cursor, readLength } from './cursor.ts';
import { emptyJson, type JsonText, utf8At } from './json-text.ts';

/** What the reading of one export keeps at hand: its place in the body, and what it can use again. */
export interface Reading extends Cursor {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly json: JsonText;
  readonly texts: Memory;
  readonly ids: Memory;
  /** The KeyValue that is being read. */
  readonly pair: Pair;
  /** The lengths and places of the names that were met in an object, alternately. */
  readonly names: Int32Array;
}

/** Where a KeyValue's parts are; what is not there is empty. */
export interface Pair {
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** Names of an object that are compared with each other. */
export const FEW_NAMES = 32;

/**
 * A shape that is well-formed but that no exporter sends, such as a field that stands twice where one belongs: the
 * generic way reads it.
 */
export class Uncommon extends Error {}

export function readingOf(body: Uint8Array): Reading {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return {
    bytes,
    at: 0,
    view: new DataView(body.buffer, body.byteOffset, body.byteLength),
    json: emptyJson(),
    texts: emptyMemory(),
    ids: emptyMemory(),
    pair: { keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: 0 },
    names: new Int32Array(2 * FEW_NAMES),
  };
}

/**
 * Notes that a field was met, as a bit of its number.
 *
 * @param once the fields that a message has at most once, as such bits
 * @returns the fields met so far
 * @throws Uncommon one of those was met already: it replaces the first, or is merged into it
 */
export function meet(met: number, tag: number, once: number): number {
  const bit = bitOf(tag);
  if ((met & bit & once) !== 0) throw new Uncommon(`field ${tag >>> 3} stands twice`);
  return met | bit;
}

/** The bit of a tag's number; numbers above 31, which OTLP's messages of traces do not have, have none. */
export function bitOf(tag: number): number {
  return tag < 256 ? 1 << (tag >>> 3) : 0;
}

/** What some bytes of the body became: names and ids stand in many spans, and are made once. */
interface Memory {
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly made: string[];
}

const SLOTS = 256;
/** Longer texts seldom come again, and cost more to compare. */
const LONGEST = 64;

function emptyMemory(): Memory {
  return {
    starts: new Int32Array(SLOTS),
    lengths: new Int32Array(SLOTS),
    made: new Array<string>(SLOTS).fill(''),
  };
}

/** @throws Malformed it is not UTF-8 */
export function textAt({ bytes, texts }: Reading, start: number, end: number): string {
  return end - start > LONGEST ? utf8At(bytes, start, end) : remembered(texts, bytes, start, end, utf8At);
}

function idAt({ bytes, ids }: Reading, start: number, end: number, length: 8 | 16): string | null {
  if (end - start !== length) return null;
  for (let at = start; bytes[at] === 0; at += 1) if (at === end - 1) return null;
  return remembered(ids, bytes, start, end, hexAt);
}

/** A field of text, which begins here. */
export function readText(reading: Reading, end: number): string {
  const stop = readLength(reading, end);
  const text = textAt(reading, reading.at, stop);
  reading.at = stop;
  return text;
}

/** A field of an id, which begins here. As hex; null when it is not as long as it must be, or all zero (invalid by the specification). */
export function readId(reading: Reading, end: number, length: 8 | 16): string | null {
  const stop = readLength(reading, end);
  const id = idAt(reading, reading.at, stop, length);
  reading.at = stop;
  return id;
}

function hexAt(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('hex', start, end);
}

type Make = (bytes: Buffer, start: number, end: number) => string;

/** A slot keeps what came last; two that share one only make each other again. */
function remembered({ starts, lengths, made }: Memory, bytes: Buffer, start: number, end: number, make: Make): string {
  const length = end - start;
  if (length === 0) return '';
  const ends = (bytes[start] as number) + 31 * (bytes[end - 1] as number);
  const slot = (length + 7 * ends + 61 * (bytes[start + (length >> 1)] as number)) % SLOTS;
  if (lengths[slot] !== length || !same(bytes, starts[slot] as number, start, length)) {
    made[slot] = make(bytes, start, end);
    starts[slot] = start;
    lengths[slot] = length;
  }
  return made[slot] as string;
}

/** Whether two places hold the same bytes; from their ends, because attributes' names begin alike. */
export function same(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  for (let index = length - 1; index >= 0; index -= 1) {
    if (bytes[one + index] !== bytes[other + index]) return false;
  }
  return true;
}
