import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import pg from 'pg';
import type { Word } from '../../../test/fixtures/lock-holder.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { tryHold } from './advisory-lock.ts';

const HOLDER = join(import.meta.dirname, '../../../test/fixtures/lock-holder.ts');

/** This process is not the one that is looked at, however busy the machine is. */
const PATIENT = { beat: 500, fresh: 120_000, idle: 240_000 };

test('a frozen holder loses its lock to another, and knows when it wakes', { skip: needsDatabase }, async () => {
  const { url } = await testDatabase();
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  after(() => pool.end());
  const child = spawn(process.execPath, [HOLDER, url], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  after(() => child.kill('SIGKILL'));
  const words: Word[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => words.push(line as Word));
  await eventually(async () => words[0], 120_000);
  assert.equal(words[0], 'held');
  child.kill('SIGSTOP');
  const taken = await eventually(() => tryHold(pool, 'alerts', PATIENT), 120_000);
  assert.ok(taken.held());
  child.kill('SIGCONT');
  await eventually(async () => words[1], 120_000);
  assert.deepEqual(words, ['held', 'lost']);
  assert.ok(taken.held(), 'who woke takes nothing from who holds it now');
  await taken.release();
  child.stdin.end();
  await ended;
});
