import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Measures, type PollockScore, scoreAll, scoreFile } from '../pollock.ts';
import { asText, type Corpus, type CorpusRead, type CorpusResult } from './corpus.ts';
import { parseTruth, universalNewlines } from './rfc4180.ts';

/** Polluted copies of one file; what differs from the truth differs for a reason that is named. */
export const pollockSlice: Corpus = {
  name: 'pollock_slice',
  async run(folder, read) {
    const results: CorpusResult[] = [];
    for (const [file, { measures, note, unaccounted }] of await scores(folder, read)) {
      const points = measures.reduce((a, b) => a + b, 0);
      const equal = points > 10 - 1e-9;
      const reason = note ?? (points >= 8 ? undefined : 'unexplained');
      results.push({
        file,
        verdict: equal ? 'equal' : reason === 'unexplained' ? 'DIFFERENT' : 'documented',
        note: equal ? '' : `${points.toFixed(3)} of 10${reason ? `: ${reason}` : ''}`,
        unaccounted,
      });
    }
    return results;
  },
  async summary(folder, read) {
    const score = await pollockScore(folder, read);
    return [
      `typed Pollock score: simple ${score.simple.toFixed(4)}, weighted ${score.weighted?.toFixed(4)} of 10 ` +
        `(${score.files} files, ${score.perfect} perfect, ${score.failed} failed)`,
    ];
  },
};

interface FileScore {
  measures: Measures;
  note: string | undefined;
  unaccounted: number;
}

const known = new WeakMap<CorpusRead, Map<string, FileScore>>();

async function scores(folder: string, read: CorpusRead): Promise<Map<string, FileScore>> {
  const before = known.get(read);
  if (before) return before;
  const files = new Map<string, FileScore>();
  for (const file of (await readdir(join(folder, 'csv'))).sort()) {
    const truth = parseTruth(universalNewlines(await readFile(join(folder, 'clean', file), 'utf8')));
    const outcome = await read(join(folder, 'csv', file));
    if (!outcome.ok) {
      files.set(file, { measures: scoreFile(truth, undefined), note: outcome.code, unaccounted: 0 });
      continue;
    }
    const [first] = outcome.tables;
    const loaded = first ? asText(first).map((row) => row.map(universalNewlines)) : [];
    const quarantine = outcome.tables.flatMap((table) => table.quarantine);
    const note = quarantine[0] ? `${quarantine.length} in quarantine, first: ${quarantine[0].reason}` : undefined;
    files.set(file, { measures: scoreFile(truth, loaded), note, unaccounted: outcome.unaccounted });
  }
  known.set(read, files);
  return files;
}

export async function pollockScore(folder: string, read: CorpusRead): Promise<PollockScore> {
  const files = await scores(folder, read);
  const weights = JSON.parse(await readFile(join(folder, 'pollock_weights.json'), 'utf8')) as Record<string, number>;
  return scoreAll(new Map([...files].map(([file, { measures }]) => [file, measures])), weights);
}
