import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { ReadRequest } from '#contract/load.ts';
import { CaudalError } from '#kernel/errors.ts';
import { createLogger } from '#platform/observe/log.ts';
import { LIMITS } from '../../../../test/support/read-file.ts';
import { createReaderPool } from './spawn.ts';

const log = createLogger({ level: 'silent', service: 'test', instance: 'spawn' });
const directory = await mkdtemp(join(tmpdir(), 'caudal-spawn-'));
test.after(() => rm(directory, { recursive: true }));

const small = join(directory, 'small.csv');
await writeFile(small, 'a,b\n1,x\n2,y\n');
const large = join(directory, 'large.csv');
await writeFile(large, `a,b\n${'1,"two\nlines"\n'.repeat(1_000_000)}`);

let made = 0;
async function request(path: string, limits: Partial<ReadRequest['limits']> = {}): Promise<ReadRequest> {
  made += 1;
  const out_dir = join(directory, `out-${made}`);
  await mkdir(out_dir);
  const source = { loaded_at: '2026-01-01T00:00:00Z' };
  return {
    path,
    filename: 'data.csv',
    options: {},
    out_dir,
    source,
    limits: { ...LIMITS, memory_bytes: 5e8, ...limits },
  };
}

/** Command lines of this process's children that are still there (Linux). */
async function children(): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const status = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (fields[1] === String(process.pid) && fields[0] !== 'Z') found.push(Number(name));
  }
  return found;
}

const code = (wanted: string) => (error: unknown) => error instanceof CaudalError && error.code === wanted;

test('a child reads one file and is gone; a warm one stands ready', async () => {
  const pool = createReaderPool({ log, memory_bytes: 5e8, warm: 1 });
  const [table] = await pool.read(await request(small));
  assert.equal(table?.accounting.accepted, 2);
  assert.deepEqual(
    table?.columns.map((column) => column.type),
    ['integer', 'text'],
  );
  await pool.close();
});

test('small texts of one workspace are read by one child, each as by a new one', async () => {
  const pool = createReaderPool({ log, memory_bytes: 5e8, warm: 0, kept: 1 });
  const more = join(directory, 'more.csv');
  await writeFile(more, 'a;b\n1;"x\ny"\n2;z\n3\n');
  const broken = join(directory, 'broken.parquet');
  await writeFile(broken, 'PAR1 nothing that is a table PAR1');
  const by = async (path: string, workspace_id?: string) => {
    const filename = path === broken ? 'broken.parquet' : 'data.csv';
    const reading = pool.read(
      { ...(await request(path)), filename },
      workspace_id === undefined ? {} : { workspace_id },
    );
    const told = await reading.then(
      (tables) => tables.map(({ columns, sniffed, accounting }) => ({ columns, sniffed, accounting })),
      (error: CaudalError) => error.code,
    );
    return { told, waiting: await children() };
  };
  const alone = await by(more);
  const first = await by(small, 'a');
  const second = await by(more, 'a');
  const other = await by(more, 'b');
  assert.deepEqual(second.told, alone.told);
  assert.deepEqual(other.told, alone.told);
  const failed = await by(broken, 'b');
  assert.equal(typeof failed.told, 'string');
  if (process.platform === 'linux') {
    assert.equal(first.waiting.length, 1);
    assert.deepEqual(second.waiting, first.waiting);
    assert.notDeepEqual(other.waiting, first.waiting);
    assert.deepEqual(failed.waiting, []);
  }
  await pool.close();
});

test('an abort, a deadline and a killed child each end in their own error, and leave no process', async () => {
  const pool = createReaderPool({ log, memory_bytes: 5e8, warm: 0 });
  const controller = new AbortController();
  const reason = new Error('cancelled by a person');
  const reading = pool.read(await request(large), {
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await assert.rejects(reading, (error) => error === reason);
  await assert.rejects(pool.read(await request(large, { timeout_ms: 1 })), code('reader_timeout'));

  const onProgress = async () => {
    for (const pid of await children()) process.kill(pid, 'SIGSEGV');
  };
  const killed = pool.read(await request(large), { onProgress: () => void onProgress().catch(() => undefined) });
  await assert.rejects(killed, code('reader_crashed'));
  await pool.close();
  if (process.platform === 'linux') assert.deepEqual(await children(), []);
});

test('a reader that needs more than it may use says so', async () => {
  const pool = createReaderPool({ log, memory_bytes: 5e8, warm: 0 });
  await assert.rejects(pool.read(await request(large, { memory_bytes: 2e6 })), code('reader_memory'));
  await pool.close();
});

test('an empty text file is a table without rows', async () => {
  const empty = join(directory, 'empty.csv');
  await writeFile(empty, '');
  const pool = createReaderPool({ log, memory_bytes: 5e8, warm: 0 });
  const tables = await pool.read(await request(empty));
  assert.deepEqual(
    tables.map((table) => [table.columns, table.accounting.read]),
    [[[], 0]],
  );
  await pool.close();
});
