import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Accounting } from '#contract/accounting.ts';
import { newId } from '#kernel/ids.ts';
import type { ReadContext } from '../reader.ts';
import {
  BROKEN,
  breaksInside,
  type Cells,
  cellText,
  createCells,
  type Dialect,
  type Grammar,
  grammarOf,
  NEED_MORE,
  parseRecord,
  recordTexts,
  UNCLOSED,
} from './grammar.ts';
import type { ColumnPlan } from './infer.ts';
import { columnNames } from './names.ts';
import { openQuarantine, type Quarantine } from './quarantine.ts';
import { openRewriter, type Rewriter } from './rewrite.ts';
import { lineEnd } from './sample.ts';
import { startsTable } from './tables.ts';

export interface CarefulInput {
  path: string;
  dialect: Dialect;
  /** Byte and line of the first record. */
  offset: number;
  line: number;
  width: number;
  names: string[];
  header: string[] | undefined;
  pads: boolean;
  /** Plans with a type that was asked for are checked cell by cell. */
  plans: ColumnPlan[];
  /** Replacement characters come from bytes that could not be decoded. */
  damaged: boolean;
}

/** One table of the file, rewritten for DuckDB. */
export interface CarefulTable {
  names: string[];
  header: string[] | undefined;
  width: number;
  path: string;
  accepted: number;
  longest: number;
  accounting: Accounting;
  quarantine_path: string | undefined;
  /** Cells of some rows, for inferring types. */
  sample: string[][];
  /** Of the rewritten file. */
  bytes: number;
}

const WINDOW = 2 ** 21;
const SAMPLE_ROWS = 2000;
const LISTED = 100;
const REPLACEMENT = Buffer.from('\uFFFD');

interface State {
  input: CarefulInput;
  context: ReadContext;
  grammar: Grammar;
  cells: Cells;
  line: number;
  /** The line before was blank (or the file begins here). */
  afterBlank: boolean;
  table: Table;
  done: CarefulTable[];
}

interface Table {
  names: string[];
  header: string[] | undefined;
  /** The first header cell in bytes, the quick half of the comparison. */
  first_name: Buffer | undefined;
  width: number;
  pads: boolean;
  declared: { index: number; plan: ColumnPlan }[];
  rewriter: Rewriter;
  quarantine: Quarantine;
  read: number;
  skipped: Accounting['skipped'];
  sample: string[][];
}

/**
 * Reads a CSV record by record: what fits is rewritten with its line number for DuckDB, what is
 * broken goes to quarantine, and reading goes on with the next line. A quote that never closes costs
 * its own line, not the rest of the file. Memory is one window, grown to the longest value allowed.
 */
export async function readCarefully(context: ReadContext, input: CarefulInput): Promise<CarefulTable[]> {
  const declared = input.plans.flatMap((plan, index) => (plan.declared || plan.required ? [{ index, plan }] : []));
  const state: State = {
    input,
    context,
    grammar: grammarOf(input.dialect),
    cells: createCells(),
    line: input.line,
    afterBlank: false,
    table: openTable(context, input, declared),
    done: [],
  };
  const file = openSync(input.path, 'r');
  try {
    await windows(file, state);
  } finally {
    closeSync(file);
    finish(state);
  }
  return state.done;
}

function openTable(context: ReadContext, input: Omit<CarefulInput, 'path'>, declared: Table['declared']): Table {
  return {
    names: input.names,
    header: input.header,
    first_name: input.header?.[0] === undefined ? undefined : Buffer.from(input.header[0]),
    width: input.width,
    pads: input.pads,
    declared,
    rewriter: openRewriter(join(context.temp_dir, `${newId()}.csv`), input.dialect),
    quarantine: openQuarantine(join(context.request.out_dir, `${newId()}.quarantine.ndjson`)),
    read: 0,
    skipped: [],
    sample: [],
  };
}

