import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { ADMIN_URL, needsDatabase } from '../support/database.ts';
import { killHard, reads, run, SOAK, startCaudal, temporaryDirectory, until } from './caudal.ts';
import { createClient, problemCode } from './client.ts';
import { flakyProxy } from './flaky-proxy.ts';
import { holdsExactly, numbersCsv, truthOf } from './numbers.ts';

/** About 10 MB: two parts. */
const ROWS = 120_000;
const CSV = Buffer.from(numbersCsv(ROWS));
const CYCLES = SOAK ? 20 : 3;
const OUTAGE_MS = SOAK ? 30_000 : 4_000;

const caudal = await startCaudal();
const client = () => createClient(caudal.url, caudal.admin.token);

describe('Ctrl-C', () => {
  test('drains, stops everything, PostgreSQL included, and the next start has it all', async (t) => {
    const { file } = await client().upload('drained.csv', CSV, { dataset: 'drained' }).done;
    await caudal.pid('worker', reads);
    assert.equal(await caudal.stop(), 0);
    assert.deepEqual(caudal.processes(), []);
    const begun = performance.now();
    await caudal.start();
    const ms = performance.now() - begun;
    t.diagnostic(`second start: ready after ${Math.round(ms)} ms`);
    const loaded = await client().settled(file.id);
    assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
    await holdsExactly(client(), 'drained', truthOf(ROWS));
  });
});

describe('two supervisors', () => {
  test('the second on the same data directory refuses in words and touches nothing', async () => {
    const second = await caudal.command(['up'], { environment: { CAUDAL_PORT: '0' } });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /Caudal already runs on .*pid \d+, http:/);
    assert.match(second.stderr, /CAUDAL_DATA_DIR/);
    assert.doesNotMatch(second.stderr, /\n\s+at /);
    await holdsExactly(client(), 'drained', truthOf(ROWS));
  });

  test('a port that is taken is said, and nothing of the attempt stays', async () => {
    const directory = temporaryDirectory();
    const environment = {
      ...process.env,
      CAUDAL_DATA_DIR: join(directory, 'other'),
      CAUDAL_PORT: new URL(caudal.url).port,
    };
    const refused = await run(['up'], environment);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Port \d+ on 127\.0\.0\.1 is taken/);
    assert.equal(existsSync(join(directory, 'other', 'supervisor.lock')), false);
  });
});

describe('kill -9', () => {
  test('of the supervisor alone: its processes go too, and a plain start has it all', async () => {
    const { file } = await client().upload('alone.csv', CSV, { dataset: 'alone' }).done;
    const all = caudal.processes();
    await killHard(caudal.supervisor());
    await caudal.start();
    const living = new Set(caudal.processes());
    assert.deepEqual(
      all.filter((pid) => living.has(pid)),
      [],
      'nothing of the earlier run lives on',
    );
    assert.equal((await client().settled(file.id)).state, 'loaded');
    await holdsExactly(client(), 'alone', truthOf(ROWS));
  });

  for (let cycle = 1; cycle <= CYCLES; cycle += 1) {
    test(`of everything at once, and a cold start (${cycle} of ${CYCLES})`, async (t) => {
      const dataset = `cold_${cycle}`;
      const half = await halfAnUpload(`${dataset}_half`);
      const { file } = await client().upload('cold.csv', CSV, { dataset }).done;
      await pause(Math.random() * 2_500);
      await caudal.killAll();
      const begun = performance.now();
      await caudal.start();
      t.diagnostic(`cold start: ready after ${Math.round(performance.now() - begun)} ms`);
      const resumed = await client().upload('half.csv', CSV, { resume: half }).done;
      for (const each of [file.id, resumed.file.id]) {
        const loaded = await client().settled(each);
        assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
      }
      await holdsExactly(client(), dataset, truthOf(ROWS));
      await holdsExactly(client(), `${dataset}_half`, truthOf(ROWS));
      const { items } = await client().get('/files?limit=1000');
      assert.deepEqual(
        items.filter(({ state }: { state: string }) => state !== 'loaded'),
        [],
        'no file is stuck',
      );
    });
  }

  /** The first of two parts has arrived. */
  async function halfAnUpload(dataset: string): Promise<string> {
    const begun = await client().call('POST', '/uploads', {
      body: { filename: 'half.csv', size: CSV.length, dataset },
    });
    assert.equal(begun.status, 201, begun.text);
    const { upload_id, urls, part_size } = begun.body;
    const put = await fetch(new URL(urls[0].url, caudal.url), {
      method: 'PUT',
      body: new Uint8Array(CSV.subarray(0, part_size)),
    });
    assert.equal(put.status, 200, await put.text());
    return upload_id;
  }
});

