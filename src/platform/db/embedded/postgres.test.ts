import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import pg from 'pg';
import { createLogger } from '#platform/observe/log.ts';
import { canSeeProcesses, describeProcess, waitForEnd } from '#platform/process/processes.ts';
import { processesIn } from './leftovers.ts';
import { type RunningPostgres, startPostgres } from './postgres.ts';

const log = createLogger({ level: 'silent', service: 'test', instance: 'test' });
let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'caudal-postgres-'));
  chmodSync(root, 0o711);
});
const started: RunningPostgres[] = [];
after(async () => {
  for (const server of started) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function start(dir: string): Promise<RunningPostgres> {
  const server = await startPostgres({ dir, log, durable: false });
  started.push(server);
  return server;
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Commits one row after another until the connection breaks. @returns how many were acknowledged. */
async function insertUntilItBreaks(url: string, atCommit: (count: number) => void): Promise<number> {
  let acknowledged = 0;
  await connected(url, async (client) => {
    for (;;) {
      await client.query('INSERT INTO t DEFAULT VALUES');
      acknowledged += 1;
      atCommit(acknowledged);
    }
  }).catch((error: Error) => {
    if (!/terminat|ECONN|closed|connection error/i.test(error.message)) throw error;
  });
  return acknowledged;
}

test('five times kill -9 of the postmaster under load: every acknowledged commit is there, nothing is left behind', async () => {
  const dir = join(root, 'killed');
  let server = await start(dir);
  const { url, port } = server;
  await connected(url, (client) => client.query('CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY)'));
  let acknowledged = 0;
  for (let round = 1; round <= 5; round += 1) {
    const { pid } = server;
    acknowledged += await insertUntilItBreaks(url, (count) => {
      if (count === 50 * round) process.kill(pid, 'SIGKILL');
    });
    assert.equal((await server.exited).signal, 'SIGKILL');
    server = await start(dir);
    assert.equal(server.port, port, 'the port is kept');
    const found = await connected(url, (client) => client.query<{ n: string }>('SELECT count(*) AS n FROM t'));
    const rows = Number(found.rows[0]?.n);
    // The commit in flight may have been made without its acknowledgement having arrived.
    assert.ok(rows >= acknowledged && rows <= acknowledged + 1, `${rows} rows, ${acknowledged} acknowledged`);
    acknowledged = rows;
  }
  const data = join(dir, 'data');
  assert.ok(processesIn(data).length > 0);
  await server.stop();
  await server.stop();
  assert.deepEqual(processesIn(data), []);
  assert.ok(!existsSync(join(data, 'postmaster.pid')));
});

test('a live postmaster of another run is stopped, never adopted', { skip: !canSeeProcesses }, async () => {
  const dir = join(root, 'twice');
  const first = await start(dir);
  const second = await start(dir);
  assert.notEqual(second.pid, first.pid);
  assert.equal((await first.exited).code, 0, 'by a clean shutdown');
  await connected(second.url, (client) => client.query('SELECT 1'));
  await second.stop();
});

test('a pid file that names an unrelated process does not stop a start', { skip: !canSeeProcesses }, async () => {
  const dir = join(root, 'stale');
  await (await start(dir)).stop();
  writeFileSync(
    join(dir, 'data', 'postmaster.pid'),
    `${process.pid}\n${join(dir, 'data')}\n1\n1\n\n127.0.0.1\n1 1\nready\n`,
  );
  const server = await start(dir);
  assert.notEqual(server.pid, process.pid);
  await server.stop();
});

test('a half-made cluster is made again, and a taken port is left to its owner', async () => {
  const dir = join(root, 'half');
  mkdirSync(join(dir, 'data.init'), { recursive: true });
  writeFileSync(join(dir, 'data.init', 'PG_VERSION'), '18\n');
  const { createServer } = await import('node:net');
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  assert.ok(address && typeof address === 'object');
  writeFileSync(join(dir, 'port'), `${address.port}\n`);
  const server = await start(dir);
  try {
    assert.notEqual(server.port, address.port);
    assert.ok(!existsSync(join(dir, 'data.init')));
    assert.equal(statSync(join(dir, 'password')).mode & 0o777, 0o600);
    await assert.rejects(
      connected(server.url.replace(/:[^:@]+@/, ':wrong@'), (client) => client.query('SELECT 1')),
      /password authentication failed/,
    );
  } finally {
    await server.stop();
    other.close();
  }
});

test('where nobody cannot reach the directory, root runs it in a user namespace', {
  skip: process.getuid?.() !== 0 && 'only root needs another account',
}, async () => {
  const closed = join(root, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const server = await start(join(closed, 'db'));
  try {
    const name = await connected(server.url, (client) =>
      client.query<{ datcollate: string; locale: string }>(
        "SELECT datlocprovider AS provider, datlocale AS locale FROM pg_database WHERE datname = 'caudal'",
      ),
    );
    assert.deepEqual(name.rows, [{ provider: 'b', locale: 'C.UTF-8' }]);
  } finally {
    await server.stop();
  }
});

test('when its parent is killed, PostgreSQL shuts down by itself', { skip: !canSeeProcesses }, async () => {
  const dir = join(root, 'orphan');
  const script = `
    import { startPostgres } from '#platform/db/embedded/postgres.ts';
    import { createLogger } from '#platform/observe/log.ts';
    const log = createLogger({ level: 'silent', service: 'test', instance: 'test' });
    const server = await startPostgres({ dir: ${JSON.stringify(dir)}, log, durable: false });
    console.log(server.pid);
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('../../../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(describeProcess(pid));
  parent.kill('SIGKILL');
  assert.deepEqual(await waitForEnd([pid], 60_000), []);
  assert.match(readFileSync(join(dir, 'postgres.log'), 'utf8'), /database system is shut down/);
});
