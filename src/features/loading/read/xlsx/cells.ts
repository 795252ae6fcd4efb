import type { SinkColumn } from '../rows/sink.ts';
import { shown } from '../rows/sink.ts';
import { sawBoolean, sawDate, sawDouble, sawText, sawTime, sawTimestamp } from '../rows/typing.ts';
import { durationText, type Moment, momentOf } from './formats.ts';
import type { Cell } from './sheet.ts';

export interface CellContext {
  date1904: boolean;
  null_values: ReadonlySet<string>;
  /** Told of error values, which are NULL in a typed column. */
  onError(cell: Cell): void;
}

/**
 * A cell's text for the sink, and what it tells about its column. In a column of one kind the value counts;
 * where kinds are mixed the column is text and shows what the number format shows. Error values
 * (`#N/A`, `#DIV/0!`) have no value: NULL among numbers, their own text among texts.
 */
export function cellValue(cell: Cell, column: SinkColumn, context: CellContext): string | undefined {
  const { typing } = column;
  if (context.null_values.has(cell.text)) return undefined;
  switch (cell.kind) {
    case 'text':
      sawText(typing);
      return column.shown || cell.text.includes('\x1f') ? withText(column, cell.text, cell.text) : cell.text;
    case 'boolean':
      sawBoolean(typing);
      return isTrue(cell.text) ? withText(column, 'true', 'TRUE') : withText(column, 'false', 'FALSE');
    case 'error':
      context.onError(cell);
      return withText(column, '', cell.text);
    case 'date':
      return isoDate(cell.text, column);
    case 'number':
      return numberValue(cell, column, context.date1904);
  }
}

function withText(column: SinkColumn, value: string, text: string): string {
  column.shown = true;
  return shown(value, text);
}

function isTrue(text: string): boolean {
  return text === '1' || text.toLowerCase() === 'true';
}

const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)Z?)?$/;

/** A cell of type `d`: ISO 8601 in the file itself. */
function isoDate(text: string, column: SinkColumn): string {
  const match = ISO.exec(text);
  if (!match?.[1] || Number.isNaN(Date.parse(match[1]))) {
    sawText(column.typing);
    return text;
  }
  if (match[2] === undefined) {
    sawDate(column.typing);
    return match[1];
  }
  sawTimestamp(column.typing);
  return `${match[1]} ${match[2]}`;
}

function numberValue(cell: Cell, column: SinkColumn, date1904: boolean): string {
  const value = Number(cell.text);
  const { kind, show } = cell.format;
  if (kind === 'code' && Number.isInteger(value) && show) {
    sawText(column.typing);
    return show(value);
  }
  if (kind === 'date' || kind === 'datetime' || kind === 'time' || kind === 'elapsed') {
    const moment = momentText(value, kind, column, date1904);
    if (moment !== undefined) return moment;
  }
  const text = String(value);
  sawDouble(column.typing, value, text);
  const people = show ? show(value) : text.length > 16 ? generalText(value) : text;
  return people === text ? text : withText(column, text, people);
}

/** Excel computes with 17 digits and shows 15 at most: 0.30000000000000004 is 0.3. */
function generalText(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function momentText(
  value: number,
  kind: 'date' | 'datetime' | 'time' | 'elapsed',
  column: SinkColumn,
  date1904: boolean,
): string | undefined {
  if (kind === 'elapsed' && (value >= 1 || value < 0)) {
    sawText(column.typing);
    return durationText(value);
  }
  const moment = momentOf(value, date1904);
  if (moment === undefined) return undefined;
  if ((kind === 'time' || kind === 'elapsed') && value < 1) {
    sawTime(column.typing);
    return moment.time;
  }
  return dayText(moment, kind === 'date' && moment.whole, column);
}

function dayText(moment: Moment, date_only: boolean, column: SinkColumn): string {
  if (date_only) {
    sawDate(column.typing);
    return moment.day;
  }
  sawTimestamp(column.typing);
  return `${moment.day} ${moment.time}`;
}

/** What a header cell is called. */
export function headerName(cell: Cell, date1904: boolean): string {
  if (cell.kind !== 'number') return cell.text.trim();
  const scratch: SinkColumn = {
    name: '',
    shown: false,
    typing: { seen: 0, nulls: false, int_digits: 0, scale: 0, lossy: false },
  };
  const text = numberValue(cell, scratch, date1904);
  return text.slice(text.indexOf('\x1f') + 1);
}
