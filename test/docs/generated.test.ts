import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ERRORS } from '#kernel/errors.ts';
import { ERROR_HINTS } from '../../scripts/docs/error-hints.ts';
import { generatedFiles, inRoot } from '../../scripts/docs/generated.ts';

test('what is made from the tables of the program is not stale', async () => {
  const files = await generatedFiles();
  assert.ok(files.length >= 5);
  for (const { path, text } of files) {
    assert.equal(readFileSync(inRoot(path), 'utf8'), text, `${path}: run node scripts/docs.ts`);
  }
});

test('every error says what to do, once', () => {
  const explained = Object.values(ERROR_HINTS).flatMap((hints) => Object.keys(hints));
  assert.deepEqual(explained.toSorted(), Object.keys(ERRORS).toSorted());
  for (const hints of Object.values(ERROR_HINTS)) {
    for (const [code, hint] of Object.entries(hints)) assert.match(hint, /^[A-Z`].*\.$/, code);
  }
});
