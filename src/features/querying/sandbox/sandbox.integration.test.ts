import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError } from '#kernel/errors.ts';
import type { Outcome } from './outcome.ts';
import type { Parameters, RunRequest } from './protocol.ts';
import { createSandbox } from './sandbox.ts';

const directory = await mkdtemp(join(tmpdir(), 'caudal-sandbox-'));
const segment = join(directory, 'segment.parquet');
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(
  `COPY (SELECT i AS id, 'name ' || i AS name, i % 7 AS city FROM range(10000) t(i)) TO '${segment}' (FORMAT parquet)`,
);

function sandboxOf(timeout_ms: number, warm: number) {
  return createSandbox({
    memory_bytes: 1e9,
    threads: 2,
    timeout_ms,
    export_timeout_ms: 60_000,
    slots: 2,
    queue: 10,
    queue_ms: 20_000,
    warm,
    directory,
    onError: (error) => assert.fail(String(error)),
  });
}

/** Its limit is far from what any test here needs, also on a busy machine; the hasty one's is meant to be met. */
const sandbox = sandboxOf(60_000, 1);
const hasty = sandboxOf(1000, 0);
after(async () => {
  await sandbox.close();
  await hasty.close();
  connection.closeSync();
  instance.closeSync();
  await rm(directory, { recursive: true });
});

function request(overrides: Partial<RunRequest> = {}): RunRequest {
  return {
    parameters: [],
    directories: [],
    paths: [segment],
    views: [{ schema: 'main', name: 'people', sql: `SELECT * FROM read_parquet(['${segment}'])` }],
    format: 'json',
    orient: 'rows',
    max_json_rows: 100_000,
    members: '',
    safe: false,
    title: 'people',
    ...overrides,
  };
}

let released = 0;
function query(
  sql: string,
  parameters: Parameters = [],
  overrides: Partial<RunRequest> = {},
  within = sandbox,
): Promise<Outcome> {
  return within.query(sql, {
    workspace: 'w',
    prepare: async () => ({
      request: request({ parameters, ...overrides }),
      seen: 'people',
      release: async () => {
        released += 1;
      },
    }),
  });
}

async function rowsOf(sql: string, parameters: Parameters = []): Promise<unknown[]> {
  const outcome = await query(sql, parameters);
  return JSON.parse(await text(outcome.body)).rows;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof CaudalError, String(error));
  return error.code;
}

test('a query answers, with named and positional parameters', async () => {
  assert.deepEqual(await rowsOf('SELECT count(*) AS n FROM people'), [{ n: 10_000 }]);
  assert.deepEqual(await rowsOf('SELECT name FROM people WHERE id = ?', [3]), [{ name: 'name 3' }]);
  assert.deepEqual(await rowsOf('SELECT name FROM people WHERE id = $id', { id: 4 }), [{ name: 'name 4' }]);
  assert.deepEqual(await rowsOf('SELECT sum(id) AS s FROM people WHERE id IN (SELECT unnest($1))', [[1, 2]]), [
    { s: 3 },
  ]);
});

test('repeated names get _1 and _2', async () => {
  assert.deepEqual(await rowsOf('SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS a_1'), [{ a: 1, a_2: 2, a_3: 3, a_1: 4 }]);
});

test('a syntax error has its place, counted in characters', async () => {
  const error = await query("SELECT 'ñ'\nFROM WHERE").catch((thrown: CaudalError) => thrown);
  assert.ok(error instanceof CaudalError);
  assert.equal(error.code, 'sql_syntax');
  assert.deepEqual(error.members, { position: 16, line: 2, column: 6 });
});

test('an unknown column has its place in the text as written', async () => {
  const sql = "SELECT 'ñ',   nope FROM people";
  const error = await query(sql).catch((thrown: CaudalError) => thrown);
  assert.ok(error instanceof CaudalError);
  assert.equal(error.code, 'sql_error');
  assert.equal(error.members?.['position'], sql.indexOf('nope'));
});

test('every format carries the same rows', async () => {
  const sql = 'SELECT id, name FROM people ORDER BY id';
  const csv = (await query(sql, [], { format: 'csv' })).body;
  const lines = (await text(csv)).split('\r\n');
  assert.equal(lines.length, 10_002);
  assert.equal(lines[0], 'id,name');
  assert.equal(lines[10_000], '9999,name 9999');
  const ndjson = (await text((await query(sql, [], { format: 'ndjson', limit: 3 })).body)).trim().split('\n');
  assert.deepEqual(
    ndjson.map((line) => JSON.parse(line).id),
    [0, 1, 2],
  );
  const parquet = await buffer((await query(sql, [], { format: 'parquet' })).body);
  assert.equal(parquet.subarray(0, 4).toString(), 'PAR1');
  assert.equal(parquet.subarray(-4).toString(), 'PAR1');
  const xlsx = await buffer((await query(sql, [], { format: 'xlsx' })).body);
  assert.equal(xlsx.subarray(0, 2).toString(), 'PK');
});

