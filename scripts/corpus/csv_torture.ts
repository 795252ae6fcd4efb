import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scoreFile } from '../pollock.ts';
import { asText, type Corpus, type CorpusResult, type Outcome } from './corpus.ts';
import { parseTruth, universalNewlines } from './rfc4180.ts';

interface Expected {
  file: string;
  trait: string;
  rows: number;
  columns: number;
  header: boolean;
  truth: string;
}

/** Where Caudal differs from a literal reading on purpose, and why. */
const ON_PURPOSE: Record<string, string> = {
  'ck__test_locale.csv': 'typed: "1,7" is 1.7 and "200.000.000" is 200000000',
  'dk__decimal_separators.csv': 'typed: decimal commas become numbers',
  'dk__multi_column.csv': 'typed: thousands separators are read',
  'dk__duplicate_header_columns.csv': 'repeated and empty names are made unique',
  'mt__complex.csv':
    'blanks before quotes belong to the delimiter: "6,000,000" is one cell, a number; dates in words are dates',
  'dt__russellCRCRLF.csv': 'typed: dates are month first, which the scorer reads day first',
  'dk__ncvoter.csv.zst': 'typed: dates are month first, which the scorer reads day first',
  'qs__boston311-100.csv.multimember.gz': 'a blank in a column of numbers is no value',
  'mt__spanish_chars.csv': 'typed: thousands separators are read',
};

/** Files from other CSV readers' tests; the truth is the content as Python's csv module reads it. */
export const csvTorture: Corpus = {
  name: 'csv_torture',
  async run(folder, read) {
    const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected[];
    const results: CorpusResult[] = [];
    for (const entry of expected) {
      const truth = parseTruth(universalNewlines(await readFile(join(folder, entry.truth), 'utf8')));
      results.push(judge(entry, truth, await read(join(folder, 'input', entry.file))));
    }
    return results;
  },
};

function judge(entry: Expected, truth: string[][], outcome: Outcome): CorpusResult {
  if (!outcome.ok) return { file: entry.file, verdict: 'documented', note: outcome.code, unaccounted: 0 };
  const [table] = outcome.tables;
  const loaded = table ? asText(table).map((row) => row.map(universalNewlines)) : [];
  const points = scoreFile(truth, loaded).reduce((a, b) => a + b, 0);
  const equal = points > 10 - 1e-9 && loaded.length === truth.length;
  const verdict = equal ? 'equal' : ON_PURPOSE[entry.file] ? 'documented' : 'DIFFERENT';
  const note = equal
    ? ''
    : (ON_PURPOSE[entry.file] ?? `${points.toFixed(3)} of 10, ${loaded.length} rows of ${truth.length}`);
  return { file: entry.file, verdict, note, unaccounted: outcome.unaccounted };
}
