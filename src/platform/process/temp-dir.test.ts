import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'node:test';
import { openTempDir } from './temp-dir.ts';

test('what killed processes of this machine left is removed; the living and other machines keep theirs', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'caudal-temp-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  const names = [`here.${dead.pid}.AbC123`, `elsewhere.${dead.pid}.AbC123`, `here.${process.pid}.AbC123`, 'unrelated'];
  for (const name of names) {
    await mkdir(join(root, name));
    await writeFile(join(root, name, 'file'), 'x');
  }
  const own = await openTempDir(root, 'here');
  const kept = new Set(await readdir(root));
  assert.deepEqual(kept, new Set([...names.slice(1), basename(own.path)]));
  await own.remove();
  assert.deepEqual(new Set(await readdir(root)), new Set(names.slice(1)));
});
