import type { ReaderOptions } from '#contract/reader-options.ts';
import { commonWidth } from './dialect.ts';
import { evidenceOf } from './infer.ts';
import { isNullWord, KINDS } from './kinds.ts';
import type { SampleRecord } from './sample.ts';

/** Where the table is in the text. */
export interface Layout {
  width: number;
  /** Header cells, several rows joined; undefined: the table has none. */
  header: string[] | undefined;
  /** Index into the sample of the first header row (or of the first record). */
  top: number;
  /** Index into the sample of the first record. */
  first: number;
  /** Records with too few cells are the custom of this file, not an accident. */
  pads: boolean;
}

const HEADER_ROWS = 3;
/** From this share of records on, missing cells at the end are the custom of the file. */
const CUSTOM = 0.1;

/** Finds titles above the header, the header (of one to three rows, or none) and the table's width. */
export function findLayout(records: SampleRecord[], options: ReaderOptions): Layout {
  const usable = records.filter((record) => !record.comment);
  const width = commonWidth(usable.slice(1).length > 0 ? widthSample(usable) : usable);
  const top = options.skip === undefined ? firstRow(records, width) : records.findIndex((record) => !record.comment);
  if (top < 0) return { width, header: undefined, top: records.length, first: records.length, pads: false };
  const rows = options.header === false ? 0 : headerRows(records, top, width, options.header === true);
  const header =
    rows === 0
      ? undefined
      : joinHeader(
          records
            .slice(top)
            .filter((row) => !row.comment)
            .slice(0, rows),
          width,
        );
  const first = afterRows(records, top, rows);
  return {
    width: Math.max(width, header?.length ?? 0),
    header,
    top,
    first,
    pads: padding(records.slice(first), width),
  };
}

/** A header row alone must not outvote the records, nor many titles a short table. */
function widthSample(records: SampleRecord[]): SampleRecord[] {
  const width = commonWidth(records);
  return records.some((record) => record.cells.length === width) ? records : records.slice(1);
}

function afterRows(records: SampleRecord[], top: number, rows: number): number {
  let index = top;
  for (let left = rows; left > 0 && index < records.length; index += 1) if (!records[index]?.comment) left -= 1;
  return index;
}

function filled(record: SampleRecord): number {
  return record.cells.filter((cell) => cell.trim() !== '').length;
}

/** The first row that is part of the table: titles and empty rows above it are not. */
function firstRow(records: SampleRecord[], width: number): number {
  for (let index = 0; index < Math.min(records.length, 200); index += 1) {
    const record = records[index];
    if (!record || record.comment || record.broken) continue;
    if (record.cells.length === width && (width < 3 || filled(record) > 1)) return index;
    if (isShortHeader(records, index, width)) return index;
  }
  return records.findIndex((record) => !record.comment);
}

/** Header rows that name all columns but the last few (or, as R writes them, all but the first). */
function isShortHeader(records: SampleRecord[], index: number, width: number): boolean {
  const cells = records[index]?.cells ?? [];
  const next = records[index + 1];
  return (
    cells.length >= 2 &&
    cells.length < width &&
    cells.length * 2 >= width &&
    next?.cells.length === width &&
    cells.every((cell) => cell.trim() !== '' && !isTyped(cell))
  );
}

function isTyped(cell: string): boolean {
  const text = cell.trim();
  return text !== '' && text.length <= 64 && KINDS.some((kind) => kind.matches(text));
}

const YEAR = /^(19|20)\d\d$/;

function headerRows(records: SampleRecord[], top: number, width: number, given: boolean): number {
  const rows = records.slice(top, top + 120).filter((row) => !row.comment && !row.broken);
  const [head, ...data] = rows;
  if (!head) return 0;
  if (!given && !looksLikeHeader(head, data, width)) return 0;
  let count = 1;
  while (count < HEADER_ROWS && continuesHeader(data[count - 1], data.slice(count), width)) count += 1;
  return count;
}

function looksLikeHeader(head: SampleRecord, data: SampleRecord[], width: number): boolean {
  const cells = head.cells.map((cell) => cell.trim());
  const typed = cells.filter(isTyped);
  const yearsOnly = typed.every((cell) => YEAR.test(cell)) && new Set(typed).size === typed.length;
  if (typed.length > 0 && !(yearsOnly && typed.length < cells.length)) return false;
  if (cells.every((cell) => cell === '' || isNullWord(cell))) return false;
  if (data.length === 0) return cells.every((cell) => cell !== '');
  if (contradicts(cells, data, width)) return true;
  const empty = cells.filter((cell) => cell === '').length;
  if (empty * 2 > cells.length) return false;
  // All is text. A word that comes back in its own column is a value, not a name.
  return !cells.some(
    (cell, index) => cell !== '' && data.some((row) => row.cells[index]?.trim() === cell) && !isRepeat(head, data),
  );
}

/** The header line itself comes again further down (files pasted together). */
function isRepeat(head: SampleRecord, data: SampleRecord[]): boolean {
  return data.some(
    (row) => row.cells.length === head.cells.length && row.cells.every((cell, index) => cell === head.cells[index]),
  );
}

/** Some column is of one type below and text above. */
function contradicts(cells: string[], data: SampleRecord[], width: number): boolean {
  const rows = data.filter((row) => row.cells.length === width);
  return cells.some((cell, index) => {
    if (cell === '' || isNullWord(cell)) return false;
    const { alive, values } = evidenceOf(rows.map((row) => row.cells[index]));
    return values > 0 && alive.length > 0 && !alive.some((kind) => kind.matches(cell));
  });
}

/** A further header row: all text although the columns below are typed. */
function continuesHeader(row: SampleRecord | undefined, below: SampleRecord[], width: number): boolean {
  if (!row || row.cells.length !== width || below.length === 0) return false;
  const cells = row.cells.map((cell) => cell.trim());
  if (cells.some(isTyped) || filled(row) * 2 < width || cells.some((cell) => isNullWord(cell))) return false;
  return contradicts(cells, below, width);
}

/** "2019" over "men", "women" names both columns: a blank in an upper row continues the cell at its left. */
function joinHeader(rows: SampleRecord[], width: number): string[] {
  const [only] = rows;
  if (rows.length === 1 && only) return only.cells;
  return Array.from({ length: width }, (_, index) => {
    const parts = rows.map((row, level) => {
      const last = level === rows.length - 1;
      let at = index;
      while (!last && at > 0 && (row.cells[at] ?? '').trim() === '') at -= 1;
      return (row.cells[at] ?? '').trim();
    });
    return parts.filter((part) => part !== '').join(' ');
  });
}

function padding(records: SampleRecord[], width: number): boolean {
  const rows = records.filter((record) => !record.comment && !record.broken);
  const short = rows.filter((row) => row.cells.length < width).length;
  return rows.length > 0 && short / rows.length >= CUSTOM;
}
