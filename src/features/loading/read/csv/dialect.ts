import type { ReaderOptions } from '#contract/reader-options.ts';
import type { Dialect } from './grammar.ts';
import { KINDS } from './kinds.ts';
import { parseSample, type SampleRecord } from './sample.ts';

/** Enough to tell dialects apart, little enough to parse a dozen times. */
const TEXT_BYTES = 64 * 1024;
const RECORDS = 300;
/** A later candidate must be better, not just as good. */
const MARGIN = 1.0001;
const DELIMITERS = [',', ';', '\t', '|', '\x1f', '\x1e', '\x01', '~', '^', ':', ' '];

/**
 * Finds out how a text is written: every plausible dialect reads the head of it, and the one under
 * which rows agree most in their number of cells, and cells most look like values, wins. The measure
 * is that of G. van den Burg, A. Nazábal and C. Sutton, "Wrangling messy CSV files by detecting row
 * and type patterns", Data Mining and Knowledge Discovery 33 (2019), with one addition: records
 * whose quotes break under a dialect count against it.
 */
export function sniffDialect(head: Buffer, complete: boolean, options: ReaderOptions, hint?: string): Dialect {
  const text = head.subarray(0, TEXT_BYTES);
  const whole = complete && text.length === head.length;
  const newlines = sniffNewline(text);
  let best: { dialect: Dialect; score: number } | undefined;
  for (const dialect of candidates(text, newlines, options, hint)) {
    const records = parseSample(text, dialect, { complete: whole, most: RECORDS });
    const measured = score(records, dialect);
    if (best === undefined || measured > best.score * MARGIN) best = { dialect, score: measured };
    if (records.filter((record) => record.broken).length < 2 || dialect.quote === '') continue;
    const lax: Dialect = { ...dialect, escape: dialect.escape === dialect.quote ? '' : dialect.escape, lax: true };
    const relaxed = score(parseSample(text, lax, { complete: whole, most: RECORDS }), lax);
    if (relaxed > best.score * MARGIN) best = { dialect: lax, score: relaxed };
  }
  return best?.dialect ?? plain(newlines.newline, options);
}

function plain(newline: Dialect['newline'], options: ReaderOptions): Dialect {
  const quote = options.quote ?? '"';
  return {
    delimiter: options.delimiter ?? ',',
    quote,
    escape: options.escape ?? quote,
    comment: options.comment ?? '',
    newline,
    cr: newline === '\r',
    lax: false,
    skip_space: false,
  };
}

function* candidates(text: Buffer, newlines: Newlines, options: ReaderOptions, hint?: string): Generator<Dialect> {
  const base = plain(newlines.newline, options);
  const spaced = options.delimiter === ', ' || options.delimiter === '; ';
  const present = DELIMITERS.filter((delimiter) => text.includes(delimiter));
  const hinted =
    hint !== undefined && present.includes(hint) ? [hint, ...present.filter((other) => other !== hint)] : present;
  const delimiters = options.delimiter === undefined ? hinted : [options.delimiter];
  const quotes = options.quote === undefined ? plausibleQuotes(text, delimiters) : [options.quote];
  for (const delimiter of new Set([...delimiters, ...(options.delimiter === undefined ? [','] : [])])) {
    for (const quote of quotes) {
      for (const escape of options.escape === undefined ? escapes(text, quote) : [options.escape]) {
        for (const comment of commentMarks(text, options)) {
          const dialect = { ...base, delimiter, quote, escape, comment, skip_space: spaced };
          yield dialect;
          if (newlines.lone) yield { ...dialect, newline: 'mixed', cr: true };
          if (blanksBeforeQuotes(text, delimiter, quote)) yield { ...dialect, skip_space: true };
        }
      }
    }
  }
}

/** `"` unless apostrophes stand where quotes would; nothing quoted when quotes break. */
function plausibleQuotes(text: Buffer, delimiters: string[]): string[] {
  const latin = text.toString('latin1');
  const marks = `[\\n\\r${delimiters.map((mark) => mark.replace(/[\\^\]|-]/g, '\\$&')).join('')}]`;
  const single = new RegExp(`(^|${marks}) ?'`).test(latin) && new RegExp(`' ?(${marks}|$)`).test(latin);
  return ['"', ...(single ? ["'"] : []), ...(latin.includes('"') ? [''] : [])];
}

function escapes(text: Buffer, quote: string): string[] {
  if (quote === '') return [''];
  return [quote, ...['\\', '\0'].filter((escape) => text.includes(escape + quote))];
}

interface Newlines {
  newline: Dialect['newline'];
  /** Carriage returns stand alone somewhere. */
  lone: boolean;
}

