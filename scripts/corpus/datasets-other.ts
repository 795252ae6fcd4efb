import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Corpus, CorpusRead, CorpusResult, LoadedTable } from './corpus.ts';

interface FileTruth {
  file: string;
  kind: string;
  rows?: number;
  keys?: string[];
}

/** What a person expects of them. */
const TYPES: Record<string, Record<string, string>> = {
  'movies.json': { Title: 'text', 'US Gross': 'integer', 'IMDB Rating': 'number', 'Release Date': 'text' },
  'colombia.json': { id: 'integer', departamento: 'text', ciudades: 'json' },
  'countries.geo.json': { id: 'text', name: 'text', geometry: 'json' },
  'boston311-100.jsonl': { case_enquiry_id: 'integer', open_dt: 'timestamp', ward: 'text', latitude: 'number' },
  'userdata1.parquet': { registration_dttm: 'timestamp', id: 'integer', cc: 'text', salary: 'number' },
};

/** The files of the same folder that are no CSV: JSON and NDJSON by rows and keys, Parquet by its CSV twin, .xls refused. */
export const datasetsOther: Corpus = {
  name: 'datasets',
  async run(folder, read) {
    const truths = JSON.parse(await readFile(join(folder, 'truth.json'), 'utf8')) as FileTruth[];
    const results: CorpusResult[] = [];
    for (const truth of truths.filter((entry) => entry.kind !== 'csv')) results.push(await judge(folder, truth, read));
    return results;
  },
};

async function judge(folder: string, truth: FileTruth, read: CorpusRead): Promise<CorpusResult> {
  const { file } = truth;
  const outcome = await read(join(folder, file));
  if (!outcome.ok) {
    const documented = file.endsWith('.xls') && outcome.code === 'legacy_xls';
    return { file, verdict: documented ? 'documented' : 'DIFFERENT', note: outcome.code, unaccounted: 0 };
  }
  const [table] = outcome.tables;
  const faults = table
    ? [...shapeFaults(truth, table), ...(await twinFaults(folder, file, table, read))]
    : ['no table'];
  const verdict = faults.length === 0 ? 'equal' : 'DIFFERENT';
  return { file, verdict, note: faults.slice(0, 4).join('; '), unaccounted: outcome.unaccounted };
}

function shapeFaults(truth: FileTruth, { table, names, rows }: LoadedTable): string[] {
  const faults: string[] = [];
  if (truth.rows !== undefined && rows.length !== truth.rows)
    faults.push(`${rows.length} rows instead of ${truth.rows}`);
  for (const key of truth.keys ?? []) if (!names.includes(key)) faults.push(`no column ${key}`);
  for (const [name, type] of Object.entries(TYPES[truth.file] ?? {})) {
    const got = table.columns.find((column) => column.name === name)?.type;
    if (got !== type) faults.push(`${name} is ${got} instead of ${type}`);
  }
  return faults;
}

/**
 * `userdata1.parquet` holds the rows of `userdata1.csv`, but a few were edited in one of them (e-mail addresses,
 * noon that became midnight, a gender): a column may differ in that share of its cells. Birthdays are texts
 * in the one and dates in the other.
 */
const EDITED = 0.1;

async function twinFaults(folder: string, file: string, table: LoadedTable, read: CorpusRead): Promise<string[]> {
  if (!file.endsWith('.parquet')) return [];
  const twin = await read(join(folder, file.replace(/parquet$/, 'csv')));
  const [csv] = twin.ok ? twin.tables : [];
  if (!csv) return ['its CSV twin cannot be read'];
  if (csv.rows.length !== table.rows.length) return [`${table.rows.length} rows, its CSV twin has ${csv.rows.length}`];
  return table.names.flatMap((name, index) => {
    const at = csv.names.indexOf(name);
    if (name === 'birthdate') return [];
    const different = table.rows.filter((cells, line) => !same(cells[index] ?? null, csv.rows[line]?.[at] ?? null));
    const few = different.length <= table.rows.length * EDITED;
    return few ? [] : [`${name} differs from its CSV twin in ${different.length} rows`];
  });
}

/** The empty text of the one is the NULL of the other. */
function same(a: string | null, b: string | null): boolean {
  const left = (a ?? '').trim();
  const right = (b ?? '').trim();
  return left === right || (left !== '' && right !== '' && Number(left) === Number(right));
}
