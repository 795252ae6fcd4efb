/** What a column holds decides how its cells are typed and shown; `integer` and `amount` with thousands apart. */
export type CellKind = 'text' | 'number' | 'integer' | 'amount' | 'boolean' | 'date' | 'timestamp' | 'time';

/**
 * Numbers of date, timestamp and time columns are Excel's serials; text in a column of another kind
 * (an integer of 30 digits, a date before 1900) stays text.
 */
export type Cell = string | number | boolean | null | FormulaCell | LinkCell;

/** A formula of Caudal's own, never of a user's text, with the value it has now. */
export interface FormulaCell {
  formula: string;
  value: number;
}

/** Text that leads to a place in the same workbook: `'Detail'!A2`. */
export interface LinkCell {
  text: string;
  link: string;
}

/** Indexes into `cellXfs` of the workbook's styles; each is followed by its form for totals. */
export const STYLE = {
  plain: 0,
  header: 2,
  date: 4,
  timestamp: 6,
  time: 8,
  text: 10,
  integer: 12,
  amount: 14,
  link: 16,
} as const;

export const STYLE_OF: Partial<Record<CellKind, number>> = {
  date: STYLE.date,
  timestamp: STYLE.timestamp,
  time: STYLE.time,
  integer: STYLE.integer,
  amount: STYLE.amount,
};

/** Excel's limit of characters in a cell. */
export const LONGEST_TEXT = 32_767;
export const TRUNCATED = '… [truncated]';

/** `0 → A, 25 → Z, 26 → AA`. */
export function columnLetters(index: number): string {
  let letters = '';
  for (let rest = index + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  }
  return letters;
}

/** A cell's XML; nothing for an empty one. `reference` is its address, e.g. `B7`; `total`: of a line of totals. */
export function cellXml(reference: string, value: Cell, kind: CellKind, total = false): string {
  if (typeof value === 'string') return textXml(reference, value, total);
  const style = (STYLE_OF[kind] ?? STYLE.plain) + (total ? 1 : 0);
  const open = `<c r="${reference}"${style === 0 ? '' : ` s="${style}"`}`;
  if (typeof value === 'number') return Number.isFinite(value) ? `${open}><v>${value}</v></c>` : '';
  if (value === null) return total ? `${open}/>` : '';
  if (typeof value === 'boolean') return `${open} t="b"><v>${value ? 1 : 0}</v></c>`;
  if ('link' in value) return textXml(reference, value.text, total, STYLE.link);
  return `${open}><f>${escapeText(value.formula)}</f><v>${value.value}</v></c>`;
}

/**
 * Text is typed as text, so Excel never evaluates `=…`; where it begins like a formula the style's
 * quote prefix keeps it text even after somebody edits the cell.
 */
function textXml(reference: string, value: string, total: boolean, style?: number): string {
  const shown = (style ?? (/^[=+\-@\t\r]/.test(value) ? STYLE.text : STYLE.plain)) + (total ? 1 : 0);
  const attribute = shown === 0 ? '' : ` s="${shown}"`;
  const space = /^\s|\s$|\n/.test(value) ? ' xml:space="preserve"' : '';
  return `<c r="${reference}"${attribute} t="inlineStr"><is><t${space}>${escapeText(fitting(value))}</t></is></c>`;
}

export function headerXml(reference: string, name: string): string {
  return textXml(reference, name, false, STYLE.header);
}

function fitting(value: string): string {
  if (value.length <= LONGEST_TEXT) return value;
  return value.slice(0, LONGEST_TEXT - TRUNCATED.length).toWellFormed() + TRUNCATED;
}

/** What XML 1.0 cannot hold, and text that would be read as such an escape (ECMA-376 part 1, §22.9.2.19). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
const UNFIT = /[\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g;
const MARKUP = /[&<>]/g;
const ENTITY: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

export function escapeText(value: string): string {
  return value
    .toWellFormed()
    .replace(UNFIT, (character) => `_x${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`)
    .replace(MARKUP, (character) => ENTITY[character] as string);
}

export function escapeAttribute(value: string): string {
  return escapeText(value).replaceAll('"', '&quot;');
}

const MS_PER_DAY = 86_400_000;
/** Serial 0 is 1899-12-30; before 1900-03-01 Excel's calendar has a day that never was. */
const EPOCH_DAYS = 25_569;
const FIRST_SERIAL = 61;

/** Milliseconds since 1970 (UTC) as Excel's serial; undefined where Excel has no such date. */
export function excelSerial(milliseconds: number): number | undefined {
  const serial = milliseconds / MS_PER_DAY + EPOCH_DAYS;
  return serial >= FIRST_SERIAL && serial < 2_958_466 ? serial : undefined;
}