describe('PostgreSQL refuses connections', { skip: needsDatabase }, async () => {
  if (!ADMIN_URL) return;
  const name = `caudal_acceptance_${randomBytes(5).toString('hex')}`;
  const admin = async (statement: string) => {
    const connection = new pg.Client({ connectionString: ADMIN_URL });
    await connection.connect();
    await connection.query(statement).finally(() => connection.end());
  };
  await admin(`CREATE DATABASE ${name}`);
  const { hostname, port, username, password } = new URL(ADMIN_URL);
  const proxy = await flakyProxy(hostname, Number(port || 5432));
  const other = await startCaudal({
    DATABASE_URL: `postgres://${username}:${password}@127.0.0.1:${proxy.port}/${name}`,
    CAUDAL_RATE_LIMIT_ANONYMOUS: '1000/s',
  });
  after(async () => {
    await other.killAll();
    await proxy.close();
    await admin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });

  test(`for ${OUTAGE_MS / 1000} s: 503 with Retry-After, then everything goes on by itself`, async () => {
    const away = createClient(other.url, other.admin.token);
    const before = await away.load('before.csv', numbersCsv(500), { dataset: 'before' });
    assert.equal(before.state, 'loaded', JSON.stringify(before.error));
    const pids = await Promise.all((['api', 'worker', 'telemetry'] as const).map((role) => other.pid(role)));
    const { file } = await away.upload('through.csv', CSV, { dataset: 'through' }).done;
    await other.pid('worker', reads);
    await proxy.refuse();
    const until_ = performance.now() + OUTAGE_MS;
    const calls: [string, string, unknown?][] = [
      ['GET', '/datasets'],
      ['GET', '/datasets/before/rows'],
      ['GET', `/files/${file.id}`],
      ['POST', '/uploads', { filename: 'new.csv', size: 10 }],
      ['POST', '/sql', { query: 'SELECT count(*) FROM before' }],
      ['POST', '/auth/login', { email: 'a@example.com', password: 'x' }],
    ];
    while (performance.now() < until_) {
      for (const [method, path, body] of calls) {
        const answer = await away.call(method, path, body === undefined ? {} : { body });
        assert.equal(answer.status, 503, `${method} ${path}: ${answer.text}`);
        assert.equal(problemCode(answer), 'not_ready');
        assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
      }
      assert.equal((await away.call('GET', '/livez')).status, 200);
      const ready = await away.call('GET', '/readyz');
      assert.deepEqual([ready.status, ready.body.checks?.database], [503, 'failed']);
    }
    const upload = away.upload('waits.csv', numbersCsv(700), { dataset: 'waits' });
    await proxy.accept();
    await until('ready again', async () => (await away.call('GET', '/readyz')).status === 200 || undefined);
    const waited = await upload.done;
    for (const id of [file.id, waited.file.id]) {
      const loaded = await away.settled(id);
      assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
    }
    await holdsExactly(away, 'through', truthOf(ROWS));
    await holdsExactly(away, 'waits', truthOf(700));
    assert.deepEqual(
      await Promise.all((['api', 'worker', 'telemetry'] as const).map((role) => other.pid(role))),
      pids,
      'no process died of it',
    );
  });
});
