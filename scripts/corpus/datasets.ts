import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Corpus, CorpusResult, LoadedTable, Outcome } from './corpus.ts';

interface ColumnTruth {
  name: string | null;
  empty: number;
  distinct: number;
  all_numeric?: boolean;
  sum?: number;
  min?: number;
  max?: number;
}

interface FileTruth {
  file: string;
  kind: string;
  rows: number;
  columns: number;
  header: boolean;
  cols: ColumnTruth[];
}

/** What a person expects beyond the figures: codes stay text, dates are dates. */
const TYPES: Record<string, Record<string, string>> = {
  'titanic.csv': { PassengerId: 'integer', Age: 'number', Fare: 'number', Name: 'text', Ticket: 'text' },
  'municipios_es.csv': { municipio_id: 'text', provincia_id: 'text', cmun: 'text', dc: 'integer', nombre: 'text' },
  'ejecucion_presupuestal.csv': { ANO_EJE: 'integer', EJECUTORA: 'text', PROVINCIA_EJECUTORA: 'text' },
  'airports.dat': { column0: 'integer', column4: 'text', column6: 'number', column8: 'integer', column9: 'number' },
  'nyc_taxis.csv': { pickup: 'timestamp', fare: 'number', passengers: 'integer' },
  'tutorial_flights.csv': { 'Travel Date': 'date', Cost: 'number' },
  'userdata1.csv': { registration_dttm: 'timestamp', birthdate: 'date', cc: 'text', salary: 'number' },
  'video_game_sales.csv': { year: 'integer', na_sales: 'number' },
};

/** CSV files that people upload, with sums, extremes and counts made by another program. */
export const datasets: Corpus = {
  name: 'datasets',
  async run(folder, read) {
    const truths = JSON.parse(await readFile(join(folder, 'truth.json'), 'utf8')) as FileTruth[];
    const results: CorpusResult[] = [];
    for (const truth of truths.filter((entry) => entry.kind === 'csv')) {
      results.push(judge(truth, await read(join(folder, truth.file))));
    }
    return results;
  },
};

function judge(truth: FileTruth, outcome: Outcome): CorpusResult {
  const { file } = truth;
  if (!outcome.ok) return { file, verdict: 'DIFFERENT', note: outcome.code, unaccounted: 0 };
  const [table] = outcome.tables;
  const faults = table ? faultsOf(truth, table) : ['no table'];
  return {
    file,
    verdict: faults.length === 0 ? 'equal' : 'DIFFERENT',
    note: faults.slice(0, 4).join('; '),
    unaccounted: outcome.unaccounted,
  };
}

function faultsOf(truth: FileTruth, table: LoadedTable): string[] {
  const faults: string[] = [];
  const expect = (what: string, got: unknown, want: unknown) => {
    if (got !== want) faults.push(`${what}: ${got} instead of ${want}`);
  };
  expect('rows', table.rows.length, truth.rows);
  expect('columns', table.names.length, truth.columns);
  expect('header', table.table.sniffed.header, truth.header);
  for (const [name, type] of Object.entries(TYPES[truth.file] ?? {})) {
    expect(`type of ${name}`, table.table.columns.find((column) => column.name === name)?.type, type);
  }
  for (const [index, column] of truth.cols.entries()) {
    const cells = table.rows.map((row) => row[index] ?? null);
    const type = table.table.columns[index]?.type;
    if (column.name !== null) expect('name', table.names[index], column.name);
    if (column.all_numeric) checkNumbers(column, cells, expect);
    else if (type === 'text') checkText(column, cells, expect);
  }
  return faults;
}

type Expect = (what: string, got: unknown, want: unknown) => void;

function checkNumbers(column: ColumnTruth, cells: (string | null)[], expect: Expect): void {
  const numbers = cells.filter((cell) => cell !== null).map(Number);
  expect(`empty in ${column.name}`, cells.length - numbers.length, column.empty);
  const sum = numbers.reduce((a, b) => a + b, 0);
  const close = Math.abs(sum - (column.sum ?? 0)) <= 1e-6 * Math.max(1, Math.abs(column.sum ?? 0));
  expect(`sum of ${column.name}`, close ? column.sum : sum, column.sum);
  expect(
    `min of ${column.name}`,
    numbers.reduce((a, b) => Math.min(a, b), Infinity),
    column.min,
  );
  expect(
    `max of ${column.name}`,
    numbers.reduce((a, b) => Math.max(a, b), -Infinity),
    column.max,
  );
}

/** `\N` is a database's null: it counts as a value in the truth. */
function checkText(column: ColumnTruth, cells: (string | null)[], expect: Expect): void {
  const distinct = new Set(cells.map((cell) => cell ?? '')).size;
  const difference = Math.abs(distinct - column.distinct);
  expect(`distinct of ${column.name}`, difference <= 1 ? column.distinct : distinct, column.distinct);
}
