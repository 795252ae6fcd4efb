import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { CaudalError } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { createEnqueue } from '#platform/queue/enqueue.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { addition, newWorkspace } from '../../../test/support/lake.ts';
import { directoryObjects } from '../../../test/support/objects.ts';
import { snapshot } from './catalog.ts';
import type { Addition } from './change.ts';
import { commit } from './commit.ts';
import { COMPACTION, compact, compactWhenNeeded } from './compaction.ts';
import { createDataset } from './dataset-rows.ts';
import { openSegments } from './local.ts';
import { segmentKey, withoutSources } from './rewrite.ts';
import { collectLake, collectSegments, expireVersions, sweepOrphans } from './sweep.ts';
import { relation } from './view.ts';

const HOUR = 3_600_000;

test('upkeep of the lake', { skip: needsDatabase }, async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'caudal-upkeep-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  after(async () => {
    instance.closeSync();
    await rm(root, { recursive: true, force: true });
  });
  const [temp_dir, directory] = [join(root, 'temp'), join(root, 'objects')];
  await mkdir(temp_dir);
  await mkdir(directory);
  const objects = directoryObjects(directory);
  const tools = { objects, temp_dir, memory_bytes: 500e6, threads: 1 };
  const { db } = await testDatabase();
  const workspace_id = await newWorkspace(db);
  const now = () => new Date();
  const later = (ms: number) => ({ db, objects, now: () => new Date(Date.now() + ms) });
  let made = 0;

  const newDataset = async () => {
    made += 1;
    const name = `u${made}`;
    const { id } = await transaction(db, (tx) => createDataset(tx, { workspace_id, name }));
    return { id, name };
  };
  /** A real segment object: rows n = from … from+count-1, as a load would have written it. */
  const stored = async (dataset: string, from: number, count: number, type = 'BIGINT'): Promise<Addition> => {
    const made = addition({
      rows: count,
      columns: [{ name: 'n', type: type === 'BIGINT' ? 'integer' : 'number', nullable: false }],
    });
    const [segment] = made.segments;
    assert.ok(segment);
    const path = join(temp_dir, `${newId()}.parquet`);
    await connection.run(
      `COPY (SELECT range::${type} AS n, ${quoteLiteral(made.source.id)}::UUID AS _source, TIMESTAMP '2026-01-01' AS _loaded_at
             FROM range(${from}, ${from + count})) TO ${quoteLiteral(path)} (FORMAT parquet)`,
    );
    const object_key = segmentKey(workspace_id, dataset, segment.id);
    const { size } = await objects.putFile(object_key, path);
    return { ...made, segments: [{ ...segment, object_key, bytes: size }] };
  };
  const append = async (dataset: string, from: number, count: number, type?: string) => {
    const made = await stored(dataset, from, count, type);
    await transaction(db, (tx) =>
      commit(tx, { kind: 'append', dataset_id: dataset, task_id: null, trace_id: null, additions: [made] }),
    );
    return made.source.id;
  };
  const content = async (name: string, version?: number): Promise<[number, number, string][]> => {
    const dataset = await snapshot(db, { workspace_id, name, ...(version === undefined ? {} : { version }) });
    const local = await openSegments(objects, dataset.segments);
    const reader = await connection.runAndReadAll(relation(dataset, local.pathOf, { system: true }).sql);
    return reader.getRowObjectsJson().map((row) => [Number(row['n']), Number(row['_line']), String(row['_source'])]);
  };
  const listVersions = (dataset_id: string) =>
    rows(
      db,
      sql<{ version: number; kind: string; gone: boolean }>`
        SELECT version, kind, gone FROM dataset_versions WHERE dataset_id = ${dataset_id} ORDER BY version`,
    );
  const run = (dataset_id: string) =>
    compact(db, tools, {
      ...{ workspace_id, dataset_id, task_id: null, trace_id: null, signal: new AbortController().signal },
      options: { target_bytes: 128 * 2 ** 20, most_small: 3 },
    });

  await t.test('compaction keeps rows, order, lines and sources; earlier versions read as before', async () => {
    const { id, name } = await newDataset();
    for (let i = 0; i < 6; i += 1) await append(id, i * 10, 10, i === 4 ? 'DOUBLE' : 'BIGINT');
    const before = await content(name);
    assert.ok((await run(id)) >= 2);
    const dataset = await snapshot(db, { workspace_id, name });
    assert.ok(dataset.segments.length <= 3);
    assert.deepEqual(await content(name), before);
    assert.deepEqual(await content(name, 6), before);
    assert.deepEqual(
      before.map(([n]) => n),
      Array.from({ length: 60 }, (_, n) => n),
    );
    assert.equal(await run(id), 0);
  });

  await t.test('one compaction waits per dataset, however many commits ask for it', async () => {
    const { id } = await newDataset();
    const enqueue = createEnqueue({ send: async () => undefined });
    const waiting = async () => {
      const row = await first(
        db,
        sql<{ n: number }>`SELECT count(*) AS n FROM tasks WHERE input->>'dataset_id' = ${id}`,
      );
      return row?.n;
    };
    const ask = (small_segments: number) =>
      transaction(db, (tx) => compactWhenNeeded(tx, enqueue, workspace_id, { dataset_id: id, small_segments }));
    await ask(COMPACTION.most_small);
    assert.equal(await waiting(), 0);
    await ask(COMPACTION.most_small + 1);
    await ask(COMPACTION.most_small + 2);
    assert.equal(await waiting(), 1);
    await sql`UPDATE tasks SET status = 'running' WHERE input->>'dataset_id' = ${id}`.execute(db);
    await ask(COMPACTION.most_small + 3);
    assert.equal(await waiting(), 2);
  });

  await t.test('a commit in the middle of a compaction loses nothing', async () => {
    const { id, name } = await newDataset();
    for (let i = 0; i < 8; i += 1) await append(id, i, 1);
    await Promise.all([run(id), run(id), append(id, 8, 1), append(id, 9, 1)]);
    assert.deepEqual((await content(name)).map(([n]) => n).sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  await t.test('deleting a source rewrites the segments it shares', async () => {
    const { id, name } = await newDataset();
    const sources = [];
    for (let i = 0; i < 5; i += 1) sources.push(await append(id, i * 10, 10));
    await run(id);
    const victim = sources[1] ?? '';
    const dataset = await snapshot(db, { workspace_id, name });
    const removal = await withoutSources(tools, dataset, [victim]);
    assert.equal(removal.rewrites.length, 1);
    await transaction(db, (tx) =>
      commit(tx, { kind: 'delete', dataset_id: id, task_id: null, trace_id: null, forgets: [victim], ...removal }),
    );
    const left = await content(name);
    assert.deepEqual(
      left.map(([n]) => n),
      Array.from({ length: 50 }, (_, n) => n).filter((n) => n < 10 || n >= 20),
    );
    assert.ok(left.every(([, , source]) => source !== victim));
    assert.equal((await snapshot(db, { workspace_id, name, version: 1 })).rows, 10);
    await assert.rejects(
      snapshot(db, { workspace_id, name, version: 3 }),
      (error) => error instanceof CaudalError && error.code === 'version_gone',
    );
  });

  await t.test('a crash between object and transaction leaves an orphan that the sweeper takes, in time', async () => {
    const { id, name } = await newDataset();
    await append(id, 0, 3);
    const lost = (await stored(id, 100, 3)).segments[0]?.object_key ?? '';
    assert.deepEqual(await sweepOrphans({ db, objects, now }), []);
    assert.ok((await objects.keys()).includes(lost));
    const swept = await sweepOrphans(later(HOUR + 1000));
    assert.deepEqual(
      swept.filter((key) => key.includes(id)),
      [lost],
    );
    assert.ok(!(await objects.keys()).includes(lost));
    assert.deepEqual(
      (await content(name)).map(([n]) => n),
      [0, 1, 2],
    );
  });

  await t.test('an object written long ago but stored just now is no orphan', async () => {
    const { id } = await newDataset();
    const key = (await stored(id, 0, 1)).segments[0]?.object_key ?? '';
    const old = new Date(Date.now() - 5 * HOUR);
    await utimes(join(directory, key), old, old);
    assert.deepEqual(await sweepOrphans({ db, objects, now }), []);
  });

  await t.test('only what a deleted file left is swept among files', async () => {
    const file = async (deleted: boolean) => {
      const fileId = newId();
      const key = `files/${workspace_id}/${fileId}`;
      await sql`INSERT INTO files (id, workspace_id, filename, size, object_key, state, deleted_at)
                VALUES (${fileId}, ${workspace_id}, 'f', 1, ${key}, 'stored', ${deleted ? new Date() : null})`.execute(
        db,
      );
      const path = join(temp_dir, fileId);
      await connection.run(`COPY (SELECT 1) TO ${quoteLiteral(path)} (FORMAT csv)`);
      await objects.putFile(key, path);
      return key;
    };
    const [kept, gone] = [await file(false), await file(true)];
    await sweepOrphans(later(2 * HOUR));
    const keys = await objects.keys('files/');
    assert.deepEqual([keys.includes(kept), keys.includes(gone)], [true, false]);
  });

  await t.test('merged segments are collected once their versions have expired, not before', async () => {
    const { id, name } = await newDataset();
    for (let i = 0; i < 5; i += 1) await append(id, i, 1);
    await run(id);
    const current = (await snapshot(db, { workspace_id, name })).segments.map(({ object_key }) => object_key);
    const mine = async () => (await objects.keys(`lake/${workspace_id}/${id}/`)).length;
    const all = await mine();
    await collectSegments(later(HOUR));
    assert.equal(await mine(), all);
    assert.ok((await expireVersions(later(8 * 24 * HOUR))) > 0);
    await collectSegments({ db, objects, now });
    assert.equal(await mine(), all);
    await collectLake(later(HOUR));
    assert.deepEqual(await objects.keys(`lake/${workspace_id}/${id}/`), current.sort());
    assert.equal((await content(name)).length, 5);
    const kept = await first(db, sql<{ n: number }>`SELECT count(*) AS n FROM segments WHERE dataset_id = ${id}`);
    assert.equal(kept?.n, current.length);
    const kinds = async () =>
      (await listVersions(id)).map(({ kind, gone }) => `${kind} ${gone ? 'gone' : 'readable'}`).join(', ');
    const appends = Array.from({ length: 5 }, () => 'append gone').join(', ');
    assert.equal(await kinds(), `create gone, ${appends}, compact readable`);
    await collectLake(later(8 * 24 * HOUR));
    assert.equal(await kinds(), 'create gone, compact readable');
    for (const [version, code] of [
      [3, 'version_gone'],
      [99, 'version_not_found'],
    ] as const) {
      await assert.rejects(content(name, version), (error) => error instanceof CaudalError && error.code === code);
    }
  });

  await t.test('what a deletion made unreadable does not keep older versions readable for ever', async () => {
    const { id, name } = await newDataset();
    await append(id, 0, 1);
    const victim = await append(id, 10, 1);
    const dataset = await snapshot(db, { workspace_id, name });
    const removal = await withoutSources(tools, dataset, [victim]);
    const change = { kind: 'delete', dataset_id: id, task_id: null, trace_id: null, forgets: [victim] } as const;
    await transaction(db, (tx) => commit(tx, { ...change, ...removal }));
    await collectLake(later(8 * 24 * HOUR));
    const left = (await listVersions(id)).map(({ version, gone }) => [version, gone]);
    assert.deepEqual(left, [
      [0, true],
      [3, false],
    ]);
  });
});
