import { integer, type Json } from './attributes.ts';
import {
  BITS64,
  LENGTH,
  readInt64,
  readLength,
  readTag,
  seek,
  skipField,
  take,
  VARINT,
  wrongWireType,
} from './cursor.ts';
import { PROMOTED, type Promoted } from './flatten-spans.ts';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  textSince,
  writeAscii,
  writeByte,
  writeRaw,
  writeString,
} from './json-text.ts';
import { type Origin, WORKSPACE } from './origin.ts';
import { bitOf, FEW_NAMES, meet, type Pair, type Reading, same, textAt, Uncommon } from './reading.ts';

/** What a span's own attributes say besides their JSON; the next span fills the same. */
export interface Promotion {
  readonly origin: Origin;
  promoted: Promoted;
  /** Whose the span is. */
  workspace_id: string | null;
}

/** Every name, so that all such objects are of one shape. */
const NOTHING_PROMOTED = Object.fromEntries(PROMOTED.map((name) => [name, undefined])) as Promoted;

export function promotionFor(origin: Origin): Promotion {
  return { origin, promoted: NOTHING_PROMOTED, workspace_id: origin.ownerOf(undefined) };
}

/** As if a span had no attributes. */
export function clearPromotion(promotion: Promotion): void {
  promotion.promoted = NOTHING_PROMOTED;
  promotion.workspace_id = promotion.origin.ownerOf(undefined);
}

/** Deeper values are read the generic way, which knows how deep is too deep. */
const DEEPEST_VALUE = 16;

/**
 * Writes KeyValues as the JSON object that `JSON.stringify(attributesOf(…))` makes of them.
 *
 * @param end of the message that holds them, each with this tag; the cursor is in it, before the first of them
 * @param promotion filled, if these are a span's own attributes
 */
export function writeAttributes(
  reading: Reading,
  end: number,
  tag: number,
  depth: number,
  promotion: Promotion | null,
): void {
  const start = reading.at;
  const asSent = keepTheirOrder(reading, end, tag);
  reading.at = start;
  if (asSent) writeInOrder(reading, end, tag, depth, promotion);
  else writeByKey(reading, end, tag, depth, promotion);
}

/**
 * Whether an object keeps these names in the order in which they were sent: none stands twice, and none is an integer,
 * which JavaScript puts first.
 */
