import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Corpus, CorpusResult, Outcome } from './corpus.ts';

/**
 * JSONTestSuite: y_ must be accepted, n_ refused as malformed or too deep, i_ either, and nothing may crash;
 * GeoJSON fixtures must be accepted, one row per feature (or geometry).
 */
export const json: Corpus = {
  name: 'json',
  async run(folder, read) {
    const results: CorpusResult[] = [];
    for (const part of ['JSONTestSuite', 'geojson']) {
      for (const name of (await readdir(join(folder, part))).sort()) {
        const outcome = await read(join(folder, part, name));
        results.push({ file: `${part}/${name}`, ...judge(part === 'geojson' ? 'y' : (name[0] ?? 'i'), outcome) });
      }
    }
    return results;
  },
};

const REFUSALS = new Set(['malformed_json', 'json_too_deep', 'empty_file']);

function judge(expected: string, outcome: Outcome): Omit<CorpusResult, 'file'> {
  if (outcome.ok) {
    const verdict = expected === 'n' ? 'DIFFERENT' : 'equal';
    return { verdict, unaccounted: outcome.unaccounted, ...(verdict === 'equal' ? {} : { note: 'was accepted' }) };
  }
  const documented = expected !== 'y' && REFUSALS.has(outcome.code);
  return { verdict: documented ? 'documented' : 'DIFFERENT', note: outcome.code, unaccounted: 0 };
}
