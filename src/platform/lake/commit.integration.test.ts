import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError, type ErrorCode } from '#kernel/errors.ts';
import { first, rows, sql, transaction } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { addition, newWorkspace, segment } from '../../../test/support/lake.ts';
import fc from '../../../test/support/laws.ts';
import { createCatalog, snapshot, snapshots } from './catalog.ts';
import type { Addition, Change } from './change.ts';
import { commit } from './commit.ts';
import { createDataset } from './dataset-rows.ts';

const coded = (code: ErrorCode) => (error: unknown) => error instanceof CaudalError && error.code === code;

test('commits', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const workspace_id = await newWorkspace(db);
  let made = 0;
  const dataset = async (declared?: { name: string; type: string }[]) => {
    made += 1;
    const name = `d${made}`;
    const { id } = await transaction(db, (tx) =>
      createDataset(tx, { workspace_id, name, ...(declared ? { declared } : {}) }),
    );
    return { id, name };
  };
  const apply = (dataset_id: string, kind: Change['kind'], change: Partial<Change>) =>
    transaction(db, (tx) => commit(tx, { kind, dataset_id, task_id: null, trace_id: null, ...change }));
  const append = (dataset_id: string, ...additions: Addition[]) => apply(dataset_id, 'append', { additions });

  await t.test('an append makes the next version, readable at once, and the earlier one stays', async () => {
    const { id, name } = await dataset();
    const committed = await append(id, addition({ rows: 7, quarantined: 3, duplicates: 1 }));
    assert.equal(committed.version, 1);
    await append(id, addition({ rows: 5, segments: 2, columns: [{ name: 'b', type: 'text', nullable: true }] }));
    const now = await snapshot(db, { workspace_id, name });
    assert.deepEqual([now.version, now.rows, now.segments.length, now.columns.length], [2, 12, 3, 2]);
    assert.deepEqual(
      now.segments.map((s) => [s.rows, s.columns[0]?.name, s.columns[0]?.field_id]),
      [
        [7, 'a', 1],
        [3, 'b', 2],
        [2, 'b', 2],
      ],
    );
    const before = await snapshot(db, { workspace_id, name, version: 1 });
    assert.deepEqual([before.rows, before.segments.length, before.columns.length], [7, 1, 1]);
    assert.equal((await snapshot(db, { workspace_id, name, version: 0 })).rows, 0);
    const kept = await rows(db, sql<{ raw: string }>`SELECT raw FROM quarantine WHERE dataset_id = ${id} ORDER BY id`);
    assert.deepEqual(
      kept.map(({ raw }) => raw),
      ['bad␀,0', 'bad␀,1', 'bad␀,2'],
    );
  });

  await t.test('what is not there says so, and other workspaces see nothing', async () => {
    const { name } = await dataset();
    const other = await newWorkspace(db);
    await assert.rejects(snapshot(db, { workspace_id: other, name }), coded('dataset_not_found'));
    await assert.rejects(
      snapshot(db, { workspace_id, name: "x'; DROP TABLE datasets; --" }),
      coded('dataset_not_found'),
    );
    await assert.rejects(snapshot(db, { workspace_id, id: 'no-uuid' }), coded('dataset_not_found'));
    await assert.rejects(snapshot(db, { workspace_id, name, version: 9 }), coded('version_not_found'));
    assert.deepEqual(await snapshots(db, other), []);
  });

  await t.test('an account that does not balance commits nothing', async () => {
    const { id, name } = await dataset();
    const wrong = addition({ rows: 4 });
    const lost = { ...wrong, source: { ...wrong.source, accounting: { ...wrong.source.accounting, read: 5 } } };
    await assert.rejects(append(id, lost), coded('accounting_imbalance'));
    const unwritten = { ...wrong, segments: [] };
    await assert.rejects(append(id, unwritten), coded('accounting_imbalance'));
    const unkept = { ...addition({ rows: 1, quarantined: 2 }), quarantine: [] };
    await assert.rejects(append(id, unkept), coded('accounting_imbalance'));
    assert.equal((await snapshot(db, { workspace_id, name })).version, 0);
  });

  await t.test('two commits at once are one after the other', async () => {
    const { id, name } = await dataset();
    const results = await Promise.all(Array.from({ length: 8 }, (_, i) => append(id, addition({ rows: i + 1 }))));
    assert.deepEqual(results.map(({ version }) => version).sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
    const now = await snapshot(db, { workspace_id, name });
    assert.deepEqual([now.rows, now.segments.length, now.version], [36, 8, 8]);
  });

  await t.test('replace against append: either order is possible, neither mixes', async () => {
    const { id, name } = await dataset();
    await append(id, addition({ rows: 3, quarantined: 2 }));
    await Promise.all([
      apply(id, 'replace', { drops: 'all', additions: [addition({ rows: 100 })] }),
      append(id, addition({ rows: 1000 })),
    ]);
    const now = await snapshot(db, { workspace_id, name });
    const kinds = await rows(
      db,
      sql<{
        kind: string;
      }>`SELECT kind FROM dataset_versions WHERE dataset_id = ${id} AND version > 1 ORDER BY version`,
    );
    const replacedFirst = kinds[0]?.kind === 'replace';
    assert.equal(now.rows, replacedFirst ? 1100 : 100);
    assert.equal(
      now.segments.reduce((total, s) => total + s.rows, 0),
      now.rows,
    );
    const open = await first(db, sql<{ n: number }>`SELECT count(*) AS n FROM quarantine WHERE dataset_id = ${id}`);
    assert.equal(open?.n, 0);
    assert.equal((await snapshot(db, { workspace_id, name, version: 1 })).rows, 3);
  });

  await t.test('replace starts the inferred schema anew, with old field ids for old names', async () => {
    const { id } = await dataset();
    const text = { name: 'a', type: 'text', nullable: true };
    await append(id, addition({ columns: [text, { ...text, name: 'b' }] }));
    const replaced = await apply(id, 'replace', {
      drops: 'all',
      additions: [addition({ columns: [{ name: 'b', type: 'integer', nullable: false }] })],
    });
    assert.deepEqual(replaced.columns, [{ name: 'b', type: 'integer', nullable: false, field_id: 2 }]);
  });

  await t.test('a declared schema is checked', async () => {
    const { id } = await dataset([{ name: 'a', type: 'integer' }]);
    await append(id, addition());
    await assert.rejects(
      append(id, addition({ columns: [{ name: 'zz', type: 'text', nullable: true }] })),
      coded('schema_mismatch'),
    );
  });

  await t.test('compaction keeps the place in the order and loses against a change', async () => {
    const { id, name } = await dataset();
    for (const count of [1, 2, 3]) await append(id, addition({ rows: count }));
    const [one, two, three] = (await snapshot(db, { workspace_id, name })).segments;
    assert.ok(one && two && three);
    const merge = (inputs: string[], count: number) => ({
      rewrites: [
        { segment: { ...segment(one.source_ids[0] ?? '', count), profile: null, columns: [] }, replaces: inputs },
      ],
    });
    await assert.rejects(apply(id, 'compact', merge([one.id, two.id], 4)), coded('accounting_imbalance'));
    await apply(id, 'compact', merge([one.id, two.id], 3));
    const after = await snapshot(db, { workspace_id, name });
    assert.deepEqual([after.rows, after.segments.map((s) => s.rows)], [6, [3, 3]]);
    assert.equal(after.segments[1]?.id, three.id);
    await assert.rejects(apply(id, 'compact', merge([two.id, three.id], 5)), coded('dataset_busy'));
  });

  await t.test(
    'a forgotten source takes its versions along; one that another segment still holds is refused',
    async () => {
      const { id, name } = await dataset();
      await append(id, addition({ rows: 1 }));
      const bad = addition({ rows: 2, quarantined: 1 });
      await append(id, bad);
      await append(id, addition({ rows: 4 }));
      await assert.rejects(apply(id, 'delete', { forgets: [bad.source.id] }), coded('dataset_busy'));
      await apply(id, 'delete', { forgets: [bad.source.id], drops: bad.segments.map((s) => s.id) });
      assert.equal((await snapshot(db, { workspace_id, name })).rows, 5);
      assert.equal((await snapshot(db, { workspace_id, name, version: 1 })).rows, 1);
      for (const version of [2, 3]) {
        await assert.rejects(snapshot(db, { workspace_id, name, version }), coded('version_gone'));
      }
    },
  );

  await t.test('the catalogue that remembers never answers with less than was committed', async () => {
    const { id, name } = await dataset();
    const catalog = createCatalog(db, { max_segments: 5 });
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let round = 0; round < 5; round += 1) {
          const { version } = await append(id, addition({ rows: 1 }));
          const seen = await catalog.snapshot({ workspace_id, name });
          assert.ok(seen.version >= version);
          assert.equal(seen.segments.length, seen.version);
        }
      }),
    );
    assert.equal((await catalog.snapshot({ workspace_id, id })).rows, 30);
    assert.equal((await catalog.snapshots(workspace_id, [name]))[0]?.rows, 30);
  });

  await t.test('law: whatever is committed, rows equal what sources account for', async () => {
    const step = fc.record({
      rows: fc.nat({ max: 20 }),
      quarantined: fc.nat({ max: 5 }),
      duplicates: fc.nat({ max: 5 }),
      kind: fc.constantFrom('append', 'append', 'replace', 'delete'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
        const { id, name } = await dataset();
        let live: Addition[] = [];
        for (const { kind, ...shape } of steps) {
          const next = addition(shape);
          const victim = live[0];
          if (kind === 'delete' && victim) {
            await apply(id, 'delete', { forgets: [victim.source.id], drops: victim.segments.map((s) => s.id) });
            live = live.slice(1);
          } else if (kind === 'replace') {
            await apply(id, 'replace', { drops: 'all', additions: [next] });
            live = [next];
          } else {
            await append(id, next);
            live.push(next);
          }
        }
        const expected = live.reduce((total, { source }) => total + source.accounting.accepted, 0);
        const now = await snapshot(db, { workspace_id, name });
        const account = await first(
          db,
          sql<{ accepted: number; balanced: boolean; open: number; quarantined: number }>`
            SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(quarantined), 0) AS quarantined,
                   coalesce(bool_and(read = accepted + quarantined + duplicates), true) AS balanced,
                   (SELECT count(*) FROM quarantine WHERE dataset_id = ${id}) AS open
            FROM sources WHERE dataset_id = ${id} AND ended_version IS NULL`,
        );
        assert.deepEqual(
          [now.rows, account?.accepted, now.segments.reduce((total, s) => total + s.rows, 0), account?.balanced],
          [expected, expected, expected, true],
        );
        assert.equal(account?.open, account?.quarantined);
        assert.equal(now.bytes, expected * 10);
      }),
      { numRuns: 15 },
    );
  });
});
