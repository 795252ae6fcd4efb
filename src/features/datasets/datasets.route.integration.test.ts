import assert from 'node:assert/strict';
import test from 'node:test';
import { first, sql, transaction } from '#platform/db/db.ts';
import type { Addition } from '#platform/lake/change.ts';
import { commit } from '#platform/lake/commit.ts';
import { createEngine } from '#platform/lake/engine.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { addition, newWorkspace } from '../../../test/support/lake.ts';
import { directoryObjects } from '../../../test/support/objects.ts';
import { datasetRoutes } from './datasets.route.ts';
import { datasetHistoryRoutes } from './history.route.ts';

test('datasets over HTTP', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const workspace_id = await newWorkspace(db);
  const engine = createEngine({ memory_limit: '100MB' });
  const objects = directoryObjects('/nowhere');
  const { call, grant } = await testGateway(db, async (app) => {
    await app.register(datasetRoutes({ db }));
    await app.register(datasetHistoryRoutes({ db, objects, engine }));
  });
  grant(workspace_id);
  const append = async (name: string, ...additions: Addition[]) => {
    const row = await first(
      db,
      sql<{ id: string }>`SELECT id FROM datasets WHERE name = ${name} AND deleted_at IS NULL`,
    );
    const change = { kind: 'append', dataset_id: row?.id ?? '', task_id: null, trace_id: null, additions } as const;
    return transaction(db, (tx) => commit(tx, change));
  };

  await t.test('made, seen, listed newest first in pages, deleted', async () => {
    for (const name of ['uno', 'dos', 'tres']) {
      const made = await call('POST', '/datasets', { name });
      assert.deepEqual([made.status, made.headers['location'], made.body.version], [201, `/datasets/${name}`, 0]);
    }
    const page = await call('GET', '/datasets?limit=2');
    assert.deepEqual(
      page.body.items.map((item: { name: string }) => item.name),
      ['tres', 'dos'],
    );
    const rest = await call('GET', `/datasets?limit=2&cursor=${page.body.next_cursor}`);
    assert.deepEqual([rest.body.items.length, rest.body.next_cursor], [1, null]);
    assert.equal((await call('DELETE', '/datasets/uno')).status, 204);
    assert.equal((await call('GET', '/datasets/uno')).body.code, 'dataset_not_found');
    assert.equal((await call('POST', '/datasets', { name: 'uno' })).status, 201);
  });

  await t.test('what cannot be declared is refused field by field', async () => {
    const refused: [body: object, status: number, code: string, field?: string][] = [
      [{ name: 'dos' }, 409, 'dataset_exists'],
      [{ name: 'DOS' }, 409, 'dataset_exists'],
      [{ name: '../etc' }, 422, 'invalid_input', 'name'],
      [{ name: 'a'.repeat(10_000) }, 422, 'invalid_input', 'name'],
      [{ name: "x'; DROP TABLE datasets; --" }, 422, 'invalid_input', 'name'],
      [{ name: 'k', columns: [{ name: 'a', type: 'money' }] }, 422, 'invalid_input', 'columns.0.type'],
      [{ name: 'k', columns: [{ name: 'a', type: 'decimal(50,2)' }] }, 422, 'invalid_input', 'columns.0.type'],
      [
        {
          name: 'k',
          columns: [
            { name: 'a', type: 'text' },
            { name: 'A', type: 'text' },
          ],
        },
        422,
        'invalid_input',
        'columns.1.name',
      ],
      [{ name: 'k', columns: [{ name: '_line', type: 'text' }] }, 422, 'invalid_input', 'columns.0.name'],
      [{ name: 'k', columns: [{ name: 'a', type: 'date', min: 'yesterday' }] }, 422, 'invalid_input', 'columns.0.min'],
      [{ name: 'k', columns: [{ name: 'a', type: 'text', pattern: '(' }] }, 422, 'invalid_input', 'columns.0.pattern'],
      [
        { name: 'k', columns: [{ name: 'a', type: 'integer', enum: [1, 'x'] }] },
        422,
        'invalid_input',
        'columns.0.enum.1',
      ],
      [{ name: 'k', key: ['a'] }, 422, 'invalid_input', 'key'],
      [
        { name: 'k', columns: [{ name: 'a', type: 'text' }], on_conflict: 'replace' },
        422,
        'invalid_input',
        'on_conflict',
      ],
      [{ name: 'k', columns: [{ name: 'a', type: 'text' }], key: ['a', 'b'] }, 422, 'invalid_input', 'key.1'],
      [{ name: 'k', columns: [{ name: 'a', type: 'number' }], key: ['a'] }, 422, 'invalid_input', 'key.0'],
      [{ name: 'k', columns: [{ name: 'a', type: 'text' }], key: ['a', 'a'] }, 422, 'invalid_input', 'key.1'],
    ];
    for (const [body, status, code, field] of refused) {
      const answer = await call('POST', '/datasets', body);
      assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body).slice(0, 100));
      if (field) assert.equal(answer.body.errors[0].field, field);
    }
  });

  await t.test('declared rules are shown with the columns', async () => {
    const columns = [{ name: 'id', type: 'integer', required: true, min: 1, description: 'its number' }];
    const made = await call('POST', '/datasets', { name: 'declarado', columns, description: 'd' });
    assert.deepEqual(made.body.columns, [{ ...columns[0], nullable: false, field_id: 1 }]);
    assert.deepEqual([made.body.mode, made.body.description, made.body.key], ['declared', 'd', null]);
    const keyed = await call('POST', '/datasets', { name: 'con_clave', columns, key: ['id'] });
    assert.deepEqual([keyed.body.key, keyed.body.on_conflict], [['id'], 'reject']);
  });

  await t.test('columns are renamed, described, widened and added as versions of their own', async () => {
    await call('POST', '/datasets', { name: 'cambia' });
    const columns = [
      { name: 'a', type: 'integer', nullable: false },
      { name: 'b', type: 'text', nullable: false },
    ];
    await append('cambia', addition({ columns }));
    const patched = await call('PATCH', '/datasets/cambia', {
      description: 'now known',
      rename_columns: { a: 'b', b: 'a' },
      column_types: { a: 'number' },
      column_descriptions: { b: 'a text' },
      add_columns: [{ name: 'c', type: 'date' }],
    });
    assert.equal(patched.status, 200, JSON.stringify(patched.body));
    assert.deepEqual(patched.body.columns, [
      { name: 'b', type: 'number', nullable: false, field_id: 1 },
      { name: 'a', type: 'text', nullable: false, field_id: 2, description: 'a text' },
      { name: 'c', type: 'date', nullable: true, field_id: 3 },
    ]);
    assert.equal(patched.body.version, 2);
    const refused: [object, string][] = [
      [{ column_types: { a: 'integer' } }, 'invalid_input'],
      [{ rename_columns: { zz: 'y' } }, 'column_not_found'],
      [{ rename_columns: { a: 'B' } }, 'invalid_input'],
      [{ add_columns: [{ name: 'd', type: 'text', required: true }] }, 'invalid_input'],
      [{ columns: [] }, 'invalid_input'],
    ];
    for (const [body, code] of refused) {
      const answer = await call('PATCH', '/datasets/cambia', body);
      assert.deepEqual([answer.status, answer.body.code], [422, code], JSON.stringify(body));
    }
    const versions = await call('GET', '/datasets/cambia/versions?limit=2');
    assert.deepEqual(
      versions.body.items.map(({ version, kind }: { version: number; kind: string }) => [version, kind]),
      [
        [2, 'schema'],
        [1, 'append'],
      ],
    );
    const older = await call('GET', `/datasets/cambia/versions?cursor=${versions.body.next_cursor}`);
    assert.deepEqual([older.body.items.length, older.body.items[0].kind], [1, 'create']);
    assert.equal((await call('GET', '/datasets/cambia/versions?cursor=x')).body.code, 'bad_cursor');
  });

  await t.test('rules, names and the key of a declared dataset change together', async () => {
    const columns = [
      { name: 'id', type: 'integer' },
      { name: 'city', type: 'text', description: 'where' },
    ];
    await call('POST', '/datasets', { name: 'reglas', columns, key: ['id'] });
    const patched = await call('PATCH', '/datasets/reglas', {
      rename_columns: { id: 'number' },
      column_types: { id: 'text' },
      column_rules: { city: { required: true, enum: ['Cali', 'Pasto'] }, id: { pattern: '[0-9]+' } },
      add_columns: [{ name: 'day', type: 'date', min: '2020-01-01' }],
    });
    assert.equal(patched.status, 200, JSON.stringify(patched.body));
    assert.deepEqual([patched.body.key, patched.body.version], [['number'], 1]);
    assert.deepEqual(patched.body.columns, [
      { pattern: '[0-9]+', name: 'number', type: 'text', nullable: true, field_id: 1 },
      {
        description: 'where',
        required: true,
        enum: ['Cali', 'Pasto'],
        name: 'city',
        type: 'text',
        nullable: false,
        field_id: 2,
      },
      { min: '2020-01-01', name: 'day', type: 'date', nullable: true, field_id: 3 },
    ]);
    const eased = await call('PATCH', '/datasets/reglas', { column_rules: { city: {} } });
    assert.deepEqual(eased.body.columns[1], {
      description: 'where',
      name: 'city',
      type: 'text',
      nullable: true,
      field_id: 2,
    });
    await call('POST', '/datasets', { name: 'otras', columns: [{ name: 'n', type: 'integer', min: 1 }], key: ['n'] });
    const refused: [name: string, patch: object, field: string][] = [
      ['reglas', { column_rules: { day: { max: 'soon' } } }, 'column_rules.day.max'],
      ['reglas', { column_rules: { city: { pattern: '(' } } }, 'column_rules.city.pattern'],
      ['reglas', { column_rules: { city: { colour: 1 } } }, 'column_rules.city.colour'],
      ['reglas', { column_rules: { nobody: {} } }, 'column_rules.nobody'],
      ['otras', { column_types: { n: 'number' } }, 'column_types.n'],
      ['cambia', { column_rules: { a: { required: true } } }, 'column_rules.a'],
    ];
    for (const [name, patch, field] of refused) {
      const answer = await call('PATCH', `/datasets/${name}`, patch);
      assert.deepEqual([answer.status, answer.body.errors?.[0]?.field], [422, field], JSON.stringify(answer.body));
    }
  });

  await t.test('sources with their account, quarantine with raw text, both paged', async () => {
    await call('POST', '/datasets', { name: 'origen' });
    await append('origen', addition({ rows: 3, quarantined: 5 }), addition({ rows: 2, duplicates: 1 }));
    const sources = await call('GET', '/datasets/origen/sources');
    assert.deepEqual(
      sources.body.items.map(({ accounting }: { accounting: { read: number; accepted: number } }) => [
        accounting.read,
        accounting.accepted,
      ]),
      [
        [3, 2],
        [8, 3],
      ],
    );
    const page = await call('GET', '/datasets/origen/quarantine?limit=3');
    assert.deepEqual(
      page.body.items.map(({ line }: { line: number }) => line),
      [6, 5, 4],
    );
    assert.match(page.body.items[0].raw, /^bad/);
    const rest = await call('GET', `/datasets/origen/quarantine?limit=3&cursor=${page.body.next_cursor}`);
    assert.deepEqual([rest.body.items.length, rest.body.next_cursor], [2, null]);
    assert.equal((await call('GET', '/datasets/origen/quarantine?state=replayed')).body.items.length, 0);
    assert.equal((await call('GET', '/datasets/origen')).body.quarantined, 5);
  });

  await t.test('walls: nobody, another workspace, too small a scope, the named dataset only', async () => {
    const stranger = grant(await newWorkspace(db));
    const named = grant(workspace_id, ['datasets:read:dos']);
    const reader = grant(workspace_id, ['datasets:read']);
    const calls: [method: string, path: string, body?: object][] = [
      ['GET', '/datasets/dos'],
      ['PATCH', '/datasets/dos', {}],
      ['DELETE', '/datasets/dos'],
      ['GET', '/datasets/dos/sources'],
      ['GET', '/datasets/dos/versions'],
      ['GET', '/datasets/dos/quarantine'],
    ];
    for (const [method, path, body] of calls) {
      assert.equal((await call(method, path, body, null)).status, 401, path);
      assert.equal((await call(method, path, body, stranger)).status, 404, path);
      assert.equal((await call(method, path.replace('dos', 'tres'), body, named)).status, 403, path);
      if (method !== 'GET') assert.equal((await call(method, path, body, reader)).status, 403, path);
      else assert.equal((await call(method, path, body, named)).status, 200, path);
    }
    assert.equal((await call('POST', '/datasets', { name: 'x' }, reader)).status, 403);
    assert.deepEqual((await call('GET', '/datasets', undefined, stranger)).body.items, []);
    const seen = await call('GET', '/datasets', undefined, named);
    assert.deepEqual(
      seen.body.items.map((item: { name: string }) => item.name),
      ['dos'],
    );
  });
});
