import { createHash } from 'node:crypto';
import { fail } from '#kernel/errors.ts';
import type { Position } from '#platform/lake/view.ts';

/** Where a page ended; opaque to callers. Nothing in it is trusted: it only ever becomes parameters. */
export interface Cursor {
  version: number;
  /** What was asked: another question cannot go on from here. */
  question: string;
  position: Position;
  /** The last row's values of the columns in `order`, as text; null for NULL. */
  keys: (string | null)[];
  /** Rows before the next page. */
  offset: number;
}

/** A short digest of dataset, filters and order. */
export function questionOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16);
}

export function writeCursor({ version, question, position, keys, offset }: Cursor): string {
  return Buffer.from(JSON.stringify([version, question, position.segment, position.row, offset, ...keys])).toString(
    'base64url',
  );
}

/** @throws bad_cursor */
export function readCursor(text: string): Cursor {
  const parts = parse(text);
  const [version, question, segment, row, offset, ...keys] = parts;
  const valid =
    [version, segment, row, offset].every((each) => Number.isSafeInteger(each) && (each as number) >= 0) &&
    typeof question === 'string' &&
    keys.every((key) => key === null || typeof key === 'string');
  if (!valid) throw badCursor();
  return {
    version: version as number,
    question: question as string,
    position: { segment: segment as number, row: row as number },
    keys: keys as (string | null)[],
    offset: offset as number,
  };
}

export function badCursor(): Error {
  return fail('bad_cursor', 'The cursor does not belong to this request.', {
    hint: 'Take next_cursor as it was answered, and keep where and order as they were.',
  });
}

function parse(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parsed)) return parsed;
  } catch {
    // answered below
  }
  throw badCursor();
}
