import { clip, displayWidth, type Terminal, visible } from './terminal.ts';

export interface TextColumn {
  name: string;
  /** Numbers stand right. */
  align?: 'left' | 'right';
}

/** Widest a single cell may be on a terminal; the rest of it is one `--json` away. */
const CELL = 48;

/**
 * Aligned columns. On a terminal, cells and columns are cut to fit its width, and what is left
 * out is counted below; piped, nothing is cut unless `widest` says so.
 */
export function textTable(
  terminal: Terminal,
  titles: readonly (string | TextColumn)[],
  rows: string[][],
  widest = terminal.tty ? CELL : Number.POSITIVE_INFINITY,
): string {
  const columns = titles.map((title): TextColumn => (typeof title === 'string' ? { name: title } : title));
  const cells = rows.map((row) => row.map((cell) => clip(printable(cell), widest)));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(visible(column.name)), ...cells.map((row) => displayWidth(row[index] ?? ''))),
  );
  const shown = terminal.tty ? fitting(widths, terminal.columns) : widths.length;
  const line = (row: string[], paint: (text: string) => string) =>
    row
      .slice(0, shown)
      .map((cell, index) => paint(pad(cell, widths[index] ?? 0, columns[index]?.align ?? 'left', index === shown - 1)))
      .join('  ');
  const header = line(
    columns.map((column) => visible(column.name)),
    (text) => terminal.paint('bold', text),
  );
  const left = columns.slice(shown).map((column) => visible(column.name));
  const more =
    left.length > 0
      ? [terminal.paint('dim', clip(`and ${left.length} more columns: ${left.join(', ')}`, terminal.columns))]
      : [];
  return [header, ...cells.map((row) => line(row, (text) => text)), ...more].join('\n');
}

/** Our own colours stay; whatever else would steer the terminal is shown instead of sent. */
function printable(cell: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colour codes of `paint`
  return /^\x1b\[\d\dm[\w ,-]*\x1b\[39m$/.test(cell) ? cell : visible(cell);
}

/** How many columns fit beside each other: at least one. */
function fitting(widths: number[], available: number): number {
  let used = 0;
  for (const [index, width] of widths.entries()) {
    used += width + (index === 0 ? 0 : 2);
    if (used > available) return Math.max(1, index);
  }
  return widths.length;
}

function pad(text: string, width: number, align: 'left' | 'right', last: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)));
  if (align === 'right') return blanks + text;
  return last ? text : text + blanks;
}

/** A value of a JSON answer as a cell. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const NUMERIC = /^(integer|number|decimal)/;

export function alignmentOf(type: string): 'left' | 'right' {
  return NUMERIC.test(type) ? 'right' : 'left';
}
