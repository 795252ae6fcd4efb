import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { afterEach, beforeEach } from 'node:test';
import { canSeeProcesses, isAlive, startedAt, waitForEnd } from '#platform/process/processes.ts';
import { type Ended, superviseChild } from './child.ts';
import { acquireLock, DataDirectoryInUse, lockHolder } from './lock.ts';
import { openLogFile, rotateHeldOpen } from './log-file.ts';
import { endOrphans, findOrphans, SUPERVISED } from './orphans.ts';
import { forPeople, keep } from './output.ts';

const HOUR = 3_600_000;
let directory: string;
let helpers: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caudal-supervisor-'));
});
afterEach(async () => {
  for (const helper of helpers) helper.kill('SIGKILL');
  helpers = [];
  rmSync(directory, { recursive: true, force: true });
});

function helper(env: Record<string, string> = {}): ChildProcess & { pid: number } {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  helpers.push(child);
  assert.ok(child.pid);
  return child as ChildProcess & { pid: number };
}

test('one supervisor per data directory: the second is told who has it', async () => {
  const lock = await acquireLock(directory, 'http://here');
  assert.equal((await lockHolder(directory))?.pid, process.pid);
  await assert.rejects(acquireLock(directory, 'http://there'), (error: unknown) => {
    assert.ok(error instanceof DataDirectoryInUse);
    assert.match(error.message, new RegExp(`pid ${process.pid}, http://here`));
    return true;
  });
  await lock.release();
  assert.equal(await lockHolder(directory), undefined);
  assert.deepEqual(readdirSync(directory), []);
});

test('of many starts at once, with a stale lock in the way, exactly one gets the directory', async () => {
  const dead = helper();
  const started = startedAt(dead.pid);
  dead.kill('SIGKILL');
  await once(dead, 'exit');
  writeFileSync(join(directory, 'supervisor.lock'), JSON.stringify({ pid: dead.pid, started, url: 'x' }));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(directory, 'y')));
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  assert.deepEqual(readdirSync(directory), ['supervisor.lock']);
});

test('a lock whose pid went to another program is stale', { skip: !canSeeProcesses }, async () => {
  const other = helper();
  writeFileSync(join(directory, 'supervisor.lock'), JSON.stringify({ pid: other.pid, started: '1', url: 'x' }));
  assert.equal(await lockHolder(directory), undefined);
  await (await acquireLock(directory, 'y')).release();
  assert.ok(isAlive(other.pid));
});

test('orphans carry mark and directory; what was started by hand, or elsewhere, is left alone', {
  skip: !canSeeProcesses,
}, async () => {
  const orphan = helper({ [SUPERVISED]: '1', CAUDAL_DATA_DIR: directory });
  const byHand = helper({ CAUDAL_DATA_DIR: directory });
  const elsewhere = helper({ [SUPERVISED]: '1', CAUDAL_DATA_DIR: `${directory}/other` });
  await Promise.all(helpers.map((child) => once(child, 'spawn')));
  assert.deepEqual(
    findOrphans(directory).map(({ pid }) => pid),
    [orphan.pid],
  );
  assert.equal(await endOrphans(directory), 1);
  assert.ok(!isAlive(orphan.pid));
  assert.ok(isAlive(byHand.pid) && isAlive(elsewhere.pid));
});

interface Seen {
  pids: number[];
  deaths: Ended[];
  lines: string[];
  changed: () => void;
}

function watched(script: string) {
  const seen: Seen = { pids: [], deaths: [], lines: [], changed: () => undefined };
  const child = superviseChild(
    { name: 'x', file: process.execPath, args: ['-e', script], cwd: directory, env: process.env },
    {
      started: (pid) => {
        seen.pids.push(pid);
        seen.changed();
      },
      died: (how) => {
        seen.deaths.push(how);
        seen.changed();
      },
      line: (line) => {
        seen.lines.push(line);
        seen.changed();
      },
    },
  );
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      seen.changed = () => condition() && resolve();
      seen.changed();
    });
  return { seen, child, until };
}

test('a child that is killed starts again, with what it had started gone', async () => {
  const script = `
    const { spawn } = require('node:child_process');
    const inner = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'inherit' });
    console.log(inner.pid);
    setInterval(() => undefined, 1000);`;
  const { seen, child, until } = watched(script);
  try {
    await until(() => seen.lines.length === 1);
    process.kill(seen.pids[0] ?? 0, 'SIGKILL');
    await until(() => seen.lines.length === 2);
    assert.equal(seen.deaths[0]?.signal, 'SIGKILL');
    assert.deepEqual(await waitForEnd([Number(seen.lines[0])], 60_000), []);
  } finally {
    await child.stop(5_000);
  }
  assert.deepEqual(await waitForEnd(seen.pids, 60_000), []);
  assert.equal(seen.pids.length, 2, 'and stays down when it is told to stop');
});