function keepTheirOrder(reading: Reading, end: number, tag: number): boolean {
  const { bytes, names } = reading;
  let count = 0;
  for (let stop = seek(reading, end, tag); stop !== -1; stop = seek(reading, end, tag)) {
    const { keyStart, keyEnd } = readPair(reading, stop);
    const length = keyEnd - keyStart;
    if (count === 2 * FEW_NAMES || (length > 0 && isDigit(bytes[keyStart] as number))) return false;
    for (let index = 0; index < count; index += 2) {
      if (names[index] === length && same(bytes, names[index + 1] as number, keyStart, length)) return false;
    }
    names[count] = length;
    names[count + 1] = keyStart;
    count += 2;
  }
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function writeInOrder(reading: Reading, end: number, tag: number, depth: number, promotion: Promotion | null): void {
  const { bytes, json } = reading;
  let separator = OPEN_OBJECT;
  for (let stop = seek(reading, end, tag); stop !== -1; stop = seek(reading, end, tag)) {
    const pair = readPair(reading, stop);
    writeByte(json, separator);
    separator = COMMA;
    writeString(json, bytes, pair.keyStart, pair.keyEnd);
    writeByte(json, COLON);
    writePairValue(reading, pair, depth, promotion);
    reading.at = stop;
  }
  if (separator === OPEN_OBJECT) writeByte(json, OPEN_OBJECT);
  writeByte(json, CLOSE_OBJECT);
}

/** By way of an object of the values' JSON, which gives them the order that the generic way gives them. */
function writeByKey(reading: Reading, end: number, tag: number, depth: number, promotion: Promotion | null): void {
  const { json } = reading;
  const values: { [key: string]: string } = Object.create(null);
  const from = json.at;
  for (let stop = seek(reading, end, tag); stop !== -1; stop = seek(reading, end, tag)) {
    const pair = readPair(reading, stop);
    const key = textAt(reading, pair.keyStart, pair.keyEnd);
    writePairValue(reading, pair, depth, promotion);
    values[key] = textSince(json, from);
    json.at = from;
    reading.at = stop;
  }
  let separator = OPEN_OBJECT;
  for (const [key, value] of Object.entries(values)) {
    writeByte(json, separator);
    separator = COMMA;
    writeRaw(json, JSON.stringify(key));
    writeByte(json, COLON);
    writeRaw(json, value);
  }
  writeByte(json, CLOSE_OBJECT);
}

const KEY = (1 << 3) | LENGTH;
const VALUE = (2 << 3) | LENGTH;
const OF_PAIR = bitOf(KEY) | bitOf(VALUE);

/** @returns the pair that the reading keeps for this */
function readPair(reading: Reading, end: number): Pair {
  const { pair } = reading;
  pair.keyStart = pair.keyEnd = pair.valueStart = pair.valueEnd = 0;
  let met = 0;
  while (reading.at < end) {
    const { at } = reading;
    const tag = readTag(reading, end);
    met = meet(met, tag, OF_PAIR);
    if (tag === KEY) {
      pair.keyEnd = readLength(reading, end);
      pair.keyStart = reading.at;
      reading.at = pair.keyEnd;
    } else if (tag === VALUE) {
      pair.valueEnd = readLength(reading, end);
      pair.valueStart = reading.at;
      reading.at = pair.valueEnd;
    } else if ((bitOf(tag) & OF_PAIR) !== 0) throw wrongWireType(tag, at);
    else skipField(reading, tag & 7, end);
  }
  return pair;
}

function writePairValue(reading: Reading, pair: Pair, depth: number, promotion: Promotion | null): void {
  const { keyStart, keyEnd, valueStart, valueEnd } = pair;
  const from = reading.json.at;
  reading.at = valueStart;
  writeValue(reading, valueEnd, depth);
  const name = promotion && promotedAt(reading.bytes, keyStart, keyEnd);
  if (!name) return;
  const value = writtenValue(reading, valueStart, valueEnd, from);
  if (name === WORKSPACE) claim(reading, promotion, value, from);
  else promote(promotion, name, value);
}

function promote(promotion: Promotion, name: keyof Promoted, value: Json): void {
  if (promotion.promoted === NOTHING_PROMOTED) promotion.promoted = { ...NOTHING_PROMOTED };
  promotion.promoted[name] = value;
}

/** Whose the span is; the answer also replaces what the attribute says. */
function claim({ json }: Reading, promotion: Promotion, said: Json, from: number): void {
  promotion.workspace_id = promotion.origin.ownerOf(said);
  if (promotion.workspace_id === null) return;
  json.at = from;
  writeRaw(json, JSON.stringify(promotion.workspace_id));
}

type PromotedName = keyof Promoted | typeof WORKSPACE;

const BY_LENGTH: { name: PromotedName; bytes: Buffer }[][] = [];
for (const name of [...PROMOTED, WORKSPACE] as const) {
  const bytes = Buffer.from(name);
  BY_LENGTH[bytes.length] = [...(BY_LENGTH[bytes.length] ?? []), { name, bytes }];
}

function promotedAt(bytes: Buffer, start: number, end: number): PromotedName | null {
  const candidates = BY_LENGTH[end - start];
  if (candidates === undefined) return null;
  for (const { name, bytes: wanted } of candidates) {
    let index = wanted.length - 1;
    while (index >= 0 && wanted[index] === bytes[start + index]) index -= 1;
    if (index < 0) return name;
  }
  return null;
}

/** The value that was written last, since `from`. */
function writtenValue(reading: Reading, start: number, end: number, from: number): Json {
  reading.at = start;
  if (start < end && reading.bytes[start] === STRING) {
    reading.at = start + 1;
    const stop = readLength(reading, end);
    if (stop === end) return textAt(reading, reading.at, stop);
  }
  return JSON.parse(textSince(reading.json, from));
}

const STRING = (1 << 3) | LENGTH;
const BOOL = (2 << 3) | VARINT;
const INT = (3 << 3) | VARINT;
const DOUBLE = (4 << 3) | BITS64;
const ARRAY = (5 << 3) | LENGTH;
const KVLIST = (6 << 3) | LENGTH;
const BYTES = (7 << 3) | LENGTH;
const OF_VALUE = [STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES].reduce((bits, tag) => bits | bitOf(tag), 0);

/** Writes an AnyValue, which ends at `end`. */
function writeValue(reading: Reading, end: number, depth: number): void {
  if (depth > DEEPEST_VALUE) throw new Uncommon('deeply nested');
  let written = false;
  while (reading.at < end) {
    const { at } = reading;
    const tag = readTag(reading, end);
    if ((bitOf(tag) & OF_VALUE) === 0) {
      skipField(reading, tag & 7, end);
      continue;
    }
    if (written) throw new Uncommon('two values in one');
    written = true;
    if ((tag & 7) === LENGTH) writeLengthy(reading, tag, end, depth, at);
    else writeScalar(reading, tag, end, at);
  }
  if (!written) writeAscii(reading.json, 'null');
}

function writeLengthy(reading: Reading, tag: number, end: number, depth: number, tagAt: number): void {
  const { bytes, json } = reading;
  const stop = readLength(reading, end);
  if (tag === STRING) writeString(json, bytes, reading.at, stop);
  else if (tag === ARRAY) writeArray(reading, stop, depth + 1);
  else if (tag === KVLIST) writeAttributes(reading, stop, LIST_ITEM, depth + 1, null);
  else if (tag === BYTES) writeAscii(json, `"${bytes.toString('base64', reading.at, stop)}"`);
  else throw wrongWireType(tag, tagAt);
  reading.at = stop;
}

function writeScalar(reading: Reading, tag: number, end: number, tagAt: number): void {
  const { json } = reading;
  if (tag === INT) {
    const value = readInt64(reading, end);
    writeAscii(json, typeof value === 'number' ? String(value) : JSON.stringify(integer(value)));
  } else if (tag === BOOL) writeAscii(json, Number(readInt64(reading, end)) === 0 ? 'false' : 'true');
  else if (tag === DOUBLE) {
    const value = reading.view.getFloat64(take(reading, 8, end), true);
    writeAscii(json, Number.isFinite(value) ? String(value) : `"${value}"`);
  } else throw wrongWireType(tag, tagAt);
}

/** The one field of ArrayValue and KeyValueList. */
const LIST_ITEM = (1 << 3) | LENGTH;

function writeArray(reading: Reading, end: number, depth: number): void {
  const { json } = reading;
  let separator = OPEN_ARRAY;
  for (let stop = seek(reading, end, LIST_ITEM); stop !== -1; stop = seek(reading, end, LIST_ITEM)) {
    writeByte(json, separator);
    separator = COMMA;
    writeValue(reading, stop, depth);
    reading.at = stop;
  }
  if (separator === OPEN_ARRAY) writeByte(json, OPEN_ARRAY);
  writeByte(json, CLOSE_ARRAY);
}
