/** How a CSV is written. Strings hold one character, or nothing; a delimiter may have up to four. */
export interface Dialect {
  delimiter: string;
  /** '' = nothing is quoted. */
  quote: string;
  /** The same as `quote` when quotes are doubled. */
  escape: string;
  comment: string;
  newline: '\n' | '\r\n' | '\r' | 'mixed';
  /** A lone carriage return ends a line. */
  cr: boolean;
  /** Blanks after a delimiter belong to it (`a, "b, c", d`). */
  skip_space: boolean;
  /** Quotes inside quoted cells are not escaped: only one before a delimiter or a line end closes. */
  lax: boolean;
}

/** The dialect in bytes, as the parser wants it. The text is UTF-8 by now, whatever it was. */
export interface Grammar {
  delimiter: Buffer;
  first: number;
  /** -1: nothing is quoted. */
  quote: number;
  escape: number;
  /** A lone carriage return ends a line. */
  cr: boolean;
  skip_space: boolean;
  lax: boolean;
}

export function grammarOf(dialect: Dialect): Grammar {
  const delimiter = Buffer.from(dialect.skip_space ? dialect.delimiter.trimEnd() || ' ' : dialect.delimiter);
  return {
    delimiter,
    first: delimiter[0] ?? 44,
    quote: dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0),
    escape: dialect.escape === '' ? -1 : dialect.escape.charCodeAt(0),
    cr: dialect.cr,
    skip_space: dialect.skip_space,
    lax: dialect.lax,
  };
}

/** Cell ranges of one record; arrays are reused from record to record and grow when needed. */
export interface Cells {
  count: number;
  start: Int32Array;
  stop: Int32Array;
  flag: Uint8Array;
  /** The record cannot be copied as it is: other readers would understand it differently. */
  odd: boolean;
  /** The cell being parsed holds escaped quotes. */
  escaped: boolean;
  /** Where the record's content ends (before its line end). */
  end: number;
}

export const RAW = 0;
export const QUOTED = 1;
export const ESCAPED = 2;

/** What `parseRecord` returns instead of a position. */
export const NEED_MORE = -1;
export const UNCLOSED = -2;
export const BROKEN = -3;

export function createCells(): Cells {
  return {
    count: 0,
    start: new Int32Array(64),
    stop: new Int32Array(64),
    flag: new Uint8Array(64),
    odd: false,
    escaped: false,
    end: 0,
  };
}

function push(cells: Cells, start: number, stop: number, flag: number): void {
  if (cells.count === cells.start.length) {
    cells.start = grow(cells.start);
    cells.stop = grow(cells.stop);
    const flags = new Uint8Array(cells.flag.length * 2);
    flags.set(cells.flag);
    cells.flag = flags;
  }
  cells.start[cells.count] = start;
  cells.stop[cells.count] = stop;
  cells.flag[cells.count] = flag;
  cells.count += 1;
}

