import type { ReaderOptions } from '#contract/reader-options.ts';
import type { RowSink } from '../rows/sink.ts';
import { typeOf } from '../rows/typing.ts';
import { type CellContext, cellValue, headerName } from './cells.ts';
import { findLayout } from './header.ts';
import type { Cell, SheetRow } from './sheet.ts';

/** Rows looked at before the table's layout is decided. */
const SAMPLE_ROWS = 200;

export interface SheetTable {
  row(row: SheetRow): void;
  end(): void;
  /** What was found: a header row, and rows above it (or above the data). */
  readonly header: boolean;
  readonly skip: number;
}

/** Turns a sheet's rows into a table's: the first are held back until the layout is clear, then all go to the sink. */
export function createSheetTable(sink: RowSink, options: ReaderOptions, date1904: boolean): SheetTable {
  let sample: SheetRow[] | undefined = [];
  let last_line = 0;
  /** The sink's column of each column of the sheet, and the first that the table has. */
  const columns = new Map<number, number>();
  let first_column = 0;
  let line = 0;
  const errors = new Map<number, { count: number; line: number; text: string }>();
  const context: CellContext = {
    date1904,
    null_values: new Set(options.null_values),
    onError(cell) {
      const seen = errors.get(cell.column) ?? { count: 0, line, text: cell.text };
      errors.set(cell.column, { ...seen, count: seen.count + 1 });
    },
  };
  const table = { row, end, header: false, skip: 0 };

  function columnFor(sheet_column: number): number {
    const known = columns.get(sheet_column);
    if (known !== undefined) return known;
    const name = `column${Math.max(sheet_column - first_column, 0)}`;
    // Named by position, so it must not meet a header of that very name.
    const index = addColumn(sheet_column < first_column ? `column_${sheet_column}` : name);
    columns.set(sheet_column, index);
    return index;
  }

  /** Columns of one name are kept apart: the sink knows names only. */
  function addColumn(name: string): number {
    const before = sink.columns.length;
    let index = sink.column(name);
    for (let n = 1; index < before; n++) index = sink.column(`${name}_${n}`);
    return index;
  }

  function write(row: SheetRow): void {
    const cells: (string | undefined)[] = [];
    line = row.line;
    for (const cell of row.cells) {
      const index = columnFor(cell.column);
      const column = sink.columns[index];
      if (column) cells[index] = cellValue(cell, column, context);
    }
    sink.row(row.line, cells, cells.length);
  }

  function decide(rows: SheetRow[]): void {
    const { header, first } = findLayout(rows, options);
    const named = header === undefined ? undefined : rows[header];
    const region = rows.slice(header ?? first);
    first_column = Math.min(...region.map((row) => row.cells[0]?.column ?? Number.MAX_SAFE_INTEGER));
    table.header = named !== undefined;
    table.skip = (named ?? rows[first])?.line ? ((named ?? rows[first])?.line ?? 1) - 1 : 0;
    for (const row of rows.slice(0, header ?? first)) sink.skip(row.line, `above the table: ${glimpse(row.cells)}`);
    if (named) nameColumns(named.cells);
    last_line = (named ?? rows[first])?.line ?? 0;
    for (const row of rows.slice(first)) {
      noteBlank(row.line);
      write(row);
    }
  }

  function nameColumns(cells: Cell[]): void {
    let at = first_column;
    for (const cell of cells) {
      for (; at < cell.column; at++) columnFor(at);
      const name = headerName(cell, date1904);
      if (name === '') columnFor(cell.column);
      else columns.set(cell.column, addColumn(name));
      at = cell.column + 1;
    }
  }

  function row(next: SheetRow): void {
    if (next.cells.length === 0) return;
    if (sample === undefined) {
      noteBlank(next.line);
      write(next);
    } else {
      sample.push(next);
      if (sample.length === SAMPLE_ROWS) flush();
    }
  }

  function noteBlank(to: number): void {
    if (to > last_line + 1) {
      const many = to - last_line - 1;
      sink.skip(last_line + 1, many === 1 ? 'blank row' : `${many} blank rows`);
    }
    last_line = to;
  }

  function flush(): void {
    const rows = sample ?? [];
    sample = undefined;
    if (rows.length > 0) decide(rows);
  }

  function end(): void {
    if (sample !== undefined) flush();
    for (const [sheet_column, { count, line: first, text }] of errors) {
      const column = sink.columns[columnFor(sheet_column)];
      if (!column || typeOf(column.typing) === 'text') continue;
      sink.skip(first, `error values in “${column.name}” are NULL: ${count}, the first is ${text}`);
    }
  }

  return table;
}

/** The beginning of a line that is no record, for the list of such lines. */
function glimpse(cells: Cell[]): string {
  const text = cells.map((cell) => cell.text).join(' · ');
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
