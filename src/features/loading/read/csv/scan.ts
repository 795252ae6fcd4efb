import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { createLineCounter, type LineCounter } from './line-counter.ts';

export interface ScanOptions {
  /** Where the first record begins. */
  offset: number;
  /** Byte of the quote; -1: nothing is quoted. */
  quote: number;
  /** The header line as it is written, to be looked for: its return means that files were pasted together. */
  header: Buffer | undefined;
  signal: AbortSignal;
  onProgress(bytes: number, records: number): void;
}

export interface Scan {
  records: number;
  /** Every record is one line and every line a record, so a line number follows from a position. */
  plain: boolean;
  /** Why it is not plain. */
  reason?: 'multi-line records' | 'blank lines' | 'the header comes again' | 'stopped';
}

const CHUNK = 2 ** 20;

/**
 * Counts the records of a file independently of the reader that loads it: line ends outside quotes.
 * Stops at the first thing that needs the careful reader. Runs beside DuckDB, whose threads do not
 * use this one. Quotes are followed by parity, which stray quotes upset: then the count differs from
 * the loader's and the careful reader decides.
 */
export async function scanRecords(path: string, options: ScanOptions): Promise<Scan> {
  const file = openSync(path, 'r');
  const state: State = { records: 0, quoted: false, lineStart: true, blanks: 0, reason: undefined };
  const counter = createLineCounter(CHUNK);
  let before: [number, number] = [10, 10];
  let tail = Buffer.alloc(0);
  let position = options.offset;
  try {
    for (;;) {
      const got = readSync(file, counter.chunk, 0, CHUNK, position);
      if (got === 0) break;
      position += got;
      const text = counter.chunk.subarray(0, got);
      look(state, counter, text, before, options.quote);
      if (options.header && repeats(Buffer.concat([tail, text]), options.header))
        state.reason = 'the header comes again';
      if (state.reason) return { records: state.records, plain: false, reason: state.reason };
      before = [text[got - 2] ?? before[1], text[got - 1] ?? 10];
      if (options.header) tail = Buffer.from(text.subarray(Math.max(0, got - options.header.length)));
      options.onProgress(position, state.records);
      await breathe();
      if (options.signal.aborted) return { records: state.records, plain: false, reason: 'stopped' };
    }
  } finally {
    closeSync(file);
  }
  if (!state.lineStart) state.records += 1;
  return { records: state.records, plain: !state.quoted };
}

/** The header line itself, on a line of its own. */
function repeats(text: Buffer, header: Buffer): boolean {
  for (let at = text.indexOf(header); at >= 0; at = text.indexOf(header, at + 1)) {
    const after = text[at + header.length];
    if ((at === 0 || text[at - 1] === 10) && (after === undefined || after === 10 || after === 13)) return true;
  }
  return false;
}

interface State {
  records: number;
  quoted: boolean;
  lineStart: boolean;
  /** Blank lines that may turn out to be the file's end. */
  blanks: number;
  reason: Scan['reason'] | undefined;
}

function look(state: State, counter: LineCounter, text: Buffer, before: [number, number], quote: number): void {
  const found = counter.count(text.length, quote, before);
  if (!state.quoted && !found.quotes && !found.blanks && state.blanks === 0) {
    state.records += found.lines;
    state.lineStart = text[text.length - 1] === 10;
  } else if (!state.quoted && !found.quotes) countLines(state, text);
  else countQuoted(state, text, quote);
}

function countLines(state: State, text: Buffer): void {
  let from = 0;
  for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, from)) {
    const blank = at === from || (at === from + 1 && text[from] === 13);
    if (blank && (from > 0 || state.lineStart)) state.blanks += 1;
    else if (state.blanks > 0) {
      state.reason = 'blank lines';
      return;
    } else state.records += 1;
    from = at + 1;
    state.lineStart = true;
  }
  if (from < text.length) endOfChunk(state, text, from);
}

function endOfChunk(state: State, text: Buffer, from: number): void {
  if (text.length - from === 1 && text[from] === 13 && state.lineStart) return;
  if (state.blanks > 0) state.reason = 'blank lines';
  state.lineStart = false;
}

function countQuoted(state: State, text: Buffer, quote: number): void {
  let { quoted, lineStart } = state;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === 10) {
      if (quoted) {
        state.reason = 'multi-line records';
        return;
      }
      if (lineStart) state.blanks += 1;
      else state.records += 1;
      lineStart = true;
    } else if (byte !== 13) {
      if (byte === quote) quoted = !quoted;
      if (lineStart && state.blanks > 0) {
        state.reason = 'blank lines';
        return;
      }
      lineStart = false;
    }
  }
  state.quoted = quoted;
  state.lineStart = lineStart;
}