function finish(state: State): void {
  const { table } = state;
  table.rewriter.close();
  table.quarantine.close();
  state.done.push({
    names: table.names,
    header: table.header,
    width: table.width,
    path: table.rewriter.path,
    accepted: table.rewriter.rows,
    longest: table.rewriter.longest,
    accounting: {
      read: table.read,
      accepted: table.rewriter.rows,
      quarantined: table.quarantine.count,
      duplicates: 0,
      skipped: table.skipped,
    },
    quarantine_path: table.quarantine.count > 0 ? table.quarantine.path : undefined,
    sample: table.sample,
    bytes: table.rewriter.bytes,
  });
}

async function windows(file: number, state: State): Promise<void> {
  const limit = state.context.request.limits.max_value_bytes;
  let buffer = Buffer.allocUnsafe(WINDOW);
  let filled = 0;
  let position = state.input.offset;
  let eof = false;
  while (!eof || filled > 0) {
    const got: number = eof ? 0 : readSync(file, buffer, filled, buffer.length - filled, position);
    position += got;
    filled += got;
    eof = got === 0;
    const used = consume(state, buffer.subarray(0, filled), eof, false);
    buffer.copyWithin(0, used, filled);
    filled -= used;
    if (eof && used === 0 && filled > 0) throw new Error('the careful reader did not advance');
    if (filled === buffer.length) {
      if (filled >= limit) {
        const cut = consume(state, buffer.subarray(0, filled), false, true);
        buffer.copyWithin(0, cut, filled);
        filled -= cut;
      } else buffer = Buffer.concat([buffer], Math.min(buffer.length * 2, Math.max(limit, WINDOW)));
    } else if (buffer.length > WINDOW && filled < WINDOW / 2) buffer = Buffer.concat([buffer.subarray(0, WINDOW)]);
    state.context.progress(position, state.table.rewriter.rows);
    await breathe();
  }
}

/**
 * Consumes whole records of the window. `force`: the record at its start is larger than a value may be.
 * @returns the bytes consumed
 */
function consume(state: State, text: Buffer, eof: boolean, force: boolean): number {
  const { grammar, cells, input } = state;
  const utf8 = isUtf8(text.subarray(0, text.lastIndexOf(10) + 1)) && !(input.damaged && text.includes(REPLACEMENT));
  const comment = input.dialect.comment === '' ? undefined : Buffer.from(input.dialect.comment);
  let from = 0;
  while (from < text.length) {
    if (comment && text.subarray(from, from + comment.length).equals(comment)) {
      const end = lineEnd(text, from, grammar.cr);
      if (end >= text.length && !eof) break;
      skip(state, 'a comment');
      state.line += 1;
      from = end;
      continue;
    }
    const next = guarded(state, text, parseRecord(text, from, eof, grammar, cells));
    if (next === NEED_MORE && !(force && from === 0)) break;
    if (next < 0) {
      const end = lineEnd(text, from, grammar.cr);
      if (end >= text.length && !eof && !force) break;
      broken(state, next, text.subarray(from, end));
      from = end;
      continue;
    }
    if (!record(state, text, from, next, eof, utf8)) break;
    from = next;
  }
  return from;
}

/** With unescaped quotes a lost quote swallows lines: then the record must at least have the right width. */
function guarded({ grammar, cells, table }: State, text: Buffer, next: number): number {
  if (!grammar.lax || next < 0 || cells.count === table.width) return next;
  return breaksInside(text, cells, grammar.cr) > 0 ? BROKEN : next;
}

const FAULTS: Record<number, string> = {
  [BROKEN]: 'broken_quotes: text follows a closing quote',
  [UNCLOSED]: 'broken_quotes: the quote is never closed',
  [NEED_MORE]: 'value_too_large: the quote does not close within the size that a value may have',
};

function broken(state: State, fault: number, raw: Buffer): void {
  state.table.read += 1;
  state.table.quarantine.add(state.line, FAULTS[fault] ?? 'broken_quotes', raw);
  state.line += 1;
  state.afterBlank = false;
}

function skip(state: State, why: string): void {
  if (state.table.skipped.length < LISTED) state.table.skipped.push({ line: state.line, why });
}

