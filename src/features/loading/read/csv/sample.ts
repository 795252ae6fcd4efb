import { closeSync, openSync, readSync } from 'node:fs';
import {
  BROKEN,
  breaksInside,
  cellText,
  createCells,
  type Dialect,
  grammarOf,
  NEED_MORE,
  parseRecord,
  recordTexts,
  UNCLOSED,
} from './grammar.ts';

/** One record of a sample. */
export interface SampleRecord {
  /** Physical line, from 1, within the sampled text. */
  line: number;
  /** Bytes from the start of the text. */
  offset: number;
  end: number;
  cells: string[];
  /** Quotes that do not close, or close in the middle. */
  broken: boolean;
  comment: boolean;
  /** Holds line breaks inside quotes. */
  multiline: boolean;
  odd: boolean;
}

export interface SampleOptions {
  /** The text is the whole file. */
  complete: boolean;
  most: number;
}

/** Parses the head of a text; blank lines are left out. Records cut off by the sample's end are too. */
export function parseSample(text: Buffer, dialect: Dialect, { complete, most }: SampleOptions): SampleRecord[] {
  const grammar = grammarOf(dialect);
  const cells = createCells();
  const comment = dialect.comment === '' ? undefined : Buffer.from(dialect.comment);
  const records: SampleRecord[] = [];
  let line = 1;
  for (let from = 0; from < text.length && records.length < most; ) {
    const isComment = comment !== undefined && text.subarray(from, from + comment.length).equals(comment);
    const next = isComment ? lineEnd(text, from, grammar.cr) : parseRecord(text, from, complete, grammar, cells);
    if (next === NEED_MORE && !complete) break;
    const broken = next === BROKEN || next === UNCLOSED || next === NEED_MORE;
    const end = broken ? lineEnd(text, from, grammar.cr) : next;
    const lines = broken || isComment ? 1 : 1 + breaksInside(text, cells, grammar.cr);
    const blank =
      !broken &&
      !isComment &&
      cells.count === 1 &&
      cellText(text, cells, 0, dialect).trim() === '' &&
      cells.flag[0] === 0;
    if (!blank) {
      const texts =
        broken || isComment ? [text.toString('utf8', from, end).trimEnd()] : recordTexts(text, cells, dialect);
      records.push({
        line,
        offset: from,
        end,
        cells: texts,
        broken,
        comment: isComment,
        multiline: lines > 1,
        odd: !broken && !isComment && cells.odd,
      });
    }
    line += lines;
    from = end;
  }
  return records;
}

/** Position after the line that `from` is on. */
export function lineEnd(text: Buffer, from: number, cr: boolean): number {
  const feed = text.indexOf(10, from);
  if (!cr) return feed < 0 ? text.length : feed + 1;
  const carriage = text.indexOf(13, from);
  if (carriage < 0 || (feed >= 0 && feed < carriage)) return feed < 0 ? text.length : feed + 1;
  let next = carriage;
  while (text[next] === 13) next += 1;
  return text[next] === 10 ? next + 1 : carriage + 1;
}

/** Up to `length` bytes of a file from `position`. */
export function readBytes(path: string, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  const file = openSync(path, 'r');
  try {
    let filled = 0;
    while (filled < length) {
      const got = readSync(file, buffer, filled, length - filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}
