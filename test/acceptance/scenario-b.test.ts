import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Trace } from '#contract/telemetry.ts';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { killHard, SOAK, startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const caudal = await startCaudal({ CAUDAL_RATE_LIMIT_WORKSPACE: '100000/s' });
const client = createClient(caudal.url, caudal.admin.token);
const LOAD_MS = SOAK ? 60_000 : 4_000;
const KILLS = SOAK ? 20 : 3;

interface Person {
  name: string;
  email: string;
  number: number;
}

let numbers = 0;
const person = (): Person => {
  numbers += 1;
  return { name: `Person ${numbers}`, email: `person${numbers}@example.org`, number: numbers };
};

/** Publishes until it is acknowledged, as a client does: the same key, so that a lost answer doubles nothing. */
async function publish(topic: string, body: Person[]): Promise<void> {
  const headers = { 'idempotency-key': newId() };
  await until('an acknowledgement', async () => {
    const answer = await client.call('POST', `/topics/${topic}/events`, { body, headers }).catch(() => undefined);
    if (answer?.status === 202) return answer;
    assert.ok(
      answer === undefined || answer.status >= 500 || answer.body.code === 'idempotency_in_flight',
      answer?.text,
    );
    return undefined;
  });
}

/** Every acknowledged number is in the table, once. */
async function holdsAll(topic: string, acknowledged: readonly number[]): Promise<void> {
  const truth = {
    n: acknowledged.length,
    numbers: new Set(acknowledged).size,
    total: acknowledged.reduce((a, b) => a + b, 0),
  };
  await until(`${truth.n} rows`, async () => ((await client.get(`/topics/${topic}`)).backlog === 0 ? true : undefined));
  const [found] = await client.sql(
    `SELECT count(*) AS n, count(DISTINCT number) AS numbers, sum(number) AS total, count(DISTINCT email) AS emails FROM "${topic}"`,
  );
  assert.deepEqual({ ...found, total: Number(found?.['total']) }, { ...truth, emails: truth.numbers });
  const [account] = await client.sql(
    `SELECT sum(s.read) AS read, sum(s.accepted) AS accepted, sum(s.quarantined) AS quarantined FROM sources s WHERE s.dataset = '${topic}'`,
  );
  const { read, accepted, quarantined } = Object.fromEntries(
    Object.entries(account ?? {}).map(([name, value]) => [name, Number(value)]),
  );
  assert.deepEqual({ read, accepted, quarantined }, { read: truth.n, accepted: truth.n, quarantined: 0 });
}

describe('B: publish a record, read it back', () => {
  test('the row leads to its own source, and that to the trace of the request that brought it', async () => {
    const ana = await client.call('POST', '/topics/readers/events?wait=true', {
      body: { name: 'Ana', email: 'ana@example.org' },
    });
    assert.equal(ana.status, 200, ana.text);
    assert.deepEqual([ana.body.accepted, ana.body.inserted, ana.body.quarantined], [1, 1, 0]);
    const luis = await client.call('POST', '/topics/readers/events?wait=true', {
      body: [{ name: 'Luis', email: 'luis@example.org' }],
    });
    const found = await client.sql(
      `SELECT r.name, s.trace_id, s.kind, s.table_name FROM readers r JOIN sources s ON s.id = r._source ORDER BY r.name`,
    );
    const expected = [ana, luis].map(({ headers }) => headers.get('x-trace-id'));
    assert.deepEqual(found, [
      { name: 'Ana', trace_id: expected[0], kind: 'events', table_name: 'readers' },
      { name: 'Luis', trace_id: expected[1], kind: 'events', table_name: 'readers' },
    ]);
    const listed = await client.get('/datasets/readers/sources');
    assert.deepEqual(new Set(listed.items.map(({ trace_id }: { trace_id: string }) => trace_id)), new Set(expected));
    const rows = await client.get('/datasets/readers/rows?where[name]=Ana&include=source');
    const one = await client.get(`/datasets/readers/sources?id=${rows.rows[0]._source}`);
    assert.deepEqual(
      one.items.map(({ trace_id }: { trace_id: string }) => trace_id),
      [expected[0]],
    );
    await until('the span of the delivery', async () => {
      const { body } = await client.call('GET', `/telemetry/traces/${expected[0]}`);
      const names = (body as Trace).spans?.map(({ service, name }) => `${service} ${name}`) ?? [];
      return names.includes('caudal-worker process readers') && names.includes('caudal-api append') ? true : undefined;
    });
  });

  test(`one by one and 1,000 at a time, the worker killed ${KILLS} times: every acknowledged record once`, async () => {
    const acknowledged: number[] = [];
    const end = performance.now() + LOAD_MS;
    const publisher = async (size: number): Promise<void> => {
      while (performance.now() < end) {
        const people = Array.from({ length: size }, person);
        await publish('people', people);
        acknowledged.push(...people.map(({ number }) => number));
      }
    };
    const killer = async (): Promise<void> => {
      for (let killed = 0; killed < KILLS; killed += 1) {
        // The moment is what is random here; nothing is waited for.
        await pause(Math.random() * (LOAD_MS / KILLS));
        await killHard(await caudal.pid('worker'));
      }
    };
    await Promise.all([killer(), ...[1, 1, 1, 1, 1000, 1000].map(publisher)]);
    assert.ok(acknowledged.length > 1000, `${acknowledged.length} were acknowledged`);
    await holdsAll('people', acknowledged);
  });

  for (const point of ['drain.after-write', 'drain.before-commit', 'drain.after-commit'] satisfies FaultPoint[]) {
    test(`kill -9 at ${point}`, async () => {
      const topic = point.replace(/\W/g, '_');
      caudal.layFault(point);
      const people = Array.from({ length: 50 }, person);
      await publish(topic, people);
      await caudal.faultStruck(point);
      await holdsAll(
        topic,
        people.map(({ number }) => number),
      );
    });
  }

  test('the gateway dies after the append and before its answer: the repeat appends nothing', async () => {
    caudal.layFault('events.after-append');
    const people = [person()];
    await publish('answered', people);
    await caudal.faultStruck('events.after-append');
    await holdsAll(
      'answered',
      people.map(({ number }) => number),
    );
  });

  test('the command line publishes and lists', async () => {
    const published = await caudal.command(['publish', 'cli', '{"name": "Eva"}', '--wait', '--json'], { expect: 0 });
    const answer = JSON.parse(published.stdout);
    assert.deepEqual([answer.accepted, answer.inserted], [1, 1]);
    const listed = await caudal.command(['topics', 'cli', '--json'], { expect: 0 });
    assert.equal(JSON.parse(listed.stdout).events, 1);
    const all = await caudal.command(['topics'], { expect: 0 });
    assert.match(all.stdout, /people/);
  });

  test('the command line subscribes, lists, replays and ends subscriptions', async () => {
    await client.call('POST', '/topics/hooked/events', { body: { n: 1 } });
    const url = 'https://hooks.example.org/caudal';
    const asked = ['topics', 'subscribe', 'hooked', '--webhook', url, '--json'];
    const made = JSON.parse((await caudal.command(asked, { expect: 0 })).stdout);
    assert.match(made.secret, /^whsec_/);
    const { stdout } = await caudal.command(['webhooks', '--json'], { expect: 0 });
    const [hook] = JSON.parse(stdout).items;
    assert.deepEqual([hook.topic, hook.id, hook.webhook_url, hook.backlog], ['hooked', made.id, url, 0]);
    const { subscriptions } = await client.get('/topics/hooked');
    const [{ id }] = subscriptions.filter(({ kind }: { kind: string }) => kind === 'dataset');
    const replay = ['topics', 'replay', 'hooked', id, '--from', '2020-01-01', '--json'];
    const { task } = JSON.parse((await caudal.command(replay, { expect: 0 })).stdout);
    assert.equal((await client.task(task.id)).status, 'succeeded');
    await caudal.command(['topics', 'unsubscribe', 'hooked', made.id], { expect: 0 });
    assert.equal((await client.get('/topics/hooked')).subscriptions.length, 1);
  });
});
