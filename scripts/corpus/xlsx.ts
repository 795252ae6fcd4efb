import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Corpus, CorpusResult, LoadedTable, Outcome } from './corpus.ts';

interface SheetTruth {
  sheet: string;
  state: string;
  /** Counted from 1; the last row and column that hold anything. */
  last_row: number;
  last_col: number;
  non_empty: number;
  /** The first three rows and at most eight columns, as openpyxl reads them. */
  first_rows: (string | null)[][];
}

interface FileTruth {
  file: string;
  truth?: { sheets?: SheetTruth[]; error?: string };
}

/** Files that must be refused, and how. */
const REFUSED: Record<string, string[]> = {
  'readxl__dates-1904.xls': ['legacy_xls'],
  'qsv__any_sheets.ods': ['unsupported_format'],
  'calamine__pass_protected.xlsx': ['encrypted_file'],
  'exceljs__missing-bits.xlsx': ['corrupt_file'],
  'exceljs__invalid-xml.xlsx': ['malformed_xml'],
  'poi__poc-xmlbomb.xlsx': ['malformed_xml', 'decompression_bomb'],
};

/**
 * Odd and broken workbooks against what openpyxl sees: every sheet that is not empty is a table, every cell that
 * is not empty is in the header, in a row, or on a line reported as skipped; first rows have the same values.
 */
export const xlsx: Corpus = {
  name: 'xlsx',
  async run(folder, read) {
    const truths = JSON.parse(await readFile(join(folder, 'truth.json'), 'utf8')) as FileTruth[];
    const results: CorpusResult[] = [];
    for (const { file, truth } of truths) {
      const outcome = await read(join(folder, file));
      results.push(REFUSED[file] ? refusal(file, outcome, REFUSED[file]) : judge(file, outcome, truth?.sheets ?? []));
    }
    return results;
  },
};

function refusal(file: string, outcome: Outcome, codes: string[]): CorpusResult {
  const documented = !outcome.ok && codes.includes(outcome.code);
  const note = outcome.ok ? 'was accepted' : outcome.code;
  return { file, verdict: documented ? 'documented' : 'DIFFERENT', note, unaccounted: 0 };
}

function judge(file: string, outcome: Outcome, sheets: SheetTruth[]): CorpusResult {
  if (!outcome.ok) return { file, verdict: 'DIFFERENT', note: outcome.code, unaccounted: 0 };
  const filled = sheets.filter((sheet) => sheet.last_row > 0);
  const faults = filled.flatMap((sheet) => {
    const table = outcome.tables.find((candidate) => candidate.table.name === sheet.sheet);
    return table ? faultsOf(table, sheet) : [`no table for ${sheet.sheet}`];
  });
  if (outcome.tables.length > filled.length) faults.push(`${outcome.tables.length} tables`);
  const { unaccounted } = outcome;
  return faults.length === 0
    ? { file, verdict: 'equal', unaccounted }
    : { file, verdict: 'DIFFERENT', note: faults.slice(0, 3).join('; '), unaccounted };
}

function faultsOf(loaded: LoadedTable, truth: SheetTruth): string[] {
  const { table, names, rows, lines } = loaded;
  const faults: string[] = [];
  const last = Math.max(lines.at(-1) ?? 0, table.accounting.skipped.at(-1)?.line ?? 0, (table.sniffed.skip ?? 0) + 1);
  if (last !== truth.last_row) faults.push(`${truth.sheet} ends at ${last} instead of ${truth.last_row}`);
  if (table.accounting.skipped.length === 0) {
    const header = table.sniffed.header ? names.filter((name) => !/^column\d+$/.test(name)).length : 0;
    const cells = rows.flat().filter((cell) => cell !== null && cell !== '').length;
    if (header + cells !== truth.non_empty)
      faults.push(`${truth.sheet} has ${header + cells} cells instead of ${truth.non_empty}`);
  }
  return [...faults, ...firstRowFaults(loaded, truth)];
}

/** The truth's first rows leave out blank ones, and so do ours: what is above the table, its header, its rows. */
function firstRowFaults({ table, rows, names }: LoadedTable, truth: SheetTruth): string[] {
  const above = table.accounting.skipped.filter(({ why }) => why.startsWith('above the table')).length;
  const ours = table.sniffed.header ? [names, ...rows] : rows;
  const expected = truth.first_rows.filter((row) => row.some((cell) => cell !== null)).slice(above);
  return expected.flatMap((row, index) => {
    const got = ours[index] ?? [];
    // Columns in front of the table are not among its own, so only values are compared.
    const missing = row.filter((value) => value !== null && !got.some((cell) => same(cell, value)));
    return missing.map((value) => `${truth.sheet} lacks “${value}” (has ${got.slice(0, 8).join(' | ')})`);
  });
}

/** openpyxl writes a date as midnight and `TRUE` as `True`; the truth's texts are cut at 40 characters. */
function same(cell: string | null, truth: string): boolean {
  if (cell === null) return false;
  const number = Number(truth);
  if (truth.trim() !== '' && !Number.isNaN(number) && Number(cell.replace(/[$,]/g, '')) === number) return true;
  const clean = (text: string): string =>
    text
      .trim()
      .toLowerCase()
      .replace(/ 00:00:00$/, '');
  const wanted = clean(truth);
  if (truth.length >= 40) return clean(cell).startsWith(wanted);
  return clean(cell) === wanted || clean(cell).replace(/_\d+$/, '') === wanted;
}
