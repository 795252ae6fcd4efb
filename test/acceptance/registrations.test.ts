import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);

const COLUMNS = [
  { name: 'national_id', type: 'text', required: true, pattern: '\\d{6,10}' },
  { name: 'name', type: 'text', required: true },
  { name: 'city', type: 'text', enum: ['Cali', 'Pasto', 'Bogotá'] },
];

interface Row {
  national_id: string;
  name: string;
  city: string;
}

function person(number: number, name = `Person ${number}`): Row {
  return { national_id: String(1_000_000 + number), name, city: ['Cali', 'Pasto', 'Bogotá'][number % 3] ?? '' };
}

async function newDataset(name: string): Promise<void> {
  const body = { name, columns: COLUMNS, key: ['national_id'] };
  const made = await client.call('POST', '/datasets', { body });
  assert.equal(made.status, 201, made.text);
}

/** As a careful program sends: the same key until there is an answer. */
async function register(dataset: string, row: Row): Promise<number> {
  const headers = { 'idempotency-key': randomUUID() };
  for (;;) {
    try {
      const { status } = await client.call('POST', `/datasets/${dataset}/rows`, { body: row, headers });
      if (status < 500 && status !== 429) return status;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await pause(100);
  }
}

async function everyRow(dataset: string, count: number): Promise<void> {
  await until(`${count} rows in ${dataset}`, async () => {
    const answer = await client.call('GET', `/datasets/${dataset}`).catch(() => undefined);
    return answer?.status === 200 && answer.body.rows >= count ? true : undefined;
  });
  const [found] = await client.sql(`SELECT count(*) AS n, count(DISTINCT national_id) AS keys FROM ${dataset}`);
  assert.deepEqual([Number(found?.['n']), Number(found?.['keys'])], [count, count]);
}

describe('registrations', () => {
  test('a process that dies at any step of taking rows loses none and doubles none', async () => {
    await newDataset('fragile');
    const points: FaultPoint[] = [
      'rows.before-commit',
      'rows.after-commit',
      'drain.before-commit',
      'drain.after-commit',
    ];
    let taken = 0;
    for (const point of points) {
      caudal.layFault(point);
      const rows = [0, 1, 2].map((step) => person(taken + step));
      assert.deepEqual(await Promise.all(rows.map((row) => register('fragile', row))), [202, 202, 202]);
      taken += rows.length;
      await caudal.faultStruck(point);
      await everyRow('fragile', taken);
      assert.equal(await register('fragile', person(taken - 1, 'Somebody else')), 409);
    }
  });

  test('the command line adds rows and says what became of them', async () => {
    const declaration = JSON.stringify({ columns: COLUMNS, key: ['national_id'] });
    await caudal.command(['datasets', 'typed', '--create', declaration], { expect: 0 });
    const rows = [person(1), person(1), { national_id: 'x' }].map((row) => JSON.stringify(row)).join('\n');
    const { stdout } = await caudal.command(['rows', 'typed', '--add', rows], { expect: 0 });
    assert.match(stdout, /1 of 3 inserted, 1 in quarantine, 1 there already/);
    const refused = await caudal.command(['rows', 'typed', '--add', JSON.stringify(person(1))], { expect: 1 });
    assert.match(refused.stderr, /national_id/);
  });
});
