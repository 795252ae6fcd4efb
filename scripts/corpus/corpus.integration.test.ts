import assert from 'node:assert/strict';
import test from 'node:test';
import { createReaderPool } from '#features/loading/read/spawn.ts';
import { createLogger } from '#platform/observe/log.ts';
import { sharedData } from '../../test/support/shared-data.ts';
import { type Corpus, createCorpusRead } from './corpus.ts';
import { csvSpectrum } from './csv_spectrum.ts';
import { csvTorture } from './csv_torture.ts';
import { datasets } from './datasets.ts';
import { papaparse } from './papaparse.ts';
import { pollockScore, pollockSlice } from './pollock_slice.ts';

/** The same as `scripts/corpus-report.ts` prints, as a test. */
const pool = createReaderPool({
  log: createLogger({ level: 'silent', service: 'test', instance: 'corpus' }),
  memory_bytes: 1e9,
  warm: 2,
});
const { read, close } = await createCorpusRead(pool);
test.after(async () => {
  close();
  await pool.close();
});

const CORPORA: Corpus[] = [csvSpectrum, csvTorture, datasets, papaparse, pollockSlice];

for (const corpus of CORPORA) {
  const folder = sharedData(corpus.name);
  test(`${corpus.name}: equal to the truth or documented, every row accounted for`, {
    skip: folder === undefined,
  }, async () => {
    const results = await corpus.run(folder ?? '', read);
    assert.ok(results.length > 0);
    assert.deepEqual(
      results.filter((result) => result.verdict === 'DIFFERENT' || result.unaccounted > 0),
      [],
    );
  });
}

const slice = sharedData('pollock_slice');
test('the typed Pollock score is at least 9.8', { skip: slice === undefined }, async () => {
  const score = await pollockScore(slice ?? '', read);
  assert.equal(score.failed, 0);
  assert.ok(score.simple >= 9.8, `simple ${score.simple}`);
  assert.ok((score.weighted ?? 0) >= 9.8, `weighted ${score.weighted}`);
});
