import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { httpLoad } from '../support/http-load.ts';
import { SOAK, startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const caudal = await startCaudal({ CAUDAL_RATE_LIMIT_WORKSPACE: '100000/s' });
const client = createClient(caudal.url, caudal.admin.token);

const BATCHES_A_SECOND = 1_000;
const LOAD_MS = SOAK ? 60_000 : 6_000;
/** What is there before, as much as comes: an idle question is asked of half and of all, a busy one of what is between. */
const ROWS_BEFORE = SOAK ? 300_000 : 1_000;
const EVENTS = Array.from({ length: 5 }, (_, n) => `{"n": %n, "city": "Cali", "amount": ${n}.5}`);
/** Drains begin 200 ms apart at least, and compactions are fewer: this many versions, whatever comes, as fast as it may. */
const VERSIONS_A_SECOND = 10;
/** What compaction leaves, and what the lake ever may have. */
const SEGMENTS = { after: 16, most: 64 };

async function seed(): Promise<void> {
  for (let first = 0; first < ROWS_BEFORE; first += 50_000) {
    const rows = Array.from({ length: Math.min(50_000, ROWS_BEFORE - first) }, (_, n) => ({
      ...{ n: -1 - first - n, city: 'Pasto', amount: 0.5 },
    }));
    const answer = await client.call('POST', '/topics/small/events?wait=true', { body: rows });
    assert.ok(answer.status === 200 || answer.status === 202, answer.text);
  }
  await drained();
}

const drained = () =>
  until('an empty backlog', async () => (await client.get('/topics/small')).backlog === 0 || undefined);

/** Of no two questions the answer is known already. */
const fresh = (() => {
  let asked = 0;
  return (): number => {
    asked += 1;
    return asked;
  };
})();
const QUESTIONS: Record<string, () => Promise<unknown>> = {
  rows: () => client.get(`/datasets/small/rows?limit=20&where[n][lt]=${fresh()}`),
  sql: () =>
    client.sql(`SELECT city, count(*) AS n, sum(amount) AS total FROM small WHERE n < ${fresh()} GROUP BY city`),
};

/** ms of each question, asked in turn until `done`. */
async function askUntil(done: () => boolean): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = { rows: [], sql: [] };
  while (!done()) {
    for (const [name, ask] of Object.entries(QUESTIONS)) {
      const began = performance.now();
      await ask();
      times[name]?.push(performance.now() - began);
    }
    await pause(100);
  }
  return times;
}

function medians(times: Record<string, number[]>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0]),
  );
}

/** Of thirty rounds, after ten that warm up. */
async function idleMedians(): Promise<Record<string, number>> {
  const rounds = (count: number) => {
    let left = count;
    return () => {
      left -= 1;
      return left < 0;
    };
  };
  await askUntil(rounds(10));
  return medians(await askUntil(rounds(30)));
}

test(`small batches for ${LOAD_MS / 1000} s: each event once, no backlog, few segments, few versions`, async (t) => {
  await seed();
  const before = SOAK ? await idleMedians() : {};
  const began = performance.now();
  let done = false;
  let most = 0;
  const sent = httpLoad({
    port: Number(new URL(caudal.url).port),
    method: 'POST',
    path: '/topics/small/events',
    headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
    body: `[${EVENTS.join(',')}]`,
    ...{ connections: 32, ms: LOAD_MS, per_second: BATCHES_A_SECOND },
  }).finally(() => {
    done = true;
  });
  const watch = async (): Promise<void> => {
    while (!done) {
      most = Math.max(most, (await client.get('/datasets/small')).segments);
      await pause(500);
    }
  };
  const [load, during] = await Promise.all([sent, askUntil(() => done), watch()]);
  await drained();
  const seconds = (performance.now() - began) / 1000;

  assert.equal(load.refused, 0);
  const [found] = await client.sql('SELECT count(*) AS n, count(DISTINCT n) AS numbers, max(n) AS last FROM small');
  const all = ROWS_BEFORE + load.numbers;
  assert.deepEqual(found, { n: all, numbers: all, last: load.numbers - 1 });
  const { version, segments } = await client.get('/datasets/small');
  assert.ok(version < 20 + VERSIONS_A_SECOND * seconds, `${version} versions in ${seconds} s`);
  if (segments > SEGMENTS.after) {
    await until(
      'few segments',
      async () => (await client.get('/datasets/small')).segments <= SEGMENTS.after || undefined,
    );
  }
  const after = SOAK ? await idleMedians() : {};
  const idle = Object.fromEntries(Object.entries(before).map(([name, ms]) => [name, (ms + (after[name] ?? ms)) / 2]));
  const figures = { per_second: Math.round(load.per_second), p50: load.p50, p99: load.p99, version, most };
  t.diagnostic(JSON.stringify({ ...figures, before, after, during: medians(during) }));
  if (!SOAK) return;
  assert.ok(load.per_second > 0.98 * BATCHES_A_SECOND, `${load.per_second} batches/s`);
  assert.ok(most <= SEGMENTS.most, `${most} segments`);
  for (const [name, ms] of Object.entries(medians(during))) {
    assert.ok(ms <= 2 * (idle[name] ?? 0), `${name}: ${ms} ms, idle ${idle[name]} ms`);
  }
});