test('who dies again and again waits longer each time', async () => {
  const { seen, child, until } = watched('process.exit(3)');
  await until(() => seen.deaths.length === 3);
  await child.stop(1_000);
  assert.deepEqual(
    seen.deaths.map(({ code }) => code),
    [3, 3, 3],
  );
  const [first, second, third] = seen.deaths.map(({ again }) => again);
  assert.equal(first, 0);
  assert.ok((second ?? 0) >= 100 && (third ?? 0) >= 200, `${second}, ${third}`);
});

test('who does not listen to SIGTERM is killed after the limit', async () => {
  const { seen, child, until } = watched(
    "process.on('SIGTERM', () => undefined); console.log('up'); setInterval(() => undefined, 1000)",
  );
  await until(() => seen.lines.length === 1);
  await child.stop(200);
  assert.ok(!isAlive(seen.pids[0] ?? 0));
});

test('who retires finishes what it does and is not started again', async () => {
  const { seen, child, until } = watched(
    "process.on('SIGUSR2', () => console.log('retiring')); process.on('SIGHUP', () => { console.log('finished'); process.exit(0) }); console.log('up'); setInterval(() => undefined, 1000)",
  );
  await until(() => seen.lines.length === 1);
  const retired = child.retire();
  await until(() => seen.lines.includes('retiring'));
  process.kill(seen.pids[0] ?? 0, 'SIGHUP');
  await retired;
  await until(() => seen.lines.includes('finished'));
  assert.deepEqual([seen.pids.length, seen.deaths.length], [1, 0]);
  await child.stop(1_000);
});

test('who is killed while retiring has died, and is not started again', async () => {
  const { seen, child, until } = watched(
    "process.on('SIGUSR2', () => console.log('retiring')); console.log('up'); setInterval(() => undefined, 1000)",
  );
  await until(() => seen.lines.length === 1);
  const retired = child.retire();
  await until(() => seen.lines.includes('retiring'));
  process.kill(seen.pids[0] ?? 0, 'SIGKILL');
  await retired;
  assert.deepEqual(
    seen.deaths.map(({ signal, again }) => [signal, again]),
    [['SIGKILL', null]],
  );
  assert.equal(seen.pids.length, 1);
});

test('a log file is moved aside when it is old, however small, also by the next process', () => {
  const path = join(directory, 'x.log');
  let now = Date.now();
  const write = (text: string) => openLogFile(path, { bytes: 1000, age: HOUR }, () => now).write(text);
  write('a\n');
  write('b\n');
  assert.deepEqual(readdirSync(directory), ['x.log']);
  now += HOUR + 1000;
  const file = openLogFile(path, { bytes: 1000, age: HOUR }, () => now);
  file.write('c\n');
  file.write('d\n');
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'a\nb\n');
  assert.equal(readFileSync(path, 'utf8'), 'c\nd\n');
});

test('a log that another process holds open is copied and emptied when it is full or old', () => {
  const path = join(directory, 'held.log');
  const held = openSync(path, 'a');
  writeSync(held, 'first\n');
  assert.equal(rotateHeldOpen(path, { bytes: 100, age: HOUR }), false);
  assert.equal(rotateHeldOpen(path, { bytes: 3, age: HOUR }), true);
  writeSync(held, 'second\n');
  assert.equal(rotateHeldOpen(path, { bytes: 100, age: HOUR }, Date.now() + 2 * HOUR), true);
  writeSync(held, 'third\n');
  closeSync(held);
  const texts = [path, `${path}.1`, `${path}.2`].map((each) => readFileSync(each, 'utf8'));
  assert.deepEqual(texts, ['third\n', 'second\n', 'first\n']);
});

test('a log file is moved aside when it is full, and four older ones are kept', () => {
  const path = join(directory, 'logs', 'x.log');
  const file = openLogFile(path, { bytes: 100, age: HOUR });
  for (let number = 1; number <= 40; number += 1) file.write(`line ${number}\n`.padStart(20));
  const names = readdirSync(join(directory, 'logs')).sort();
  assert.deepEqual(names, ['x.log', 'x.log.1', 'x.log.2', 'x.log.3', 'x.log.4']);
  const kept = names
    .toReversed()
    .map((name) => readFileSync(join(directory, 'logs', name), 'utf8'))
    .join('');
  const numbers = [...kept.matchAll(/line (\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, index) => 41 - numbers.length + index),
  );
  assert.ok(numbers.length >= 20);
});

test('people see warnings and crashes, the file holds every line as JSON', () => {
  assert.equal(forPeople('{"level":"info","message":"busy"}'), undefined);
  assert.deepEqual(forPeople('{"level":"error","message":"load","err":{"message":"no space"}}'), {
    level: 'error',
    message: 'load: no space',
  });
  assert.deepEqual(forPeople('TypeError: x is not a function'), {
    level: 'error',
    message: 'TypeError: x is not a function',
  });
  const path = join(directory, 'y.log');
  keep(openLogFile(path, { bytes: 1000, age: HOUR }), 'Segmentation fault', new Date(0));
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
    level: 'error',
    time: '1970-01-01T00:00:00.000Z',
    message: 'Segmentation fault',
  });
});
