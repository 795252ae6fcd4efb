import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Corpus, CorpusResult, LoadedTable, Outcome } from './corpus.ts';

/** Parquet files with their rows as JSON, made by another reader (hyparquet); `bad__` ones must be refused. */
export const parquet: Corpus = {
  name: 'parquet',
  async run(folder, read) {
    const results: CorpusResult[] = [];
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.parquet')).sort()) {
      const outcome = await read(join(folder, file));
      if (file.startsWith('bad__')) {
        results.push(refusal(file, outcome));
        continue;
      }
      const truth = JSON.parse(await readFile(join(folder, file.replace(/parquet$/, 'json')), 'utf8')) as unknown[][];
      results.push(judge(file, outcome, truth));
    }
    return results;
  },
};

function refusal(file: string, outcome: Outcome): CorpusResult {
  const documented = !outcome.ok && outcome.code === 'corrupt_file';
  const note = outcome.ok ? 'was accepted' : outcome.code;
  return { file, verdict: documented ? 'documented' : 'DIFFERENT', note, unaccounted: 0 };
}

function judge(file: string, outcome: Outcome, truth: unknown[][]): CorpusResult {
  if (!outcome.ok) return { file, verdict: 'DIFFERENT', note: outcome.code, unaccounted: 0 };
  const [table] = outcome.tables;
  const fault = table ? faultOf(table, truth) : 'no table';
  const { unaccounted } = outcome;
  return fault === undefined
    ? { file, verdict: 'equal', unaccounted }
    : { file, verdict: 'DIFFERENT', note: fault, unaccounted };
}

function faultOf({ table, names, rows }: LoadedTable, truth: unknown[][]): string | undefined {
  if (rows.length !== truth.length) return `${rows.length} rows instead of ${truth.length}`;
  for (const [index, expected] of truth.entries()) {
    for (const [at, value] of expected.entries()) {
      const got = rows[index]?.[at] ?? null;
      if (!same(got, value, table.columns[at]?.type ?? 'text')) return `row ${index + 1}, ${names[at]}: ${got}`;
    }
  }
  return undefined;
}

/** The truth's numbers are doubles and lists that are empty are null in it; everything else must be the same. */
function same(got: string | null, truth: unknown, type: string): boolean {
  if (type === 'json') return got === null ? truth === null : plain(JSON.parse(got)) === plain(truth);
  if (got === null || truth === null) return got === truth;
  if (/^(integer|number|decimal)/.test(type)) return Number(got) === Number(truth);
  return got === String(truth);
}

/** Keys in order; members that are null, or an empty list or object, count as absent; moments in one writing. */
function plain(value: unknown): string | undefined {
  if (Array.isArray(value))
    return value.length === 0 ? undefined : `[${value.map((item) => plain(item) ?? 'null').join()}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).flatMap(([key, member]) => {
      const text = plain(member);
      return text === undefined ? [] : [`${key}:${text}`];
    });
    return members.length === 0 ? undefined : `{${members.sort().join()}}`;
  }
  if (value === null) return undefined;
  const moment =
    typeof value === 'string' ? /^\+?0?(\d{4,6}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.000)?Z?$/.exec(value) : null;
  return moment ? `${moment[1]} ${moment[2]}` : JSON.stringify(value);
}
