import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { lastLines } from '#platform/process/last-lines.ts';
import { followFile } from './log-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'caudal-lines-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('the last lines are read from the end, whatever their size', async () => {
  const path = join(directory, 'a.log');
  const lines = Array.from({ length: 3000 }, (_, number) => `${number} ${'é'.repeat(number % 97)}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  assert.deepEqual(await lastLines(path, 5), lines.slice(-5));
  assert.deepEqual(await lastLines(path, 2999), lines.slice(1));
  assert.deepEqual(await lastLines(path, 5000), lines);
  assert.deepEqual(await lastLines(path, 0), []);
  assert.deepEqual(await lastLines(join(directory, 'absent.log'), 5), []);
});

test('following sees lines that are appended, also after a rotation', async () => {
  const path = join(directory, 'b.log');
  writeFileSync(path, 'before\n');
  const stop = new AbortController();
  const seen: string[] = [];
  const following = followFile(path, stop.signal, (line) => {
    seen.push(line);
    if (line === 'two') {
      renameSync(path, `${path}.1`);
      writeFileSync(path, 'three\n');
    }
    if (line === 'three') stop.abort();
  });
  // Half a line is held back until its end has come.
  setImmediate(() => appendFileSync(path, 'one\ntw'));
  setImmediate(() => appendFileSync(path, 'o\n'));
  await following;
  assert.deepEqual(seen, ['one', 'two', 'three']);
});
