import { isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import { fail } from '#kernel/errors.ts';

const CHUNK = 256 * 1024;

/**
 * A sliding view of a file. Everything from `mark` on is kept when more is read, so that one record is
 * always contiguous; before it bytes are forgotten: memory is that of the largest record. Reads are
 * synchronous on purpose: a reader child does nothing else, and the scanner's inner loops stay plain.
 */
export interface Window {
  buffer: Buffer;
  /** Next byte to look at, and the end of what is read, as indexes into `buffer`. */
  pos: number;
  end: number;
  mark: number;
  /** Position in the file of `buffer[0]`. */
  offset: number;
  /** False once bytes were met that are not UTF-8. */
  utf8: boolean;
  /** Reads more; false at the end of the file. @throws value_too_large */
  refill(): boolean;
  /** 1-based line of an index at or after the last one asked for. */
  lineAt(index: number): number;
}

export interface WindowOptions {
  start?: number;
  /** Exclusive. */
  end?: number;
  chunk?: number;
  max_record_bytes: number;
}

export function openWindow(descriptor: number, options: WindowOptions): Window {
  const chunk = options.chunk ?? CHUNK;
  const limit = options.end ?? Number.POSITIVE_INFINITY;
  let position = options.start ?? 0;
  let line = 1;
  let counted = 0;
  const window: Window = {
    buffer: Buffer.allocUnsafe(chunk),
    pos: 0,
    end: 0,
    mark: 0,
    offset: position,
    utf8: true,
    refill() {
      if (counted < window.mark) window.lineAt(window.mark);
      forget(window);
      counted -= window.offset - lastOffset;
      lastOffset = window.offset;
      const wanted = Math.min(window.buffer.length - window.end, limit - position);
      const read = wanted > 0 ? readSync(descriptor, window.buffer, window.end, wanted, position) : 0;
      if (window.utf8) window.utf8 = stillUtf8(window, read);
      position += read;
      window.end += read;
      return read > 0;
    },
    lineAt(index) {
      for (let at = newline(window, counted, index); at >= 0; at = newline(window, at + 1, index)) line += 1;
      counted = Math.max(counted, index);
      return line;
    },
  };
  let lastOffset = window.offset;

  function forget(view: Window): void {
    if (view.mark > 0) {
      view.buffer.copyWithin(0, view.mark, view.end);
      view.offset += view.mark;
      view.pos -= view.mark;
      view.end -= view.mark;
      view.mark = 0;
    }
    if (view.end < view.buffer.length) return;
    if (view.end >= options.max_record_bytes) {
      throw fail('value_too_large', `A record is larger than ${options.max_record_bytes} bytes.`, {
        hint: 'Split the file into smaller records, or raise the limit.',
      });
    }
    const larger = Buffer.allocUnsafe(Math.min(view.buffer.length * 2, options.max_record_bytes));
    view.buffer.copy(larger, 0, 0, view.end);
    view.buffer = larger;
  }
  return window;
}

function newline(window: Window, from: number, before: number): number {
  if (from >= before) return -1;
  const at = window.buffer.indexOf(10, from);
  return at >= 0 && at < before ? at : -1;
}

/** Checks what was read together with the up to three bytes before it that may begin a character. */
function stillUtf8(window: Window, read: number): boolean {
  const { buffer } = window;
  const end = window.end + read;
  const from = boundary(buffer, window.end);
  const until = read === 0 ? end : boundary(buffer, end);
  return until <= from || isUtf8(buffer.subarray(from, until));
}

/** The start of the character that is unfinished at `end`, or `end` itself (RFC 3629). */
function boundary(buffer: Buffer, end: number): number {
  for (let back = 1; back <= 3 && end - back >= 0; back++) {
    const byte = buffer[end - back] ?? 0;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? end - back : end;
    }
  }
  return end;
}
