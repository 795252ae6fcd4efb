import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import fc from '../../../test/support/laws.ts';
import { CHUNK, type Line, LONGEST_LINE } from './file.ts';
import { type Follower, follow } from './follow.ts';
import { positionsIn } from './positions.ts';

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-follow-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Reader {
  follower: Follower;
  warnings: string[];
  /** Makes it this much later. */
  wait(ms: number): void;
}

function reader(directory: string, path = join(directory, 'x.log')): Reader {
  const warnings: string[] = [];
  let now = 0;
  const positions = positionsIn(join(directory, 'kept'), path);
  const follower = follow({ path, positions, now: () => now, warn: (message) => warnings.push(message) });
  return {
    follower,
    warnings,
    wait(ms) {
      now += ms;
    },
  };
}

/** Everything there is, the rest of rotated files included. */
async function drain({ follower, wait }: Reader): Promise<Line[]> {
  const lines: Line[] = [];
  for (let quiet = 0; quiet < 6; ) {
    const read = await follower.read();
    lines.push(...read);
    quiet = read.length > 0 ? 0 : quiet + 1;
    if (read.length === 0) wait(20_000);
  }
  return lines;
}

const texts = (lines: readonly Line[]): string[] => lines.map(({ text }) => text);

test('whole lines only: a partial one waits for its end, a file that is absent for its coming', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'x.log');
  const { follower } = reader(directory);
  assert.deepEqual(await follower.read(), []);
  writeFileSync(path, 'one\r\ntw');
  assert.deepEqual(await follower.read(), []);
  assert.deepEqual(texts(await follower.read()), ['one']);
  appendFileSync(path, Buffer.from('o \xc3\xbc \xff\n', 'latin1'));
  assert.deepEqual(texts(await follower.read()), ['two ü \ufffd']);
  await follower.close();
});

test('a line over the limit is cut and its rest skipped, also over a restart amid it', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'x.log');
  writeFileSync(path, `before\n${'x'.repeat(CHUNK + 10)}`);
  const first = reader(directory);
  const read = await drain(first);
  assert.deepEqual(
    read.map(({ text, cut }) => [text.length, cut]),
    [
      [6, false],
      [LONGEST_LINE, true],
    ],
  );
  await first.follower.commit(read.at(-1) as Line);
  await first.follower.close();
  appendFileSync(path, `${'y'.repeat(3 * CHUNK)}\nafter\n`);
  const second = reader(directory);
  assert.deepEqual(texts(await drain(second)), ['after']);
  await second.follower.close();
});

test('of a log that is met for the first time only the end is read', async (t) => {
  const directory = directoryOf(t);
  const line = `${'x'.repeat(1023)}\n`;
  writeFileSync(join(directory, 'x.log'), `first\n${line.repeat(17 * 1024)}last\n`);
  const one = reader(directory);
  const read = await drain(one);
  assert.equal(read.at(-1)?.text, 'last');
  assert.equal(read.length, 16 * 1024);
  await one.follower.close();
});

test('what is no regular file is an error and no wait', async (t) => {
  const directory = directoryOf(t);
  const { follower } = reader(directory, directory);
  await assert.rejects(follower.read(), /no regular file/);
  await follower.close();
});

test('a rotated file that nobody can find again is told', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'x.log');
  writeFileSync(path, 'one\n');
  const first = reader(directory);
  await first.follower.commit((await drain(first)).at(-1) as Line);
  await first.follower.close();
  rmSync(path);
  writeFileSync(path, 'two, in another file\n');
  const second = reader(directory);
  assert.deepEqual(texts(await drain(second)), ['two, in another file']);
  assert.match(second.warnings[0] ?? '', /gone or packed/);
  await second.follower.close();
});

test('a log from before a truncation is not taken for the one after it, even when that is longer', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'x.log');
  writeFileSync(path, 'one\n');
  const one = reader(directory);
  assert.deepEqual(texts(await drain(one)), ['one']);
  truncateSync(path);
  appendFileSync(path, 'another and longer\nstill more\n');
  assert.deepEqual(texts(await drain(one)), ['another and longer', 'still more']);
  await one.follower.close();
});

