import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import type { OnConflict } from '#contract/datasets.ts';
import { CaudalError } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { newWorkspace } from '../../../test/support/lake.ts';
import { directoryObjects } from '../../../test/support/objects.ts';
import type { Change } from './change.ts';
import { commit } from './commit.ts';
import { createDataset } from './dataset-rows.ts';
import { keyHash } from './key-hash.ts';
import { reserveKeys } from './keys.ts';
import { type SettledKeys, settleKeys } from './settle-keys.ts';

test('settling keys', { skip: needsDatabase }, async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'caudal-settle-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  after(async () => {
    instance.closeSync();
    await rm(root, { recursive: true, force: true });
  });
  for (const name of ['temp', 'objects', 'out']) await mkdir(join(root, name));
  const objects = directoryObjects(join(root, 'objects'));
  const tools = { objects, temp_dir: join(root, 'temp'), memory_bytes: 500e6, threads: 2 };
  const { db } = await testDatabase();
  const workspace_id = await newWorkspace(db);
  const columns = [{ name: 'n', type: 'integer', nullable: true }];
  const key = (on_conflict: OnConflict) => ({ columns: ['n'], on_conflict });

  const newDataset = async (on_conflict: OnConflict) => {
    const declared = [{ name: 'n', type: 'integer' }];
    const { id } = await transaction(db, (tx) =>
      createDataset(tx, { workspace_id, name: newId(), declared, key: key(on_conflict) }),
    );
    return id;
  };
  /** A table whose rows are `select`, as a reader leaves it. */
  const written = async (select: string) => {
    const path = join(root, 'out', `${newId()}.parquet`);
    const source = newId();
    const { rowsChanged: count } = await connection.run(
      `COPY (SELECT n, ${quoteLiteral(source)}::UUID AS _source, TIMESTAMP '2026-01-01' AS _loaded_at FROM (${select}))
       TO ${quoteLiteral(path)} (FORMAT parquet)`,
    );
    const segment = { path, rows: count, bytes: (await stat(path)).size, first_line: 2, profile: null };
    const accounting = { read: count, accepted: count, quarantined: 0, duplicates: 0, skipped: [] };
    return { source, columns, segments: [segment], accounting };
  };
  type Table = Awaited<ReturnType<typeof written>>;
  const settle = (dataset_id: string, on_conflict: OnConflict, tables: Table[]) =>
    settleKeys(db, tools, { workspace_id, dataset_id, key: key(on_conflict), tables, out_dir: join(root, 'out') });
  const changeOf = (dataset_id: string, { tables, keys, removal }: SettledKeys<Table>): Change => ({
    ...{ kind: 'append', dataset_id, task_id: null, trace_id: null, keys, ...removal },
    additions: tables.map(({ source, accounting, segments }) => ({
      source: { id: source, kind: 'file', accounting, sniffed: { format: 'csv' }, loaded_at: new Date(0) },
      columns,
      segments: segments.map(({ path: _, ...segment }) => {
        const id = newId();
        return { ...segment, id, object_key: `lake/test/${id}.parquet`, source_ids: [source] };
      }),
    })),
  });
  const isBusy = (error: unknown): boolean => error instanceof CaudalError && error.code === 'dataset_busy';

  await t.test('rows that stay keep their order and their lines', async () => {
    const dataset = await newDataset('reject');
    const table = await written('SELECT range AS n FROM range(300000) UNION ALL SELECT 7 UNION ALL SELECT 300000');
    const { tables, keys } = await settle(dataset, 'reject', [table]);
    assert.deepEqual([tables[0]?.accounting.duplicates, keys.taken.count], [1, 300_001]);
    const path = quoteLiteral(tables[0]?.segments[0]?.path ?? '');
    const reader = await connection.runAndReadAll(
      `SELECT count(*) FILTER (n <> file_row_number), max(_line - n), max(_line) FROM read_parquet(${path}, file_row_number = true)`,
    );
    assert.deepEqual(reader.getRows()[0]?.map(Number), [0, 3, 300_003]);
  });

  await t.test(
    'a key that was taken meanwhile makes the commit busy, and settled again it is a duplicate',
    async () => {
      const dataset = await newDataset('reject');
      const table = await written('SELECT range AS n FROM range(10)');
      const settled = await settle(dataset, 'reject', [table]);
      const hash = keyHash([4], ['integer']) ?? '';
      const reserved = await transaction(db, (tx) => reserveKeys(tx, dataset, newId(), [hash]));
      assert.equal(reserved.size, 0);
      await assert.rejects(
        transaction(db, (tx) => commit(tx, changeOf(dataset, settled))),
        isBusy,
      );
      const again = await settle(dataset, 'reject', [table]);
      assert.equal(again.tables[0]?.accounting.duplicates, 1);
      const done = await transaction(db, (tx) => commit(tx, changeOf(dataset, again)));
      assert.equal(done.rows, 9);
      const twice = await transaction(db, (tx) => reserveKeys(tx, dataset, newId(), [hash]));
      assert.deepEqual([...twice], [hash]);
    },
  );

  await t.test('a row keeps the key that its own source took; others of that key are duplicates', async () => {
    const dataset = await newDataset('reject');
    const table = await written('SELECT unnest([1, 2, 3]) AS n');
    const other = await written('SELECT 2 AS n');
    const hash = keyHash([2], ['integer']) ?? '';
    await transaction(db, (tx) => reserveKeys(tx, dataset, table.source, [hash]));
    const settled = await settle(dataset, 'reject', [other, table]);
    assert.deepEqual(
      settled.tables.map(({ accounting }) => [accounting.accepted, accounting.duplicates]),
      [
        [0, 1],
        [3, 0],
      ],
    );
    assert.equal(settled.keys.taken.count, 2);
    await transaction(db, (tx) => commit(tx, changeOf(dataset, settled)));
    const row = await first(
      db,
      sql<{ n: number }>`SELECT count(*) AS n FROM dataset_keys WHERE dataset_id = ${dataset}`,
    );
    assert.equal(row?.n, 3);
  });

  await t.test('two that replace the same row: the later commit settles again', async () => {
    const dataset = await newDataset('replace');
    const commitOf = (settled: SettledKeys<Table>) => transaction(db, (tx) => commit(tx, changeOf(dataset, settled)));
    const store = async (settled: SettledKeys<Table>) => {
      const change = changeOf(dataset, settled);
      for (const [index, addition] of (change.additions ?? []).entries()) {
        const [segment] = addition.segments;
        if (segment) await objects.putFile(segment.object_key, settled.tables[index]?.segments[0]?.path ?? '');
      }
      return transaction(db, (tx) => commit(tx, change));
    };
    await store(await settle(dataset, 'replace', [await written('SELECT range AS n FROM range(10)')]));
    const one = await settle(dataset, 'replace', [await written('SELECT 3 AS n')]);
    const two = await settle(dataset, 'replace', [await written('SELECT unnest([3, 4]) AS n')]);
    assert.equal((await commitOf(one)).rows, 10);
    await assert.rejects(commitOf(two), isBusy);
  });

  await t.test('whoever adds rows to a dataset with a key without settling them is stopped', async () => {
    const dataset = await newDataset('reject');
    const change = changeOf(dataset, await settle(dataset, 'reject', [await written('SELECT 1 AS n')]));
    delete change.keys;
    await assert.rejects(
      transaction(db, (tx) => commit(tx, change)),
      /were not settled/,
    );
  });
});
