import type { Writable } from 'node:stream';
import { type Cell, type CellKind, cellXml, columnLetters, escapeAttribute, headerXml } from './cells.ts';
import { MAIN, quotedSheet, type WrittenSheet, workbookParts, XML } from './parts.ts';
import { STYLES } from './styles.ts';
import { createZip, type ZipEntry } from './zip.ts';

export interface SheetColumn {
  name: string;
  kind: CellKind;
  /** Characters that should fit; by default those of the name. */
  width?: number;
}

export interface SheetOptions {
  /** Filter buttons on the header. */
  filter?: boolean;
  /** Shown before the sheets that are not; by default in the order of writing. */
  first?: boolean;
}

/** Rows of one sheet that were written together, the first and the last as Excel counts them. */
export interface RowRange {
  sheet: string;
  first: number;
  last: number;
}

export interface WorkbookWriter {
  /** Sends what every workbook has, so that whoever reads knows that something comes; by default with the first sheet. */
  begin(): Promise<void>;
  /** Ends the sheet before it. A name that is taken or too long is made to fit. @returns the name it got */
  sheet(name: string, columns: readonly SheetColumn[], options?: SheetOptions): Promise<string>;
  /** Rows of the open sheet; where it is full, the next one begins with the same header. `total`: shown as such. */
  rows(rows: readonly (readonly Cell[])[], options?: { total?: boolean }): Promise<RowRange[]>;
  /** Whole rows that are XML already (see `rowsSql`), numbered from 2 on; the open sheet must have room for them. */
  written(xml: Buffer, rows: number): Promise<void>;
  /** The sink stays open. */
  end(): Promise<void>;
}

export const MOST_COLUMNS = 16_384;
/** Excel's limit of rows in a sheet, the header included. */
export const MOST_ROWS = 1_048_576;
/** Excel's limit of links in a sheet. */
const MOST_LINKS = 65_530;
/** Entries must stay below 4 GiB; a sheet ends well before. */
export const MOST_BYTES = 3_000_000_000;
const FLUSH = 1 << 16;

interface OpenSheet extends WrittenSheet {
  base: string;
  columns: readonly SheetColumn[];
  options: SheetOptions;
  letters: string[];
  entry: ZipEntry;
  rows: number;
  /** The last row that is no total. */
  filtered: number;
  bytes: number;
  pending: string;
  links: string[];
}

/** An .xlsx written forwards with flat memory: frozen bold header, typed cells, as many sheets as the rows need. */
export function createWorkbook(sink: Writable, { most_rows = MOST_ROWS }: { most_rows?: number } = {}): WorkbookWriter {
  const zip = createZip(sink);
  const sheets: OpenSheet[] = [];
  let open: OpenSheet | undefined;
  let started = false;

  async function part(name: string, xml: string): Promise<void> {
    const entry = zip.entry(name);
    await entry.write(xml);
    await entry.end();
  }

  async function start(): Promise<void> {
    if (started) return;
    started = true;
    await part('xl/styles.xml', STYLES);
  }

  async function begin(base: string, columns: readonly SheetColumn[], options: SheetOptions): Promise<OpenSheet> {
    await start();
    const names = sheets.map(({ name }) => name);
    const number = sheets.length + 1;
    const letters = columns.map((_, index) => columnLetters(index));
    const header = columns.map(({ name }, index) => headerXml(`${letters[index]}1`, name)).join('');
    const pending = `${SHEET_START}${widths(columns)}<sheetData><row r="1">${header}</row>`;
    const sheet = {
      ...{ name: sheetName(base, names), number, base, columns, options, letters, pending },
      ...{
        entry: zip.entry(`xl/worksheets/sheet${number}.xml`),
        rows: 1,
        filtered: 1,
        bytes: header.length,
        links: [],
      },
    };
    sheets.push(sheet);
    return sheet;
  }

  async function finish(): Promise<void> {
    if (!open) return;
    const sheet = open;
    open = undefined;
    if (sheet.options.filter && sheet.columns.length > 0) {
      sheet.filter = `$A$1:$${sheet.letters.at(-1)}$${sheet.filtered}`;
    }
    const filter = sheet.filter ? `<autoFilter ref="${sheet.filter.replaceAll('$', '')}"/>` : '';
    const links = sheet.links.length > 0 ? `<hyperlinks>${sheet.links.join('')}</hyperlinks>` : '';
    await sheet.entry.write(`${sheet.pending}</sheetData>${filter}${links}</worksheet>`);
    await sheet.entry.end();
    sheet.pending = '';
    sheet.links = [];
  }

  async function rows(given: readonly (readonly Cell[])[], { total = false } = {}): Promise<RowRange[]> {
    const ranges: RowRange[] = [];
    for (const row of given) {
      if (!open) throw new Error('rows() before sheet()');
      if (open.rows >= most_rows || open.bytes > MOST_BYTES) {
        const { base, columns, options } = open;
        await finish();
        open = await begin(base, columns, options);
      }
      open.rows += 1;
      append(open, row, total);
      const range = ranges.at(-1);
      if (range?.sheet === open.name) range.last = open.rows;
      else ranges.push({ sheet: open.name, first: open.rows, last: open.rows });
      if (open.pending.length > FLUSH) {
        const text = open.pending;
        open.pending = '';
        await open.entry.write(text);
      }
    }
    return ranges;
  }

  async function put(xml: Buffer, count: number): Promise<void> {
    if (!open) throw new Error('written() before sheet()');
    if (open.rows + count > most_rows) throw new Error(`${open.rows + count} rows in one sheet`);
    if (open.pending !== '') await open.entry.write(open.pending);
    open.pending = '';
    open.rows += count;
    open.filtered = open.rows;
    open.bytes += xml.length;
    await open.entry.write(xml);
  }

  return {
    begin: start,
    async sheet(name, columns, options = {}) {
      await finish();
      open = await begin(name, columns, options);
      return open.name;
    },
    rows,
    written: put,
    async end() {
      if (sheets.length === 0) open = await begin('Sheet', [], {});
      await finish();
      const shown = sheets.toSorted((a, b) => Number(b.options.first ?? false) - Number(a.options.first ?? false));
      for (const [name, xml] of workbookParts(shown)) await part(name, xml);
      await zip.end();
    },
  };
}

