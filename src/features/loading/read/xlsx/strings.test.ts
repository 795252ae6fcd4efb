import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSharedStrings } from './strings.ts';

test('strings that do not fit in memory come back from the file', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-strings-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const strings = createSharedStrings(join(directory, 'strings'), 1000);
  t.after(() => strings.close());
  const all = Array.from({ length: 5000 }, (_, index) => `${index} ñ😀 ${'x'.repeat(index % 97)}`);
  all[77] = '';
  all[4000] = 'y'.repeat(200_000);
  for (const text of all) strings.add(text);
  for (const [index, text] of all.entries()) assert.equal(strings.get(index), text);
  for (const index of [4999, 0, 77, 4000, 12]) assert.equal(strings.get(index), all[index]);
  assert.equal(strings.get(5000), undefined);
  assert.equal(strings.get(-1), undefined);
});
