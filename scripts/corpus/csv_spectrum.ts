import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { normalise } from '../pollock.ts';
import type { Corpus, CorpusResult, Outcome } from './corpus.ts';

/** The truth is not of the same file. */
const BAD_TRUTH: Record<string, string> = {
  'location_coordinates.csv': 'the truth holds another telephone number than the file',
};

/** Every file with its rows as JSON objects. */
export const csvSpectrum: Corpus = {
  name: 'csv_spectrum',
  async run(folder, read) {
    const results: CorpusResult[] = [];
    for (const file of (await readdir(join(folder, 'csvs'))).sort()) {
      const json = await readFile(join(folder, 'json', file.replace(/\.csv$/, '.json')), 'utf8');
      results.push(
        judge(file, [JSON.parse(json)].flat() as Record<string, string>[], await read(join(folder, 'csvs', file))),
      );
    }
    return results;
  },
};

function judge(file: string, truth: Record<string, string>[], outcome: Outcome): CorpusResult {
  if (!outcome.ok) return { file, verdict: 'DIFFERENT', note: outcome.code, unaccounted: 0 };
  const [table] = outcome.tables;
  const rows =
    table?.rows.map((row) => Object.fromEntries(table.names.map((name, index) => [name, row[index] ?? '']))) ?? [];
  const plain = (row: Record<string, string>) =>
    Object.entries(row).map(([name, value]) => [name, normalise(value.replace(/\r\n?/g, '\n'))]);
  const equal = JSON.stringify(rows.map(plain)) === JSON.stringify(truth.map(plain));
  const note = equal ? '' : `${JSON.stringify(rows).slice(0, 120)} instead of ${JSON.stringify(truth).slice(0, 120)}`;
  if (!equal && BAD_TRUTH[file])
    return { file, verdict: 'documented', note: BAD_TRUTH[file], unaccounted: outcome.unaccounted };
  return { file, verdict: equal ? 'equal' : 'DIFFERENT', note, unaccounted: outcome.unaccounted };
}
