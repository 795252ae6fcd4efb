import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError, fail } from '#kernel/errors.ts';
import { openLockedEngine } from './locked.ts';
import type { RunRequest } from './protocol.ts';
import { createSandbox, type Prepared } from './sandbox.ts';

interface Attempt {
  name: string;
  query: string;
  codes: string[];
  /** Tries to open something: the locked engine must refuse it even if the gate let it through. */
  second_wall?: true;
}

const attempts = JSON.parse(await readFile(new URL('./hostile.sql.json', import.meta.url), 'utf8')) as Attempt[];

const directory = await mkdtemp(join(tmpdir(), 'caudal-hostile-'));
const segment = join(directory, 'segment.parquet');
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(`COPY (SELECT i AS id FROM range(5000) t(i)) TO '${segment}' (FORMAT parquet)`);

function sandboxOf(timeout_ms: number, warm: number) {
  return createSandbox({
    memory_bytes: 300e6,
    threads: 2,
    timeout_ms,
    export_timeout_ms: timeout_ms,
    slots: 2,
    queue: 200,
    queue_ms: 60_000,
    warm,
    directory,
    onError: (error) => assert.fail(String(error)),
  });
}

/** The hasty one is for what would go on for ever; a busy machine must not refuse the rest for its slowness. */
const sandbox = sandboxOf(60_000, 2);
const hasty = sandboxOf(700, 1);
after(async () => {
  await sandbox.close();
  await hasty.close();
  connection.closeSync();
  instance.closeSync();
  await rm(directory, { recursive: true });
});

const request: RunRequest = {
  parameters: [],
  directories: [],
  paths: [segment],
  views: [{ schema: 'main', name: 'people', sql: `SELECT * FROM read_parquet(['${segment}'])` }],
  format: 'json',
  orient: 'rows',
  max_json_rows: 1000,
  members: '',
  safe: false,
  title: 'x',
};

async function ask(query: string, within = sandbox): Promise<string> {
  const outcome = await within.query(query, {
    workspace: 'w',
    async prepare(plan): Promise<Prepared> {
      for (const { schema, name } of plan.tables) {
        if (schema !== '' || name !== 'people') throw fail('sql_error', 'There is no such dataset.');
      }
      return { request, seen: 'people', release: async () => undefined };
    },
  });
  return text(outcome.body);
}

async function refusalOf(work: Promise<string>): Promise<{ code: string; message: string }> {
  try {
    return { code: 'answered', message: await work };
  } catch (error) {
    assert.ok(error instanceof CaudalError, String(error));
    return error;
  }
}

test(`${attempts.length} attempts to escape, exhaust or break the sandbox`, async (t) => {
  assert.ok(attempts.length >= 60);
  for (const { name, query, codes } of attempts) {
    await t.test(name, async () => {
      const within = codes.includes('sql_timeout') ? hasty : sandbox;
      const { code, message } = await refusalOf(ask(query.replaceAll('{segment}', segment), within));
      assert.ok(codes.includes(code), `${code}: ${message}`);
      assert.ok(!message.includes(directory), `tells a path: ${message}`);
    });
  }
});

test('behind the gate stands a second wall: a locked engine that opens only what is listed', async (t) => {
  const second = attempts.filter((attempt) => attempt.second_wall);
  assert.ok(second.length >= 30);
  const locked = await openLockedEngine({ threads: '1', memory: '200MB', fifos: [] });
  try {
    await locked.show(request);
    for (const { name, query } of second) {
      await t.test(name, () => assert.rejects(locked.connection.run(query)));
    }
    const alive = await locked.connection.runAndReadAll('SELECT count(*) FROM people');
    assert.equal(Number(alive.getRows()[0]?.[0]), 5000);
  } finally {
    locked.close();
  }
});

test('locked to a directory, an engine shows other versions in it and opens nothing beside it', async () => {
  const own = join(directory, 'dataset');
  await mkdir(own);
  const write = (name: string, rows: number) =>
    connection.run(`COPY (SELECT i AS id FROM range(${rows}) t(i)) TO '${join(own, name)}' (FORMAT parquet)`);
  await write('1.parquet', 1);
  const shown = (files: string) => ({
    ...{ directories: [own], paths: [] },
    views: [{ schema: 'main', name: 'people', sql: `SELECT * FROM read_parquet(${files})` }],
  });
  const engine = await openLockedEngine({ threads: '1', memory: '200MB', fifos: [] });
  const count = async (from: string) =>
    Number((await engine.connection.runAndReadAll(`SELECT count(*) FROM ${from}`)).getRows()[0]?.[0]);
  try {
    assert.equal(await engine.show(shown(`['${own}/1.parquet']`)), false);
    const { connection: first } = engine;
    assert.equal(await count('people'), 1);
    await write('2.parquet', 2);
    assert.equal(await engine.show(shown(`['${own}/1.parquet', '${own}/2.parquet']`)), false);
    assert.equal(await count('people'), 3);
    assert.equal(engine.connection, first);
    for (const outside of [segment, `${own}/../segment.parquet`, `${own}x/1.parquet`]) {
      await assert.rejects(engine.connection.run(`SELECT * FROM read_parquet('${outside}')`), /Permission/, outside);
    }
    assert.equal(await engine.show(request), true);
    assert.notEqual(engine.connection, first, 'for other places there is another engine');
    assert.equal(await count('people'), 5000);
    await assert.rejects(engine.connection.run(`SELECT * FROM read_parquet('${own}/1.parquet')`), /Permission/);
  } finally {
    engine.close();
  }
});

test('the service still answers', async () => {
  const answer = JSON.parse(await ask('SELECT count(*) AS n FROM people'));
  assert.deepEqual(answer.rows, [{ n: 5000 }]);
  for (const each of [sandbox, hasty]) assert.deepEqual(each.load(), { busy: 0, queued: 0 });
});
