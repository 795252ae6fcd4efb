import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type Clock, systemClock } from '#kernel/clock.ts';
import type { ForeignRecord, RecordSender, Sent } from '#platform/observe/records.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { FormatName } from './formats.ts';
import { startTail, type Tail } from './tail.ts';

interface Intake {
  sender: RecordSender;
  batches: (readonly ForeignRecord[])[];
  /** What the intake says next time. */
  answers: Sent[];
  taken(): string[];
}

function intake(): Intake {
  const batches: (readonly ForeignRecord[])[] = [];
  const taken: ForeignRecord[] = [];
  const answers: Sent[] = [];
  return {
    batches,
    answers,
    taken: () => taken.map(({ body }) => body),
    sender: {
      async send(records) {
        batches.push(records);
        const answer = answers.shift() ?? { delivery: 'taken', reason: '' };
        if (answer.delivery === 'taken') taken.push(...records);
        return answer;
      },
      close: async () => undefined,
    },
  };
}

interface Followed {
  path: string;
  warnings: string[];
  start(to: Intake, format?: FormatName, clock?: Clock): Tail;
}

function followed(t: TestContext): Followed {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-tail-'));
  const tails: Tail[] = [];
  const warnings: string[] = [];
  t.after(async () => {
    await Promise.all(tails.map((tail) => tail.stop()));
    rmSync(directory, { recursive: true, force: true });
  });
  const path = join(directory, 'app.log');
  return {
    path,
    warnings,
    start(to, format = 'text', clock = systemClock) {
      const tail = startTail({
        ...{ format, path, directory: join(directory, 'kept'), clock, bytesPerMinute: 40_000 },
        open: () => to.sender,
        warn: (_fields, message) => warnings.push(message),
      });
      assert.ok(tail);
      tails.push(tail);
      return tail;
    },
  };
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}`);
const all = (to: Intake, lines: string[]) =>
  eventually(async () => (to.taken().length >= lines.length ? true : undefined), 20_000);

test('each start goes on where the last one ended', async (t) => {
  const { path, start } = followed(t);
  const to = intake();
  const first = numbered(0, 2500);
  writeFileSync(path, `${first.join('\n')}\n`);
  const tail = start(to);
  await all(to, first);
  await tail.stop();
  appendFileSync(path, 'line 2500\n');
  const second = start(to);
  await all(to, numbered(0, 2501));
  await second.stop();
  assert.deepEqual(to.taken(), numbered(0, 2501));
  assert.equal(to.batches[0]?.[0]?.attributes['log.file.path'], path);
});

test('while the intake does not answer nothing more is read, and nothing is lost; what it refuses is passed over', async (t) => {
  const { path, start, warnings } = followed(t);
  const to = intake();
  const failed: Sent = { delivery: 'failed', reason: 'away' };
  to.answers.push(failed, failed, failed, { delivery: 'taken', reason: '' }, { delivery: 'refused', reason: 'bad' });
  const lines = numbered(0, 3000);
  writeFileSync(path, `${lines.join('\n')}\n`);
  const tail = start(to);
  await all(to, numbered(0, 2000));
  await tail.stop();
  assert.deepEqual(
    to.batches.map((batch) => batch[0]?.body),
    ['line 0', 'line 0', 'line 0', 'line 0', 'line 1000', 'line 2000'],
  );
  assert.deepEqual(warnings, ['tail: 1000 records were refused: bad']);
});

test('of a noisy log no more than its share goes in a minute; the rest waits in its file', async (t) => {
  const { path, start } = followed(t);
  const to = intake();
  // Stands still: nothing but the first wait is measured by it.
  const clock: Clock = { now: () => new Date(0), monotonic: () => 0 };
  const lines = numbered(0, 3000).map((line) => line.padEnd(30));
  writeFileSync(path, `${lines.join('\n')}\n`);
  const tail = start(to, 'text', clock);
  await eventually(async () => (to.batches.length >= 2 ? true : undefined));
  assert.equal(await tail.behind(), 1000 * 31);
  await tail.stop();
  assert.equal(to.batches.length, 2);
});

test('a batch that was not answered comes again at the next start, whole', async (t) => {
  const { path, start } = followed(t);
  const hung = intake();
  const sender: RecordSender = {
    ...hung.sender,
    send(records) {
      hung.batches.push(records);
      return new Promise(() => undefined);
    },
  };
  writeFileSync(path, 'one\ntwo\n');
  const tail = start({ ...hung, sender });
  await eventually(async () => hung.batches[0]);
  await tail.stop();
  const to = intake();
  start(to);
  await all(to, ['one', 'two']);
  assert.deepEqual(to.taken(), ['one', 'two']);
});

test('an entry of several lines goes when nothing more comes, and is read again after a crash before that', async (t) => {
  const { path, start } = followed(t);
  const to = intake();
  const begun = '2026-05-04 10:00:01 UTC [1] ERROR:  one\n';
  writeFileSync(path, `${begun.replace('one', 'zero')}${begun}`);
  const tail = start(to, 'postgresql');
  await all(to, ['zero']);
  await tail.stop();
  appendFileSync(path, '\tand two\n');
  const again = intake();
  start(again, 'postgresql');
  await all(again, ['one and two']);
  assert.deepEqual([...to.taken(), ...again.taken()], ['zero', 'one\nand two']);
});

test('where logs are sent nowhere nothing is followed', () => {
  const nowhere = {
    format: 'text',
    path: '/nowhere',
    directory: '/nowhere',
    clock: systemClock,
    bytesPerMinute: 1,
  } as const;
  assert.equal(startTail({ ...nowhere, open: () => undefined, warn: () => undefined }), undefined);
});