function grow(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/**
 * Parses the record that begins at `from` (RFC 4180, with the liberties that files take: stray
 * quotes inside unquoted cells are text, blanks after a closing quote are ignored, \r\r\n is one
 * line end). The buffer's end is the end of the file when `eof`.
 *
 * @returns the position after the record; NEED_MORE when it goes on beyond the buffer; BROKEN when
 *   a closing quote is followed by text; UNCLOSED when the file ends inside quotes.
 */
export function parseRecord(buffer: Buffer, from: number, eof: boolean, grammar: Grammar, cells: Cells): number {
  cells.count = 0;
  cells.odd = false;
  let at = from;
  for (;;) {
    if (grammar.skip_space) at = skipBlanks(buffer, at, cells);
    const next =
      at < buffer.length && buffer[at] === grammar.quote
        ? quotedCell(buffer, at, eof, grammar, cells)
        : rawCell(buffer, at, eof, grammar, cells);
    if (next < 0) return next;
    if (cells.end >= 0) return next;
    at = next;
  }
}

function skipBlanks(buffer: Buffer, from: number, cells: Cells): number {
  let at = from;
  while (buffer[at] === 32) at += 1;
  if (at > from) cells.odd = true;
  return at;
}

/** `cells.end` tells a cell that ends its record (≥ 0) from one that is followed by another (-1). */
function rawCell(buffer: Buffer, from: number, eof: boolean, grammar: Grammar, cells: Cells): number {
  const { first, quote, cr } = grammar;
  const { length } = buffer;
  let at = from;
  for (; at < length; at += 1) {
    const byte = buffer[at];
    if (byte === first) {
      const width = delimiterAt(buffer, at, eof, grammar);
      if (width < 0) return NEED_MORE;
      if (width === 0) continue;
      push(cells, from, at, RAW);
      cells.end = -1;
      return at + width;
    }
    if (byte === 10) {
      const stop = stripReturns(buffer, from, at);
      push(cells, from, stop, RAW);
      cells.end = stop;
      return at + 1;
    }
    if (byte === 13) {
      if (cr) {
        const next = afterReturn(buffer, at, eof);
        if (next < 0) return next;
        push(cells, from, at, RAW);
        cells.end = at;
        return next;
      }
      if (at + 1 < length && buffer[at + 1] !== 10 && buffer[at + 1] !== 13) cells.odd = true;
    } else if (byte === quote) cells.odd = true;
  }
  if (!eof) return NEED_MORE;
  const stop = stripReturns(buffer, from, at);
  push(cells, from, stop, RAW);
  cells.end = stop;
  return at;
}

/** Length of the delimiter at `at`, 0 when there is none, -1 when the buffer ends inside it. */
function delimiterAt(buffer: Buffer, at: number, eof: boolean, grammar: Grammar): number {
  const { delimiter } = grammar;
  for (let index = 1; index < delimiter.length; index += 1) {
    if (at + index >= buffer.length) return eof ? 0 : -1;
    if (buffer[at + index] !== delimiter[index]) return 0;
  }
  return delimiter.length;
}

function stripReturns(buffer: Buffer, from: number, at: number): number {
  let stop = at;
  while (stop > from && buffer[stop - 1] === 13) stop -= 1;
  return stop;
}

/** \r\r\n is one line end, \r\r are two. */
function afterReturn(buffer: Buffer, at: number, eof: boolean): number {
  let look = at + 1;
  while (buffer[look] === 13) look += 1;
  if (look >= buffer.length && !eof) return NEED_MORE;
  return buffer[look] === 10 ? look + 1 : at + 1;
}

function quotedCell(buffer: Buffer, from: number, eof: boolean, grammar: Grammar, cells: Cells): number {
  const close = closingQuote(buffer, from + 1, eof, grammar, cells);
  if (close < 0) return close;
  const flag = cells.escaped ? ESCAPED : QUOTED;
  let at = close + 1;
  if (grammar.first !== 32) at = skipBlanks(buffer, at, cells);
  if (at >= buffer.length) {
    if (!eof) return NEED_MORE;
    push(cells, from + 1, close, flag);
    cells.end = close + 1;
    return at;
  }
  const byte = buffer[at];
  if (byte === grammar.first) {
    const width = delimiterAt(buffer, at, eof, grammar);
    if (width < 0) return NEED_MORE;
    if (width > 0) {
      push(cells, from + 1, close, flag);
      cells.end = -1;
      return at + width;
    }
  }
  if (byte !== 10 && byte !== 13) return BROKEN;
  return endAfterQuote(buffer, from, close, at, flag, eof, grammar, cells);
}

function endAfterQuote(
  buffer: Buffer,
  from: number,
  close: number,
  at: number,
  flag: number,
  eof: boolean,
  grammar: Grammar,
  cells: Cells,
): number {
  let next = at;
  while (buffer[next] === 13) next += 1;
  if (next >= buffer.length && !eof) return NEED_MORE;
  if (buffer[next] === 10) next += 1;
  else if (grammar.cr) next = at + 1;
  else if (next < buffer.length) return BROKEN;
  push(cells, from + 1, close, flag);
  cells.end = close + 1;
  return next;
}

function closingQuote(buffer: Buffer, from: number, eof: boolean, grammar: Grammar, cells: Cells): number {
  const { quote, escape } = grammar;
  cells.escaped = false;
  let at = from;
  for (;;) {
    const found = escape === quote || escape < 0 ? buffer.indexOf(quote, at) : quoteOrEscape(buffer, at, quote, escape);
    if (found < 0) return eof ? UNCLOSED : NEED_MORE;
    if (found + 1 >= buffer.length && !eof) return NEED_MORE;
    if (escape !== quote && buffer[found] === escape) {
      at = found + 2;
      cells.escaped = true;
    } else if (grammar.lax) {
      const closes = closesHere(buffer, found + 1, eof, grammar);
      if (closes === undefined) return NEED_MORE;
      if (closes) return found;
      at = found + 1;
    } else if (buffer[found + 1] === quote) {
      at = found + 2;
      cells.escaped = true;
    } else return found;
  }
}

/** Whether a cell may end before `from`; undefined when the buffer does not tell. */
function closesHere(buffer: Buffer, from: number, eof: boolean, grammar: Grammar): boolean | undefined {
  let at = from;
  if (grammar.first !== 32) while (buffer[at] === 32) at += 1;
  if (at >= buffer.length) return eof ? true : undefined;
  if (buffer[at] === 10 || buffer[at] === 13) return true;
  const width = buffer[at] === grammar.first ? delimiterAt(buffer, at, eof, grammar) : 0;
  return width < 0 ? undefined : width > 0;
}

function quoteOrEscape(buffer: Buffer, from: number, quote: number, escape: number): number {
  for (let at = from; at < buffer.length; at += 1) {
    if (buffer[at] === quote || buffer[at] === escape) return at;
  }
  return -1;
}

/** Line breaks inside the quoted cells of a record; only those can hold any. */
export function breaksInside(buffer: Buffer, cells: Cells, cr: boolean): number {
  let breaks = 0;
  for (let index = 0; index < cells.count; index += 1) {
    if (cells.flag[index] === RAW) continue;
    const stop = cells.stop[index] ?? 0;
    for (let at = cells.start[index] ?? 0; at < stop; ) {
      const feed = cr ? nextBreak(buffer, at, stop) : buffer.indexOf(10, at);
      if (feed < 0 || feed >= stop) break;
      breaks += 1;
      at = feed + 1;
    }
  }
  return breaks;
}

/** The last byte of the next \n, \r\n or \r before `stop`. */
function nextBreak(buffer: Buffer, from: number, stop: number): number {
  for (let at = from; at < stop; at += 1) {
    if (buffer[at] === 10) return at;
    if (buffer[at] === 13 && buffer[at + 1] !== 10) return at;
  }
  return -1;
}

/** The text of a cell. An escape before anything but a quote or itself is text. */
export function cellText(buffer: Buffer, cells: Cells, index: number, dialect: Dialect): string {
  const text = buffer.toString('utf8', cells.start[index], cells.stop[index]);
  if (cells.flag[index] !== ESCAPED || (dialect.lax && dialect.escape === '')) return text;
  return unescape(text, dialect.quote, dialect.escape);
}

function unescape(text: string, quote: string, escape: string): string {
  if (escape === quote || escape === '') return text.replaceAll(quote + quote, quote);
  let out = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    const next = text[at + 1];
    const escaped = (char === escape && (next === quote || next === escape)) || (char === quote && next === quote);
    out += escaped ? next : char;
    if (escaped) at += 1;
  }
  return out;
}

export function recordTexts(buffer: Buffer, cells: Cells, dialect: Dialect): string[] {
  const texts: string[] = new Array(cells.count);
  for (let index = 0; index < cells.count; index += 1) texts[index] = cellText(buffer, cells, index, dialect);
  return texts;
}
