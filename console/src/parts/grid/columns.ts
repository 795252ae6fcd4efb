import { formatValue } from '../format.ts';

export interface GridColumn {
  name: string;
  type: string;
}

export function isNumeric(type: string): boolean {
  return /^(integer|number|decimal)/.test(type);
}

/** Width of a character and of a cell's padding at the grid's font size, and the limits of a column. */
const CHARACTER = 7.6;
const PADDING = 28;
const LEAST = 90;
const MOST = 340;

/** Pixels for each column: as its name and type, and nine in ten of the given rows' values, need; within limits. */
export function columnWidths(columns: readonly GridColumn[], rows: readonly Record<string, unknown>[]): number[] {
  return columns.map(({ name, type }) => {
    const lengths = rows.map((row) => formatValue(row[name]).length).sort((a, b) => a - b);
    const typical = lengths[Math.floor(lengths.length * 0.9)] ?? 0;
    const header = name.length + type.length * 0.9 + 3;
    return Math.round(Math.min(MOST, Math.max(LEAST, Math.max(typical, header) * CHARACTER + PADDING)));
  });
}
