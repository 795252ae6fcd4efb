import type { ReaderOptions } from '#contract/reader-options.ts';
import type { Cell, SheetRow } from './sheet.ts';

/** Where a sheet's table begins, as indexes into the sampled rows (blank ones are not among them). */
export interface Layout {
  /** Index of the row that names the columns; undefined when none does. */
  header: number | undefined;
  /** Index of the first record. */
  first: number;
}

/** A row this full, compared with the usual one, belongs to the table. */
const FULL_ENOUGH = 0.6;

/**
 * Finds header and first record among a sheet's first rows that are not blank. Titles and notes above the
 * table are narrower than it. The header is the widest row of texts (the first of equals) above the first
 * row with a number, date or boolean in it; where all is text, the first row as full as the usual one.
 */
export function findLayout(rows: readonly SheetRow[], options: Pick<ReaderOptions, 'header' | 'skip'>): Layout {
  const from = options.skip === undefined ? 0 : rows.findIndex((row) => row.line > (options.skip ?? 0));
  if (from === -1) return { header: undefined, first: rows.length };
  if (options.header === false) return { header: undefined, first: from };
  if (options.skip !== undefined) return { header: from, first: from + 1 };
  const usual = median(rows.map((row) => row.cells.length));
  const typed = rows.findIndex((row) => row.cells.length >= usual * FULL_ENOUGH && row.cells.some(isTyped));
  const header = typed === -1 ? firstFull(rows, usual) : headerAbove(rows, typed);
  if (header !== undefined) return { header, first: header + 1 };
  const top = Math.max(typed, 0);
  return options.header === true ? { header: top, first: top + 1 } : { header: undefined, first: top };
}

function firstFull(rows: readonly SheetRow[], usual: number): number | undefined {
  const full = Math.max(
    rows.findIndex((row) => row.cells.length >= usual * 0.8),
    0,
  );
  return rows[full]?.cells.some((cell) => cell.kind === 'error') ? undefined : full;
}

function headerAbove(rows: readonly SheetRow[], typed: number): number | undefined {
  let best: number | undefined;
  for (let index = 0; index < typed; index++) {
    if (best === undefined || (rows[index]?.cells.length ?? 0) > (rows[best]?.cells.length ?? 0)) best = index;
  }
  const first = rows[typed];
  if (best === undefined) return first && namesYears(first.cells, rows[typed + 1]?.cells ?? []) ? typed : undefined;
  // A note above a table that begins with data is not its header.
  const width = rows[best]?.cells.length ?? 0;
  const overlap = width >= (first?.cells.length ?? 0) * 0.5 || width > 1;
  return overlap ? best : undefined;
}

/** `country | 2019 | 2020`: texts and years, above other numbers. */
function namesYears(cells: readonly Cell[], below: readonly Cell[]): boolean {
  const year = (cell: Cell): boolean => cell.kind === 'number' && /^(19|20)\d\d$/.test(cell.text);
  const years = cells.filter(year);
  if (years.length < 2 || !cells.every((cell) => cell.kind === 'text' || year(cell))) return false;
  return cells[0]?.kind === 'text' && !below.every((cell) => cell.kind === 'text' || year(cell));
}

function isTyped(cell: Cell): boolean {
  return cell.kind === 'number' || cell.kind === 'boolean' || cell.kind === 'date';
}

function median(counts: number[]): number {
  const sorted = [...counts].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
