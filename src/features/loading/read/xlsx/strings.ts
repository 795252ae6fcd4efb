import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { fail } from '#kernel/errors.ts';

/** Kept in memory up to here; a workbook of 200,000 rows of names stays far below. */
const MEMORY_CHARACTERS = 16 * 1024 * 1024;
const MAX_STRINGS = 50_000_000;
const BLOCK = 64 * 1024;

/** The shared strings of a workbook, by index. Large ones live in a file: a bomb of them costs disk, not memory. */
export interface SharedStrings {
  add(text: string): void;
  /** Undefined when there is no such string. */
  get(index: number): string | undefined;
  close(): void;
}

export function createSharedStrings(path: string, memory_characters = MEMORY_CHARACTERS): SharedStrings {
  const strings: string[] = [];
  let characters = 0;
  let spilled: SpilledStrings | undefined;
  return {
    add(text) {
      if (spilled) return spilled.add(text);
      characters += text.length + 16;
      if (characters <= memory_characters) strings.push(text);
      else {
        spilled = createSpilled(path, strings.length);
        spilled.add(text);
      }
    },
    get: (index) => (index < strings.length ? strings[index] : spilled?.get(index)),
    close: () => spilled?.close(),
  };
}

interface SpilledStrings {
  add(text: string): void;
  get(index: number): string | undefined;
  close(): void;
}

/** Strings one after the other in a file; sheets mostly refer to them in order, so one block is remembered. */
function createSpilled(path: string, first: number): SpilledStrings {
  const descriptor = openSync(path, 'wx+', 0o600);
  let ends = new Float64Array(1024);
  let count = 0;
  let written = 0;
  let pending: Buffer[] = [];
  let pending_bytes = 0;
  let block = Buffer.alloc(0);
  let block_start = 0;

  const flush = (): void => {
    const bytes = Buffer.concat(pending);
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    pending = [];
    pending_bytes = 0;
  };
  const slice = (start: number, end: number): string => {
    if (start < block_start || end > block_start + block.length) {
      block = Buffer.alloc(Math.max(BLOCK, end - start));
      block_start = start;
      block = block.subarray(0, readSync(descriptor, block, 0, block.length, start));
    }
    return block.toString('utf8', start - block_start, end - block_start);
  };

  return {
    add(text) {
      if (count + first >= MAX_STRINGS) throw fail('decompression_bomb', 'The workbook has too many shared strings.');
      if (count === ends.length) {
        const larger = new Float64Array(ends.length * 2);
        larger.set(ends);
        ends = larger;
      }
      const bytes = Buffer.from(text, 'utf8');
      pending.push(bytes);
      pending_bytes += bytes.length;
      written += bytes.length;
      ends[count++] = written;
      if (pending_bytes > BLOCK) flush();
    },
    get(index) {
      const at = index - first;
      const end = at < count ? ends[at] : undefined;
      if (end === undefined) return undefined;
      if (pending_bytes > 0) flush();
      return slice(at === 0 ? 0 : (ends[at - 1] ?? 0), end);
    },
    close: () => closeSync(descriptor),
  };
}
