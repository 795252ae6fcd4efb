import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { readFileBack } from '../../../../../test/support/read-file.ts';
import { sharedData } from '../../../../../test/support/shared-data.ts';

const suite = sharedData('json/JSONTestSuite');
test('JSONTestSuite: every y_ is accepted, every n_ refused, nothing crashes', {
  skip: suite === undefined,
}, async () => {
  const files = readdirSync(suite ?? '').filter((name) => name.endsWith('.json'));
  assert.ok(files.length > 300);
  const wrong: string[] = [];
  for (const name of files) {
    const error: unknown = await readFileBack(join(suite ?? '', name), name).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const documented = error instanceof CaudalError && error.hint !== '';
    const expected = { y: error === undefined, n: documented, i: error === undefined || documented }[name[0] ?? ''];
    if (!expected) wrong.push(`${name}: ${error}`);
  }
  assert.deepEqual(wrong, []);
});