/** What happens to a log; `x.log.1` is the newest of those that were rotated away. */
const EVENT = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), size: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('partial' as const), size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'read' as const, size: 0 }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'commit' as const, size: 0 }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'rename' as const, size: 0 }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'reopen' as const, size: 0 }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'copytruncate' as const, size: 0 }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const, size: 0 }) },
);
const MOST_ROTATIONS = 6;

/** A program that writes, a logrotate beside it, and a follower that may crash. */
class World {
  readonly path: string;
  written: string[] = [];
  seen: Line[] = [];
  reader: Reader;
  #directory: string;
  #held: number;
  #partial = '';
  #committed = 0;
  #rotations = 0;
  /** Something of the file that is written to has been committed. */
  #known = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'x.log');
    this.#held = openSync(this.path, 'a');
    this.reader = reader(directory);
  }

  write(size: number): void {
    const rest = `${this.written.length}:${'z'.repeat(size)}`;
    writeSync(this.#held, `${rest}\n`);
    this.written.push(this.#partial + rest);
    this.#partial = '';
  }

  partial(size: number): void {
    const text = `p${this.written.length}${'q'.repeat(size)}`;
    writeSync(this.#held, text);
    this.#partial += text;
  }

  async read(): Promise<void> {
    this.seen.push(...(await this.reader.follower.read()));
  }

  async commit(): Promise<void> {
    const last = this.seen.at(-1);
    if (!last) return;
    await this.reader.follower.commit(last);
    this.#committed = this.seen.length;
  }

  rename(): void {
    if (!existsSync(this.path) || this.#rotations >= MOST_ROTATIONS) return;
    this.#shift();
    renameSync(this.path, `${this.path}.1`);
  }

  /** Until then the program writes into the renamed file. */
  reopen(): void {
    if (this.#partial !== '') this.write(0);
    closeSync(this.#held);
    if (!existsSync(this.path)) this.#known = false;
    this.#held = openSync(this.path, 'a');
  }

  /** Nothing tells that a file was emptied of which nothing was read or kept: that is out of the law. */
  async copytruncate(): Promise<void> {
    if (this.#rotations >= MOST_ROTATIONS || !existsSync(this.path)) return;
    this.reopen();
    if (!this.#known) {
      this.write(10);
      this.seen.push(...(await drain(this.reader)));
      await this.commit();
    }
    this.#shift();
    copyFileSync(this.path, `${this.path}.1`);
    truncateSync(this.path);
    this.#known = false;
  }

  async crash(): Promise<void> {
    await this.reader.follower.close();
    this.seen.length = this.#committed;
    this.reader = reader(this.#directory);
  }

  async end(): Promise<void> {
    if (this.#partial !== '') this.write(0);
    this.seen.push(...(await drain(this.reader)));
    await this.reader.follower.close();
    closeSync(this.#held);
  }

  #shift(): void {
    this.#rotations += 1;
    const rotated = readdirSync(this.#directory).filter((name) => name.startsWith('x.log.'));
    for (let number = rotated.length; number >= 1; number -= 1) {
      renameSync(`${this.path}.${number}`, `${this.path}.${number + 1}`);
    }
  }
}

test('law: over rotation, truncation, partial writes and crashes no line is lost or comes twice', async (t) => {
  const root = directoryOf(t);
  await fc.assert(
    fc.asyncProperty(fc.array(EVENT, { maxLength: 50 }), async (events) => {
      const directory = mkdtempSync(join(root, 'run-'));
      const world = new World(directory);
      await world.read();
      for (const { kind, size } of events) await world[kind](size);
      await world.end();
      assert.deepEqual(texts(world.seen).toSorted(), world.written.toSorted());
      rmSync(directory, { recursive: true });
    }),
    { numRuns: 150 },
  );
});