function sniffNewline(text: Buffer): Newlines {
  const counts = { feeds: 0, pairs: 0, lone: 0 };
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === 10) counts.feeds += 1;
    if (text[at] !== 13) continue;
    let last = at;
    while (text[last + 1] === 13) last += 1;
    if (text[last + 1] === 10) counts.pairs += 1;
    else if (last + 1 < text.length || counts.feeds + counts.pairs === 0) counts.lone += 1;
    at = text[last + 1] === 10 ? last + 1 : last;
  }
  const { feeds, pairs, lone } = counts;
  if (feeds + pairs === 0) return { newline: lone > 0 ? '\r' : '\n', lone: false };
  const newline = pairs === 0 ? '\n' : feeds === 0 ? '\r\n' : 'mixed';
  return { newline, lone: lone > 0 };
}

function score(records: SampleRecord[], dialect: Dialect): number {
  const rows = records.filter((record) => !record.comment);
  if (rows.length === 0) return 0;
  const faults = rows.filter((row) => row.broken).length;
  return patternScore(rows) * typeScore(rows, dialect) * (1 - faults / rows.length) ** 4 * doubt(rows, dialect);
}

/** Blanks and colons also stand between words: one line, or two cells a row, are no evidence for them. */
function doubt(rows: SampleRecord[], { delimiter, quote }: Dialect): number {
  // Cells that begin or end with quotes were meant to be quoted.
  if (quote === '' && rows.some((row) => row.cells.some((cell) => /^\s*"|"\s*$/.test(cell)))) return 0.3;
  if (delimiter !== ' ' && delimiter !== ':') return 1;
  return rows.length < 2 || commonWidth(rows) < 3 ? 1e-4 : 0.9;
}

/** Few patterns, long rows. A single column is possible, but never preferred. */
function patternScore(rows: SampleRecord[]): number {
  const patterns = new Map<number, number>();
  for (const row of rows) patterns.set(row.cells.length, (patterns.get(row.cells.length) ?? 0) + 1);
  let sum = 0;
  for (const [length, count] of patterns) sum += count * Math.max(0.001, (length - 1) / length);
  return sum / patterns.size;
}

function typeScore(rows: SampleRecord[], dialect: Dialect): number {
  let known = 0;
  let total = 0;
  for (const row of rows.slice(0, 100)) {
    for (const cell of row.cells) {
      total += 1;
      if (looksLikeValue(cell, dialect)) known += 1;
    }
  }
  return Math.max(1e-10, known / total);
}

const WORDS = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}\s_.,;:()&/'’%$€£+#!?*@ºª-]*$/u;
const ADDRESS = /^(https?:\/\/|www\.)\S+$|^[^\s@]+@[^\s@]+\.\w+$/i;

function looksLikeValue(cell: string, dialect: Dialect): boolean {
  const text = cell.trim();
  if (text === '' || text.length > 200) return true;
  if (dialect.quote !== '"' && /^"|"$/.test(text)) return false;
  if (/["]/.test(text) && dialect.quote === '') return false;
  if (KINDS.some((kind) => kind.matches(text))) return true;
  return (
    ADDRESS.test(text) ||
    (WORDS.test(text) && !(dialect.delimiter !== ',' && /,\S/.test(text) && text.split(',').length > 3))
  );
}

/** `a, "b, c", d`: the blank belongs to the delimiter, or the quote would be text. */
function blanksBeforeQuotes(text: Buffer, delimiter: string, quote: string): boolean {
  return quote !== '' && delimiter !== ' ' && text.includes(`${delimiter} ${quote}`);
}

const COMMENTS = ['#', '//', '%', '--'];

/**
 * Marks with which whole lines begin. A dialect with comments only wins when the other lines then
 * agree better: in `#id,name` the mark is part of a name.
 */
function commentMarks(text: Buffer, options: ReaderOptions): string[] {
  if (options.comment !== undefined) return [options.comment];
  const latin = text.toString('latin1');
  return [
    '',
    ...COMMENTS.filter((mark) => latin.startsWith(mark) || latin.includes(`\n${mark}`) || latin.includes(`\r${mark}`)),
  ];
}

/** The number of cells that most records have; of equals the earlier. */
export function commonWidth(records: readonly SampleRecord[]): number {
  const counts = new Map<number, number>();
  for (const { cells, broken } of records) if (!broken) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  let best = 1;
  let most = 0;
  for (const [width, count] of counts) {
    const weight = width === 1 ? count / 2 : count;
    if (weight > most) {
      best = width;
      most = weight;
    }
  }
  return best;
}
