import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { noRows, type RowOf, SIGNALS } from '../schema.ts';
import { openBuffer, tableOf } from './buffer.ts';
import { withConnection } from './duckdb.ts';

const resource: RowOf<'resources'> = {
  workspace_id: null,
  seen_ns: 1n,
  resource_id: 'r',
  system: 'default',
  service: 'shop',
  instance: null,
  attrs: '{}',
  dropped: null,
  entities: null,
  schema_url: null,
};
const one = () => ({ ...noRows(), resources: [resource] });
const open = () => openBuffer({ memoryLimit: '64MB', tempDirectory: join(tmpdir(), `caudal-${newId()}`) });

test('generations come and go while rows are written and read', async (t) => {
  const buffer = await open();
  t.after(() => buffer.close());
  const leaving: Promise<void>[] = [];
  let generation = await buffer.open('0');
  for (let round = 1; round <= 200; round += 1) {
    await buffer.append(generation, one());
    const lease = buffer.lease();
    assert.ok(lease.generations.includes(generation));
    leaving.push(lease.release());
    if (round % 3 !== 0) continue;
    leaving.push(buffer.drop(generation));
    generation = await buffer.open(String(round));
  }
  await Promise.all(leaving);
  const tables = await withConnection(buffer.instance, (read) => read('SELECT table_name FROM duckdb_tables()'));
  assert.equal(tables.length, SIGNALS.length, 'only the tables of the generation that is filling');
});

test('a leased generation stays until it is given back', async (t) => {
  const buffer = await open();
  t.after(() => buffer.close());
  const generation = await buffer.open('0');
  await buffer.append(generation, one());
  const lease = buffer.lease();
  await buffer.drop(generation);
  assert.deepEqual(buffer.lease().generations, [], 'nobody new gets it');
  const count = () =>
    withConnection(buffer.instance, (read) => read(`SELECT * FROM ${tableOf('resources', generation)}`));
  assert.equal((await count()).length, 1);
  await lease.release();
  await assert.rejects(count(), /does not exist/);
});

test('what DuckDB cannot take is said when it settles, and the generation can still be dropped', async (t) => {
  // Nowhere to put what does not fit into memory.
  const buffer = await openBuffer({ memoryLimit: '8MB', tempDirectory: '/dev/null/nowhere' });
  t.after(() => buffer.close());
  const generation = await buffer.open('0');
  const rows = Array.from({ length: 2000 }, (_, index) => ({ ...resource, attrs: `${index}`.repeat(2000) }));
  for (let round = 0; round < 20; round += 1) await buffer.append(generation, { ...noRows(), resources: rows });
  const failure = buffer.settle(generation);
  assert.match(failure?.message ?? '', /^Failed to append/);
  assert.equal(buffer.settle(generation), failure, 'it stays so: what was lost does not come back');
  await buffer.drop(generation);
  const next = await buffer.open('1');
  await buffer.append(next, one());
  assert.equal(buffer.settle(next), undefined);
});
