import { fail } from '#kernel/errors.ts';
import type { Position } from '../reader.ts';

export function encodePosition({ ns, key }: Position): string {
  return Buffer.from(`${ns}.${key}`).toString('base64url');
}

const POSITION = /^(\d{1,19})\.([0-9a-f]{32})$/;

/** @throws bad_cursor */
export function decodePosition(text: string): Position {
  const match = POSITION.exec(Buffer.from(text, 'base64url').toString());
  if (!match) throw fail('bad_cursor', 'The cursor is not one that this search gave.');
  return { ns: BigInt(match[1] as string), key: match[2] as string };
}
