import { fail } from '#kernel/errors.ts';

/** Inclusive bounds of one byte range. */
export interface Span {
  start: number;
  end: number;
}

const ONE_RANGE = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/;

/**
 * One byte range of an object of `size` bytes; undefined means "send it all": no header, another
 * unit, nonsense, or several ranges (a server may ignore those, RFC 9110 §14.2).
 * @throws range_not_satisfiable
 */
export function parseRange(header: string | undefined, size: number): Span | undefined {
  const match = ONE_RANGE.exec(header?.trim() ?? '');
  if (!match) return undefined;
  const [, from, to, suffix] = match;
  if (suffix !== undefined) {
    if (Number(suffix) === 0 || size === 0) throw unsatisfiable(size);
    return { start: Math.max(0, size - Number(suffix)), end: size - 1 };
  }
  const start = Number(from);
  if (to !== undefined && Number(to) < start) return undefined;
  if (start >= size) throw unsatisfiable(size);
  return { start, end: to === undefined ? size - 1 : Math.min(Number(to), size - 1) };
}

function unsatisfiable(size: number): Error {
  return fail('range_not_satisfiable', `The object has ${size} bytes; the range asked for lies outside of them.`);
}

export interface Validators {
  etag: string;
  modified_at: Date;
}

/** RFC 9110 §13.1.5: the range counts only while the object is the one the client has a part of. */
export function ifRangeHolds(header: string | undefined, object: Validators): boolean {
  if (header === undefined) return true;
  const value = header.trim();
  if (value.startsWith('W/')) return false;
  if (value.startsWith('"')) return value === object.etag;
  return Date.parse(value) === Math.floor(object.modified_at.getTime() / 1000) * 1000;
}

/** RFC 9110 §13.1.2, weak comparison. */
export function noneMatchHits(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
