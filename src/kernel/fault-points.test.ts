import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'caudal-faults-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const MODULE = new URL('./fault-points.ts', import.meta.url).href;
const script = (armed: string) => `
  import { armFaults, faultPoint } from '${MODULE}';
  armFaults(${JSON.stringify(armed)});
  faultPoint('load.after-read');
  faultPoint('load.before-commit');
  process.stdout.write('past');`;

function run(armed: string) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', script(armed)], { encoding: 'utf8' });
}

test('a laid fault kills the first process that comes there, once', () => {
  const laid = join(directory, 'load.before-commit');
  writeFileSync(laid, 'kill');
  const struck = run(directory);
  assert.deepEqual([struck.signal, struck.stdout, existsSync(laid)], ['SIGKILL', '', false]);
  const next = run(directory);
  assert.deepEqual([next.status, next.stdout], [0, 'past']);
});

test('nothing happens where nothing is armed', () => {
  assert.equal(run('').stdout, 'past');
});
