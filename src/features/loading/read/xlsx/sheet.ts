import { fail } from '#kernel/errors.ts';
import type { NumberFormat } from './formats.ts';
import type { SharedStrings } from './strings.ts';
import { formatAt, unescaped } from './workbook.ts';
import type { XmlHandlers } from './xml.ts';

/** A cell that shows something; blank ones are left out. */
export interface Cell {
  /** 0-based column of the sheet. */
  column: number;
  kind: 'text' | 'number' | 'boolean' | 'error' | 'date';
  text: string;
  format: NumberFormat;
}

export interface SheetRow {
  /** As Excel numbers it. */
  line: number;
  /** From left to right; empty for a blank row. */
  cells: Cell[];
}

/** Excel's own last column is XFD. */
const MAX_COLUMN = 16_384;

/**
 * Handlers that turn a worksheet part into rows (ECMA-376 part 1, 18.3.1). Of formulas the cached value
 * counts; rows and cells without a reference follow the one before, as Excel takes them.
 */
export function sheetHandlers(
  strings: SharedStrings,
  formats: NumberFormat[],
  onRow: (row: SheetRow) => void,
): XmlHandlers {
  let row: SheetRow = { line: 0, cells: [] };
  let column = -1;
  let type = 'n';
  let style: string | undefined;
  let value = '';
  let reading = false;
  let phonetic = false;

  const opened: Record<string, (attributes: Record<string, string>) => void> = {
    row(attributes) {
      row = { line: Number(attributes['r'] ?? row.line + 1), cells: [] };
      column = -1;
    },
    c(attributes) {
      const reference = attributes['r'];
      column = reference === undefined ? column + 1 : columnOf(reference);
      type = attributes['t'] ?? 'n';
      style = attributes['s'];
      value = '';
    },
    v: () => {
      reading = type !== 'inlineStr';
    },
    t: () => {
      reading = type === 'inlineStr' && !phonetic;
    },
    rPh: () => {
      phonetic = true;
    },
  };
  const closed: Record<string, () => void> = {
    v: () => {
      reading = false;
    },
    t: () => {
      reading = false;
    },
    rPh: () => {
      phonetic = false;
    },
    c: () => {
      const cell = cellOf(type, value, column, strings);
      if (cell) row.cells.push({ ...cell, column, format: formatAt(formats, style) });
    },
    row: () => onRow(row),
  };
  return {
    open: (name, attributes) => opened[name]?.(attributes),
    close: (name) => closed[name]?.(),
    text(part) {
      if (reading) value += part;
    },
  };
}

const KINDS: Record<string, Cell['kind']> = { b: 'boolean', e: 'error', d: 'date', str: 'text', inlineStr: 'text' };

function cellOf(
  type: string,
  value: string,
  column: number,
  strings: SharedStrings,
): Pick<Cell, 'kind' | 'text'> | undefined {
  if (value === '') return undefined;
  if (type === 's') return textCell(sharedText(value, column, strings));
  const kind = KINDS[type];
  if (kind === 'text') return textCell(unescaped(value));
  if (kind !== undefined) return { kind, text: value };
  return Number.isFinite(Number(value)) ? { kind: 'number', text: value } : textCell(value);
}

function sharedText(index: string, column: number, strings: SharedStrings): string {
  const text = strings.get(Number(index));
  if (text !== undefined) return text;
  throw fail('corrupt_file', `A cell in column ${column + 1} refers to the shared text ${index}, which is not there.`, {
    hint: 'Open it in Excel or LibreOffice, let it be repaired, save it as a new .xlsx, and upload that.',
  });
}

function textCell(text: string): Pick<Cell, 'kind' | 'text'> | undefined {
  return text === '' ? undefined : { kind: 'text', text };
}

/** `AB12` → 27. @throws corrupt_file */
export function columnOf(reference: string): number {
  let column = 0;
  for (let i = 0; i < reference.length; i++) {
    const letter = reference.charCodeAt(i) & 0xdf;
    if (letter < 0x41 || letter > 0x5a) break;
    column = column * 26 + (letter - 0x40);
    if (column > MAX_COLUMN) break;
  }
  if (column >= 1 && column <= MAX_COLUMN) return column - 1;
  throw fail('corrupt_file', `“${reference.slice(0, 20)}” is no cell of a worksheet.`);
}