test('too many rows for JSON, too much memory, too much time', async () => {
  assert.equal(await codeOf(query('SELECT * FROM people', [], { max_json_rows: 100 })), 'sql_too_greedy');
  const limited = JSON.parse(await text((await query('SELECT * FROM people', [], { limit: 5 })).body));
  assert.equal(limited.rows.length, 5);
  assert.equal(limited.truncated, true);
  assert.equal(
    await codeOf(query("SELECT length(repeat('x', 2000000000) || repeat('y', 2000000000)) AS n")),
    'sql_too_greedy',
  );
  const endless = 'SELECT sum(a.id * b.id + c.id) FROM people a, people b, people c';
  assert.equal(await codeOf(query(endless, [], {}, hasty)), 'sql_timeout');
});

test('a caller who leaves stops the query', async () => {
  const leaving = new AbortController();
  const running = sandbox.query('SELECT sum(a.id * b.id + c.id) FROM people a, people b, people c', {
    workspace: 'w',
    signal: leaving.signal,
    prepare: async () => {
      setImmediate(() => leaving.abort(new Error('left')));
      return { request: request(), seen: 'people', release: async () => undefined };
    },
  });
  await assert.rejects(running, /left/);
  assert.equal(sandbox.load().busy, 0);
});

test('a body that nobody reads to its end frees its slot', async () => {
  const outcome = await query('SELECT range AS i FROM range(1000000000)', [], { format: 'csv' });
  const closed = new Promise((resolve) => outcome.body.once('close', resolve));
  outcome.body.destroy();
  await closed;
  assert.equal(sandbox.load().busy, 0);
});

test('what fails before the first row is a problem, what fails later destroys the stream', async () => {
  const early = "SELECT CASE WHEN range >= 0 THEN error('boom') END AS x FROM range(10)";
  const late = "SELECT CASE WHEN range = 90000 THEN error('boom') ELSE repeat('x', 100) END AS x FROM range(100000)";
  for (const format of ['csv', 'ndjson', 'parquet', 'xlsx'] as const) {
    const failed = query(early, [], { format }).then(({ body }) => buffer(body));
    await assert.rejects(failed, /boom/, format);
    await assert.rejects(async () => buffer((await query(late, [], { format })).body), /boom/, format);
  }
  assert.equal(sandbox.load().busy, 0);
});

test('files are released as often as they were taken', async () => {
  const before = released;
  await rowsOf('SELECT 1 AS one');
  await query('SELECT nope').catch(() => undefined);
  assert.equal(released - before, 2);
});

test('a child serves other versions of its relations, and no other relations', async () => {
  const other = join(directory, 'other.parquet');
  await connection.run(`COPY (SELECT * FROM '${segment}' LIMIT 10) TO '${other}' (FORMAT parquet)`);
  const alone = sandboxOf(60_000, 0);
  const ask = async (file: string, name: string): Promise<number> => {
    const view = { schema: 'main', name, sql: `SELECT * FROM read_parquet(['${file}'])` };
    const outcome = await alone.query(`SELECT count(*) AS n FROM ${name}`, {
      workspace: 'w',
      prepare: async () => ({
        request: request({ paths: [file], views: [view] }),
        seen: name,
        release: async () => undefined,
      }),
    });
    return JSON.parse(await text(outcome.body)).rows[0].n;
  };
  const children = () => readdirSync(directory).filter((name) => name.startsWith('query-'));
  const before = new Set(children());
  const started = () => children().filter((name) => !before.has(name));
  try {
    for (const [file, rows] of [
      [segment, 10_000],
      [segment, 10_000],
      [other, 10],
      [segment, 10_000],
    ] as const) {
      assert.equal(await ask(file, 'people'), rows);
      assert.equal(started().length, 1, 'one child for every version');
    }
    assert.equal(await ask(other, 'cities'), 10);
    assert.equal(started().length, 2, 'another for another relation');
    const [first = '', second = ''] = started();
    assert.equal(await ask(other, 'people'), 10);
    assert.equal(await ask(segment, 'cities'), 10_000);
    assert.deepEqual(started(), [first, second], 'each is kept for its own');
  } finally {
    await alone.close();
  }
});
