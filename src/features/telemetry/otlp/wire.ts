import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';

/**
 * Checks that a protobuf body is what it says: every length ends inside its parent, every message ends exactly
 * where its length says, every known field has its wire type. protobuf-es finds bodies that end too early, but
 * reads over the end of a nested message into its siblings, and takes a field of the wrong wire type for another
 * value; both would be accepted in silence.
 * Source: protobuf.dev/programming-guides/encoding.
 *
 * @throws Malformed
 */
export function checkWire(desc: DescMessage, bytes: Uint8Array): void {
  const end = walk(compile(desc), bytes, 0, bytes.length, 0);
  if (end !== bytes.length) throw new Malformed('the message ends elsewhere than its last field', end);
}

export class Malformed extends Error {
  constructor(reason: string, position: number) {
    super(`${reason} (at byte ${position})`);
    this.name = 'Malformed';
  }
}

const VARINT = 0;
const BITS64 = 1;
const LENGTH = 2;
const BITS32 = 5;
const DEEPEST = 100;

interface Field {
  wire: number;
  /** A repeated number may also come packed. */
  packed: boolean;
  message: Shape | null;
}
type Shape = Map<number, Field>;

const shapes = new WeakMap<DescMessage, Shape>();

function compile(desc: DescMessage): Shape {
  const known = shapes.get(desc);
  if (known) return known;
  const shape: Shape = new Map();
  shapes.set(desc, shape);
  for (const field of desc.fields) shape.set(field.number, compileField(field));
  return shape;
}

function compileField(field: DescField): Field {
  if (field.message) return { wire: LENGTH, packed: false, message: compile(field.message) };
  const wire = wireOf(field.scalar);
  return { wire, packed: field.fieldKind === 'list' && wire !== LENGTH, message: null };
}

function wireOf(scalar: ScalarType | undefined): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return LENGTH;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return BITS64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return BITS32;
    default:
      return VARINT;
  }
}

function walk(shape: Shape, bytes: Uint8Array, start: number, end: number, depth: number): number {
  if (depth > DEEPEST) throw new Malformed(`nested deeper than ${DEEPEST}`, start);
  let at = start;
  while (at < end) {
    const tagAt = at;
    const tagEnd = skipVarint(bytes, at, end);
    const tag = varint(bytes, at, tagEnd);
    at = tagEnd;
    const wire = tag & 7;
    const field = shape.get(tag >>> 3);
    if (field && field.wire !== wire && !(field.packed && wire === LENGTH)) {
      throw new Malformed(`field ${tag >>> 3} has wire type ${wire}`, tagAt);
    }
    if (wire === LENGTH) {
      const lengthEnd = skipVarint(bytes, at, end);
      const length = varint(bytes, at, lengthEnd);
      at = lengthEnd + length;
      if (at > end) throw new Malformed(`field ${tag >>> 3} is longer than what holds it`, tagAt);
      if (field?.message) walk(field.message, bytes, lengthEnd, at, depth + 1);
      else if (field?.packed) checkPacked(field.wire, bytes, lengthEnd, at);
    } else {
      at = skipScalar(wire, bytes, at, end);
    }
  }
  return at;
}

function skipScalar(wire: number, bytes: Uint8Array, at: number, end: number): number {
  const next = wire === VARINT ? skipVarint(bytes, at, end) : wire === BITS64 ? at + 8 : wire === BITS32 ? at + 4 : -1;
  if (next === -1) throw new Malformed(`wire type ${wire} does not exist in OTLP`, at);
  if (next > end) throw new Malformed('the message ends inside a number', at);
  return next;
}

function checkPacked(wire: number, bytes: Uint8Array, start: number, end: number): void {
  let at = start;
  while (at < end) at = skipScalar(wire, bytes, at, end);
}

function skipVarint(bytes: Uint8Array, at: number, end: number): number {
  for (let next = at; next < end && next < at + 10; next += 1) {
    if ((bytes[next] as number) < 0x80) return next + 1;
  }
  throw new Malformed('the message ends inside a number', at);
}

/** A tag or length: at most 32 bits. */
function varint(bytes: Uint8Array, at: number, end: number): number {
  if (end - at > 5) throw new Malformed('a length of more than 32 bits', at);
  let value = 0;
  for (let index = at, scale = 1; index < end; index += 1, scale *= 128) {
    value += ((bytes[index] as number) & 0x7f) * scale;
  }
  if (value > 0xffff_ffff) throw new Malformed('a length of more than 32 bits', at);
  return value;
}