/** Not one template of all: a row of text is most of the writing, and adding to one string is the quickest. */
function append(sheet: OpenSheet, row: readonly Cell[], total: boolean): void {
  const { columns, letters, rows } = sheet;
  let text = `<row r="${rows}">`;
  for (let index = 0; index < columns.length; index += 1) {
    const value = row[index] ?? null;
    text += cellXml(`${letters[index]}${rows}`, value, columns[index]?.kind ?? 'text', total);
    if (value !== null && typeof value === 'object' && 'link' in value && sheet.links.length < MOST_LINKS) {
      sheet.links.push(`<hyperlink ref="${letters[index]}${rows}" location="${escapeAttribute(value.link)}"/>`);
    }
  }
  text += '</row>';
  if (!total) sheet.filtered = rows;
  sheet.bytes += text.length;
  sheet.pending += text;
}

/** A column of a range as formulas name it: `'Detail'!D2:D501`. */
export function rangeReference({ sheet, first, last }: RowRange, column: number): string {
  const letters = columnLetters(column);
  return `${quotedSheet(sheet)}!${letters}${first}:${letters}${last}`;
}

/** Excel keeps this name for itself. */
const RESERVED = /^history$/i;

/** At most 31 characters, none of `[]:*?/\`, no apostrophe at the ends, unique regardless of case. */
export function sheetName(base: string, taken: readonly string[]): string {
  const clean = base
    .replace(/[[\]:*?/\\\p{Cc}]/gu, ' ')
    .replace(/^'+|'+$/g, '')
    .trim();
  const usable = RESERVED.test(clean) ? `${clean} 1` : clean;
  const used = new Set(taken.map((name) => name.toLowerCase()));
  for (let n = 1; ; n += 1) {
    const suffix = n === 1 ? '' : ` ${n}`;
    const name = (usable || 'Sheet').slice(0, 31 - suffix.length).toWellFormed() + suffix;
    if (!used.has(name.toLowerCase())) return name;
  }
}

const SHEET_START =
  `${XML}<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0">` +
  '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>';

const WIDEST = 60;

function widths(columns: readonly SheetColumn[]): string {
  if (columns.length === 0) return '';
  const cols = columns.map(({ name, kind, width = 0 }, index) => {
    const least = kind === 'timestamp' ? 20 : 11;
    const shown = Math.min(WIDEST, Math.max(least, name.length + 2, width + 2));
    return `<col min="${index + 1}" max="${index + 1}" width="${shown}" customWidth="1"/>`;
  });
  return `<cols>${cols.join('')}</cols>`;
}
