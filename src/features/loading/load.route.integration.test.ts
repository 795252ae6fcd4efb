import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import pino from 'pino';
import type { Task } from '#contract/tasks.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { newWorkspace } from '../../../test/support/lake.ts';
import { loadingRoom } from '../../../test/support/loading.ts';
import { loadRoutes } from './load.route.ts';
import { createReaderPool } from './read/spawn.ts';
import { replayTask } from './replay.handler.ts';

/** With the real reader children. */
test('loads and replays over HTTP', { skip: needsDatabase }, async (t) => {
  const pool = createReaderPool({ log: pino({ level: 'silent' }), memory_bytes: 500e6, warm: 1 });
  after(() => pool.close());
  const room = await loadingRoom((made) => ({ replay: async () => replayTask(made) }), pool.read);
  const { db, workspace_id, enqueue, ended, newFile, fileOf, content } = room;
  const describeTask = async (_workspace: string, id: string): Promise<Task> => {
    const row = await first(
      db,
      sql<Task>`SELECT id, id AS task_id, kind, status, progress, attempt, input, output,
      to_json(created_at)#>>'{}' AS created_at, NULL AS started_at, NULL AS finished_at, trace_id FROM tasks WHERE id = ${id}`,
    );
    assert.ok(row);
    return row;
  };
  const { call, grant } = await testGateway(db, async (app) => {
    await app.register(loadRoutes({ db, enqueue, describeTask }));
  });
  grant(workspace_id);
  const make = (name: string, declared?: { name: string; type: string }[]) =>
    transaction(db, (tx) => createDataset(tx, { workspace_id, name, ...(declared ? { declared } : {}) }));

  await t.test('a file into a dataset with reader options, then its quarantine with a fix', async () => {
    await make('ventas', [
      { name: 'ciudad', type: 'text' },
      { name: 'total', type: 'number' },
    ]);
    const file_id = await newFile('v.csv', 'ciudad;total\nCali;1,50\nBogotá;gratis\nPasto;2,75;de más\n');
    const started = await call('POST', '/datasets/ventas/load', { file_id, delimiter: ';', decimal: ',' });
    assert.equal(started.status, 202, JSON.stringify(started.body));
    assert.equal(started.headers['location'], `/tasks/${started.body.task_id}`);
    assert.equal(started.body.task.kind, 'load');
    const task = await ended(started.body.id);
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    const [loaded] = (await fileOf(file_id)).loads;
    assert.deepEqual(
      [loaded?.rows, loaded?.quarantined, loaded?.sniffed.delimiter, loaded?.sniffed.decimal],
      [1, 2, ';', ','],
    );
    const fix = { total: `CASE WHEN total = 'gratis' THEN '0' ELSE replace(_fields[2], ',', '.') END` };
    const replay = await call('POST', '/datasets/ventas/quarantine/replay', { all: true, fix });
    assert.equal(replay.status, 202, JSON.stringify(replay.body));
    const done = await ended(replay.body.id);
    assert.equal(done.output?.['replayed'], 2, JSON.stringify(done));
    assert.deepEqual(
      (await content('ventas')).map(({ ciudad, total }) => [ciudad, total]),
      [
        ['Cali', 1.5],
        ['Bogotá', 0],
        ['Pasto', 2.75],
      ],
    );
    const again = await call('POST', '/datasets/ventas/quarantine/replay', { all: true });
    assert.deepEqual([again.status, again.body.code], [404, 'quarantine_not_found']);
  });

  await t.test('a column without values in a later file keeps its type', async () => {
    await make('vacia');
    for (const text of ['n,t\n1,a\n2,b\n', 'n,t\n,c\n,d\n']) {
      const { body } = await call('POST', '/datasets/vacia/load', { file_id: await newFile('n.csv', text) });
      assert.equal((await ended(body.id)).status, 'succeeded');
    }
    const row = await first(
      db,
      sql<{ columns: { type: string }[] }>`SELECT columns FROM datasets WHERE name = 'vacia'`,
    );
    assert.deepEqual(
      row?.columns.map(({ type }) => type),
      ['integer', 'text'],
    );
  });

  await t.test('a URL becomes a file, named by it', async () => {
    await make('remota');
    const { status, body } = await call('POST', '/datasets/remota/load', {
      url: 'https://example.org/d/mi%20tabla.csv?k=1',
    });
    assert.equal(status, 202);
    assert.equal((await ended(body.id)).status, 'succeeded');
    const file = await first(
      db,
      sql<{
        filename: string;
        state: string;
        size: number;
      }>`SELECT filename, state, size FROM files WHERE id = ${body.input.file_id}`,
    );
    assert.deepEqual(file, { filename: 'mi tabla.csv', state: 'loaded', size: 8 });
  });

  await t.test('what cannot be loaded or replayed is refused at once', async () => {
    await make('muro');
    const file_id = await newFile('m.csv', 'a\n1\n');
    const pending = await newFile('p.csv', undefined, 'pending');
    const stranger = grant(await newWorkspace(db));
    const filesOnly = grant(workspace_id, ['datasets:write:muro']);
    const refused: [path: string, body: object, status: number, code: string, token?: string | null][] = [
      ['/datasets/muro/load', {}, 422, 'invalid_input'],
      ['/datasets/muro/load', { file_id, url: 'https://example.org/' }, 422, 'invalid_input'],
      ['/datasets/muro/load', { url: 'file:///etc/passwd' }, 422, 'invalid_input'],
      ['/datasets/muro/load', { file_id: 'nope' }, 404, 'file_not_found'],
      ['/datasets/muro/load', { file_id: pending }, 409, 'file_not_stored'],
      ['/datasets/nada/load', { file_id }, 404, 'dataset_not_found'],
      ['/datasets/muro/load', { file_id, delimitador: ';' }, 422, 'invalid_input'],
      ['/datasets/muro/load', { file_id }, 404, 'dataset_not_found', stranger],
      ['/datasets/muro/load', { file_id }, 401, 'unauthenticated', null],
      ['/datasets/muro/load', { file_id }, 403, 'forbidden', filesOnly],
      ['/datasets/muro/quarantine/replay', {}, 422, 'invalid_input'],
      ['/datasets/muro/quarantine/replay', { ids: ['nope'] }, 404, 'quarantine_not_found'],
      ['/datasets/muro/quarantine/replay', { all: true }, 404, 'dataset_not_found', stranger],
    ];
    for (const [path, body, status, code, token] of refused) {
      const answer = await call('POST', path, body, token);
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${path} ${JSON.stringify(body)}`);
    }
    const first = await call('POST', '/datasets/muro/load', { file_id });
    const second = await call('POST', '/datasets/muro/load', { file_id });
    assert.equal(first.status, 202);
    assert.ok([202, 409].includes(second.status));
    assert.equal((await ended(first.body.id)).status, 'succeeded');
    if (second.status === 202) await ended(second.body.id);
    assert.equal((await content('muro')).length, 1);
  });
});
