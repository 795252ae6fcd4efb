/** Protobuf's wire types; the two of groups, 3 and 4, do not exist in OTLP. */
export const VARINT = 0;
export const BITS64 = 1;
export const LENGTH = 2;
export const BITS32 = 5;

export class Malformed extends Error {
  constructor(reason: string, position: number) {
    super(`${reason} (at byte ${position})`);
    this.name = 'Malformed';
  }
}

/**
 * A place in a protobuf body. What reads moves it on, and never beyond `end`, where the message that is being read
 * ends: a length or number that would is {@link Malformed}.
 * Source: protobuf.dev/programming-guides/encoding.
 */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

/** A field's tag: its number in all bits but the last three, which hold its wire type. */
export function readTag(cursor: Cursor, end: number): number {
  const { at } = cursor;
  const tag = readShort(cursor, end);
  if (tag < 8) throw new Malformed('field number 0 does not exist', at);
  return tag;
}

/** @returns where that ends whose length stands here; the cursor is then where it begins */
export function readLength(cursor: Cursor, end: number): number {
  const { at } = cursor;
  const length = readShort(cursor, end);
  const stop = cursor.at + length;
  if (stop > end) throw new Malformed('a length reaches beyond what holds it', at);
  return stop;
}

/** A tag or length: at most 32 bits. */
function readShort(cursor: Cursor, end: number): number {
  const { at } = cursor;
  const first = at < end ? (cursor.bytes[at] as number) : 0xff;
  if (first >= 0x80) return readShortOfMany(cursor, end);
  cursor.at = at + 1;
  return first;
}

function readShortOfMany(cursor: Cursor, end: number): number {
  const start = cursor.at;
  skipVarint(cursor, end);
  if (cursor.at - start > 5) throw new Malformed('a length of more than 32 bits', start);
  let value = 0;
  for (let at = start, scale = 1; at < cursor.at; at += 1, scale *= 128) {
    value += ((cursor.bytes[at] as number) & 0x7f) * scale;
  }
  if (value > 0xffff_ffff) throw new Malformed('a length of more than 32 bits', start);
  return value;
}

/** The lower 32 bits of a varint, unsigned. */
export function readUint32(cursor: Cursor, end: number): number {
  const start = cursor.at;
  skipVarint(cursor, end);
  let value = 0;
  for (let at = start, shift = 0; at < cursor.at && shift < 32; at += 1, shift += 7) {
    value |= ((cursor.bytes[at] as number) & 0x7f) << shift;
  }
  return value >>> 0;
}

/** A varint of 64 bits, signed: a number where it has at most 49 bits, as nearly all have. */
export function readInt64(cursor: Cursor, end: number): number | bigint {
  const start = cursor.at;
  skipVarint(cursor, end);
  if (cursor.at - start > 7) return readLongInt64(cursor.bytes, start, cursor.at);
  let value = 0;
  for (let at = start, scale = 1; at < cursor.at; at += 1, scale *= 128) {
    value += ((cursor.bytes[at] as number) & 0x7f) * scale;
  }
  return value;
}

function readLongInt64(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at -= 1) value = (value << 7n) | BigInt((bytes[at] as number) & 0x7f);
  return BigInt.asIntN(64, value);
}

function skipVarint(cursor: Cursor, end: number): void {
  const start = cursor.at;
  const last = Math.min(end, start + 10);
  for (let at = start; at < last; at += 1) {
    if ((cursor.bytes[at] as number) < 0x80) {
      cursor.at = at + 1;
      return;
    }
  }
  throw new Malformed('the message ends inside a number', start);
}

/** @returns where this many bytes begin; the cursor is then behind them */
export function take(cursor: Cursor, count: number, end: number): number {
  const { at } = cursor;
  if (at + count > end) throw new Malformed('the message ends inside a number', at);
  cursor.at = at + count;
  return at;
}

export function skipScalar(cursor: Cursor, wire: number, end: number): void {
  if (wire === VARINT) skipVarint(cursor, end);
  else if (wire === BITS64) take(cursor, 8, end);
  else if (wire === BITS32) take(cursor, 4, end);
  else throw new Malformed(`wire type ${wire} does not exist in OTLP`, cursor.at);
}

export function skipField(cursor: Cursor, wire: number, end: number): void {
  if (wire === LENGTH) cursor.at = readLength(cursor, end);
  else skipScalar(cursor, wire, end);
}

/**
 * Moves to where the next field with this tag begins, over all others.
 *
 * @returns where it ends; -1 when the message has no more of them
 */
export function seek(cursor: Cursor, end: number, wanted: number): number {
  while (cursor.at < end) {
    const { at } = cursor;
    const tag = readTag(cursor, end);
    if (tag === wanted) return readLength(cursor, end);
    if (tag >>> 3 === wanted >>> 3) throw wrongWireType(tag, at);
    skipField(cursor, tag & 7, end);
  }
  return -1;
}

export function wrongWireType(tag: number, position: number): Malformed {
  return new Malformed(`field ${tag >>> 3} has wire type ${tag & 7}`, position);
}
