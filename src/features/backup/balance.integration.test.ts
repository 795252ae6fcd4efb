import assert from 'node:assert/strict';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, transaction } from '#platform/db/db.ts';
import { type House, house, newDirectory } from '../../../test/support/backup.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import fc from '../../../test/support/laws.ts';
import { type BackupResult, backup } from './backup.ts';
import { restore } from './restore.ts';

type Step = 'append' | 'compact' | 'collect';

test('a backup during writes balances, whenever it is made', { skip: needsDatabase }, async () => {
  const step = fc.constantFrom<Step>('append', 'append', 'append', 'compact', 'collect');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), fc.nat({ max: 19 }), async (steps, at) => {
      const source = await house();
      const lake = await startLake(source);
      const to = await newDirectory();
      let making: Promise<BackupResult | null> = Promise.resolve(null);
      for (const [index, step] of steps.entries()) {
        if (index === at) {
          lake.lease();
          making = backup(source.making, { to });
        }
        await lake[step](index + 1);
      }
      assert.deepEqual((await making)?.missing, []);
      const target = await house();
      await restore(target.restoring, { from: to });
      await assertBalanced(target);
    }),
    { numRuns: 5, endOnFailure: true },
  );
});

/** Commits as the lake does: the object first, then one transaction; a collected segment's row goes before its object. */
async function startLake({ database: { db }, store }: House) {
  const workspace = newId();
  const dataset = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, 'w')`.execute(db);
  await sql`INSERT INTO datasets (id, workspace_id, name, mode) VALUES (${dataset}, ${workspace}, 'd', 'inferred')`.execute(
    db,
  );

  const removed: { id: string; key: string }[] = [];
  let collectable = 0;

  const addSegment = async (
    tx: Db,
    segment: { id: string; key: string; rows: number },
    version: number,
    source: string,
  ) => {
    await sql`INSERT INTO segments (id, dataset_id, object_key, rows, bytes, source_ids, columns, added_version)
              VALUES (${segment.id}, ${dataset}, ${segment.key}, ${segment.rows}, ${segment.rows}, ${[source]}::uuid[], '[]', ${version})`.execute(
      tx,
    );
  };
  const write = async (count: number) => {
    const id = newId();
    const key = `lake/${workspace}/${dataset}/${id}.parquet`;
    await store.put(key, Buffer.alloc(count, 'r'));
    return { id, key, rows: count };
  };
  const nextVersion = async (tx: Db, kind: string, added: number): Promise<number> => {
    const bumped = await first(
      tx,
      sql<{ version: number; rows: number }>`
        UPDATE datasets SET version = version + 1, rows = rows + ${added} WHERE id = ${dataset} RETURNING version, rows`,
    );
    const { version, rows: total } = bumped ?? { version: 0, rows: 0 };
    await sql`INSERT INTO dataset_versions (dataset_id, version, kind, columns, rows, bytes)
              VALUES (${dataset}, ${version}, ${kind}, '[]', ${total}, 0)`.execute(tx);
    return version;
  };
  return {
    async append(count: number): Promise<void> {
      const segment = await write(count);
      const source = newId();
      await transaction(db, async (tx) => {
        const version = await nextVersion(tx, 'append', count);
        await sql`INSERT INTO sources (id, workspace_id, dataset_id, kind, version, read, accepted, quarantined, duplicates)
                  VALUES (${source}, ${workspace}, ${dataset}, 'rows', ${version}, ${count}, ${count}, 0, 0)`.execute(
          tx,
        );
        await addSegment(tx, segment, version, source);
      });
    },
    /** Earlier versions go on reading what is removed, so it stays until it is collected. */
    async compact(): Promise<void> {
      const live = await rows(
        db,
        sql<{ id: string; key: string; rows: number }>`
          SELECT id, object_key AS key, rows FROM segments WHERE dataset_id = ${dataset} AND removed_version IS NULL`,
      );
      if (live.length < 2) return;
      const merged = await write(live.reduce((sum, segment) => sum + segment.rows, 0));
      await transaction(db, async (tx) => {
        const version = await nextVersion(tx, 'compact', 0);
        await sql`UPDATE segments SET removed_version = ${version}, removed_at = now()
                  WHERE id = ANY(${live.map(({ id }) => id)}::uuid[])`.execute(tx);
        await addSegment(tx, merged, version, newId());
      });
      removed.push(...live);
    },
    /** What was removed before a backup began may be collected while it runs; later ones are leased. */
    async collect(): Promise<void> {
      const old = removed.splice(0, collectable);
      collectable = 0;
      await sql`DELETE FROM segments WHERE id = ANY(${old.map(({ id }) => id)}::uuid[])`.execute(db);
      for (const { key } of old) await store.delete(key);
    },
    lease(): void {
      collectable = removed.length;
    },
  };
}

/** The laws of the lake, over what was restored: rows, sources and segments agree, and every segment has its bytes. */
async function assertBalanced({ database: { db }, store }: House): Promise<void> {
  const [dataset] = await rows(
    db,
    sql<{ rows: number; version: number; accepted: number; in_segments: number; last: number; versions: number }>`
      SELECT d.rows, d.version,
        (SELECT coalesce(sum(accepted), 0) FROM sources) AS accepted,
        (SELECT coalesce(sum(rows), 0) FROM segments WHERE removed_version IS NULL) AS in_segments,
        (SELECT coalesce(max(version), 0) FROM dataset_versions) AS last,
        (SELECT count(*) FROM dataset_versions) AS versions
      FROM datasets d`,
  );
  assert.ok(dataset);
  assert.equal(dataset.accepted, dataset.rows);
  assert.equal(dataset.in_segments, dataset.rows);
  assert.equal(dataset.last, dataset.version);
  assert.equal(dataset.versions, dataset.version);
  const listed = await rows(db, sql<{ object_key: string; bytes: number }>`SELECT object_key, bytes FROM segments`);
  const sizes: Record<string, number> = {};
  for await (const { key, size } of store.list('')) sizes[key] = size;
  assert.deepEqual(sizes, Object.fromEntries(listed.map(({ object_key, bytes }) => [object_key, bytes])));
}
