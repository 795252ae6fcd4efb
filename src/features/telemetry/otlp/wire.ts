import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import {
  BITS32,
  BITS64,
  type Cursor,
  LENGTH,
  Malformed,
  readLength,
  readTag,
  skipScalar,
  VARINT,
  wrongWireType,
} from './cursor.ts';

/**
 * Checks that a protobuf body is what it says: every length ends inside its parent, every message ends exactly
 * where its length says, every known field has its wire type. protobuf-es finds bodies that end too early, but
 * reads over the end of a nested message into its siblings, and takes a field of the wrong wire type for another
 * value; both would be accepted in silence.
 *
 * @throws Malformed
 */
export function checkWire(desc: DescMessage, bytes: Uint8Array): void {
  walk(compile(desc), { bytes, at: 0 }, bytes.length, 0);
}

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

function walk(shape: Shape, cursor: Cursor, end: number, depth: number): void {
  if (depth > DEEPEST) throw new Malformed(`nested deeper than ${DEEPEST}`, cursor.at);
  while (cursor.at < end) {
    const { at } = cursor;
    const tag = readTag(cursor, end);
    const wire = tag & 7;
    const field = shape.get(tag >>> 3);
    if (field && field.wire !== wire && !(field.packed && wire === LENGTH)) throw wrongWireType(tag, at);
    if (wire !== LENGTH) {
      skipScalar(cursor, wire, end);
      continue;
    }
    const stop = readLength(cursor, end);
    if (field?.message) walk(field.message, cursor, stop, depth + 1);
    else if (field?.packed) checkPacked(field.wire, cursor, stop);
    cursor.at = stop;
  }
}

function checkPacked(wire: number, cursor: Cursor, end: number): void {
  while (cursor.at < end) skipScalar(cursor, wire, end);
}