/** @returns false when more of the file is needed to decide */
function record(state: State, text: Buffer, from: number, next: number, eof: boolean, utf8: boolean): boolean {
  const { cells, grammar, table } = state;
  const lines = 1 + breaksInside(text, cells, grammar.cr);
  const fault = faultOf(state, text, from, next, utf8);
  if (fault === 'blank') {
    skip(state, 'a blank line');
    state.afterBlank = true;
    state.line += lines;
    return true;
  }
  if (isHeader(state, text)) {
    skip(state, 'the header again');
  } else if (cells.count !== table.width) {
    const texts = recordTexts(text, cells, state.input.dialect);
    const starts = startsTable(texts, table, text, next, eof, grammar, state.afterBlank);
    if (starts === 'unknown') return false;
    if (starts === 'yes') nextTable(state, texts);
    else if (fault !== undefined) reject(state, fault, text.subarray(from, next));
    else accept(state, text, from);
  } else if (fault !== undefined) reject(state, fault, text.subarray(from, next));
  else accept(state, text, from);
  state.line += lines;
  state.afterBlank = false;
  return true;
}

/** The header line, however it is quoted this time. */
function isHeader({ table, cells, input }: State, text: Buffer): boolean {
  const { header, first_name } = table;
  if (header === undefined || first_name === undefined || cells.count !== header.length) return false;
  const start = cells.start[0] ?? 0;
  if (
    (cells.stop[0] ?? 0) - start !== first_name.length ||
    text.compare(first_name, 0, first_name.length, start, cells.stop[0]) !== 0
  )
    return false;
  return header.every((name, index) => cellText(text, cells, index, input.dialect) === name);
}

function faultOf(state: State, text: Buffer, from: number, next: number, utf8: boolean): string | undefined {
  const { cells, table, input } = state;
  if (cells.count === 1 && cells.flag[0] === 0 && isBlank(text, from, cells.end)) return 'blank';
  if (!utf8) {
    const raw = text.subarray(from, next);
    if (!isUtf8(raw) || (input.damaged && raw.includes(REPLACEMENT))) {
      return 'undecodable: bytes that are no text in the encoding of the file';
    }
  }
  if (cells.count === table.width) return undefined;
  if (cells.count < table.width) {
    return table.pads ? undefined : `too_few_fields: ${cells.count} instead of ${table.width}`;
  }
  for (let index = table.width; index < cells.count; index += 1) {
    if (cells.start[index] !== cells.stop[index]) return `too_many_fields: ${cells.count} instead of ${table.width}`;
  }
  return undefined;
}

function isBlank(text: Buffer, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if (text[at] !== 32 && text[at] !== 9) return false;
  return true;
}

function reject(state: State, reason: string, raw: Buffer, column?: string, value?: string): void {
  state.table.read += 1;
  state.table.quarantine.add(state.line, reason, raw, column, value);
}

function accept(state: State, text: Buffer, from: number): void {
  const { table, cells, input } = state;
  for (const { index, plan } of table.declared) {
    const value = index < cells.count ? cellText(text, cells, index, input.dialect) : '';
    const reason = misfit(value, plan);
    if (reason !== undefined) {
      reject(state, reason, text.subarray(from, cells.end), plan.name, value);
      return;
    }
  }
  table.read += 1;
  if (table.sample.length < SAMPLE_ROWS || (table.read % 100 === 0 && table.sample.length < 2 * SAMPLE_ROWS)) {
    table.sample.push(recordTexts(text, cells, input.dialect));
  }
  table.rewriter.write(state.line, text, from, cells, table.width);
}

function misfit(value: string, plan: ColumnPlan): string | undefined {
  const empty = value === '' || plan.nulls.includes(value) || (plan.trim && value.trim() === '');
  if (empty) return plan.required ? 'missing_value: the column is required' : undefined;
  if (plan.declared && !plan.kind.matches(plan.trim ? value.trim() : value))
    return `does_not_fit: no ${plan.kind.type}`;
  return undefined;
}

/** A further table begins: the rows from here on have other columns. */
function nextTable(state: State, header: string[]): void {
  finish(state);
  state.table = openTable(
    state.context,
    { ...state.input, names: columnNames(header, header.length), header, width: header.length },
    [],
  );
}
