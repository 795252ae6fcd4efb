import { JsonFault, peek, scanValue } from './scan.ts';
import type { Window } from './window.ts';

/** A window over bytes that are all there. */
export function bufferWindow(buffer: Buffer, start = 0, end = buffer.length): Window {
  let line = 1;
  let counted = start;
  return {
    buffer,
    pos: start,
    end,
    mark: start,
    offset: 0,
    utf8: true,
    refill: () => false,
    lineAt(index) {
      for (; counted < index; counted++) if (buffer[counted] === 10) line++;
      return line;
    },
  };
}

/**
 * Whether a text begins as JSON does: `json` for one document, `ndjson` for a value per line, undefined
 * for neither. Only objects and arrays count: `42` or `"a","b"` is more likely a CSV.
 * @param complete whether `head` is the whole file
 */
export function looksLikeJson(head: Buffer, complete: boolean): 'json' | 'ndjson' | undefined {
  const start = head.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  const window = bufferWindow(head, start);
  if (!isContainer(peek(window))) return undefined;
  try {
    scanValue(window);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    // The head was cut in the middle of a sound document.
    return !complete && error.index >= head.length ? 'json' : undefined;
  }
  const first_end = window.pos;
  const next = peek(window);
  if (next === -1) return 'json';
  const on_next_line = head.subarray(first_end, window.pos).includes(10);
  return on_next_line && isContainer(next) ? 'ndjson' : undefined;
}

function isContainer(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b;
}
