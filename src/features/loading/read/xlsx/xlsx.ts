import { join } from 'node:path';
import type { ReadTable } from '#contract/load.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { createBudget } from '../open/budget.ts';
import { openZip } from '../open/zip.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { createRowSink } from '../rows/sink.ts';
import { writeRows } from '../rows/table.ts';
import { sheetHandlers } from './sheet.ts';
import { createSheetTable, type SheetTable } from './sheet-table.ts';
import { createSharedStrings, type SharedStrings } from './strings.ts';
import { createParts, type Parts, readSharedStrings, readWorkbook, type Sheet, type Workbook } from './workbook.ts';

const PROGRESS_ROWS = 5000;

/**
 * Reads a workbook (ECMA-376, transitional or strict): one table per sheet, named after it. Empty sheets and
 * charts are left out; hidden sheets too, unless asked for by name or nothing else is there.
 * Parts are parsed as they are unpacked, rows go to disk: memory stays flat, the budget counts all parts.
 * @throws no_table, encrypted_file, corrupt_file, truncated_file, malformed_xml, decompression_bomb,
 *   value_too_large, too_many_columns
 */
export const readXlsx: Reader = async (file, context) => {
  const { limits } = context.request;
  const zip = await openZip(file.path, file.size);
  const strings = createSharedStrings(join(context.temp_dir, newId()));
  try {
    const parts = createParts(zip, createBudget(file.size, limits), limits.max_value_bytes);
    const workbook = await readWorkbook(parts);
    const sheets = chooseSheets(workbook.sheets, context.request.options.sheet);
    await readSharedStrings(parts, workbook.strings, strings);
    const tables: ReadTable[] = [];
    for (const sheet of sheets) {
      const table = await readSheet(sheet, { workbook, parts, strings, context, file_bytes: file.size });
      if (table) tables.push(table);
    }
    noteHidden(tables, workbook.sheets, sheets);
    return tables.length > 0 ? tables : [await emptyTable(context)];
  } finally {
    strings.close();
    zip.close();
  }
};

function chooseSheets(sheets: Sheet[], wanted: string | undefined): Sheet[] {
  if (wanted !== undefined) {
    const found = sheets.find((sheet) => sheet.name === wanted);
    if (found) return [found];
    const names = sheets.slice(0, 20).map((sheet) => `“${sheet.name}”`);
    throw fail('no_table', `The workbook has no sheet “${wanted}”.`, { hint: `It has: ${names.join(', ')}.` });
  }
  if (sheets.length === 0) throw fail('no_table', 'The workbook has no worksheets.');
  const visible = sheets.filter((sheet) => !sheet.hidden);
  return visible.length > 0 ? visible : sheets;
}

interface Source {
  workbook: Workbook;
  parts: Parts;
  strings: SharedStrings;
  context: ReadContext;
  file_bytes: number;
}

async function readSheet(sheet: Sheet, source: Source): Promise<ReadTable | undefined> {
  const { workbook, parts, strings, context, file_bytes } = source;
  const { options, limits } = context.request;
  const sink = createRowSink(join(context.temp_dir, newId()), limits.max_columns);
  const table: SheetTable = createSheetTable(sink, options, workbook.date1904);
  try {
    let rows = 0;
    const onRow: Parameters<typeof sheetHandlers>[2] = (row) => {
      table.row(row);
      rows += 1;
      if (rows % PROGRESS_ROWS === 0) context.progress(Math.round(parts.progress() * file_bytes), rows);
    };
    await parts.parse(sheet.part, sheetHandlers(strings, workbook.formats, onRow));
    table.end();
  } finally {
    sink.close();
  }
  if (sink.columns.length === 0) return undefined;
  const sniffed: Sniffed = { format: 'xlsx', sheet: sheet.name, header: table.header, skip: table.skip };
  return await writeRows(context, { sink, sniffed, name: sheet.name });
}

/** Sheets that a person does not see are not read in silence. */
function noteHidden(tables: ReadTable[], all: Sheet[], read: Sheet[]): void {
  const first = tables[0];
  if (!first) return;
  for (const sheet of all) {
    if (!sheet.hidden || read.includes(sheet) || first.accounting.skipped.length >= 100) continue;
    first.accounting.skipped.push({
      line: 0,
      why: `the hidden sheet “${sheet.name}”; name it in the option "sheet" to read it`,
    });
  }
}

/** A workbook of empty sheets is a table without columns, as an empty text file is. */
async function emptyTable(context: ReadContext): Promise<ReadTable> {
  const sink = createRowSink(join(context.temp_dir, newId()), 1);
  sink.close();
  return await writeRows(context, { sink, sniffed: { format: 'xlsx' } });
}
