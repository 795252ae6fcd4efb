import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '#kernel/ids.ts';
import { sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { insertWorkspace } from '../../../test/support/object-store.ts';
import { answerOf, queryBench } from '../../../test/support/querying.ts';
import { columnsOf, snapshotOf } from '../../../test/support/segments.ts';

test('POST /sql', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const released: string[] = [];
  const lab = await queryBench(db, {
    async extraRelations(_principal, schema, names) {
      assert.equal(schema, 'telemetry');
      const release = async (): Promise<void> => void released.push('spans');
      return names.includes('spans')
        ? [{ schema, name: 'spans', select_sql: "SELECT 'load' AS name", paths: [], release }]
        : [];
    },
  });
  const columns = columnsOf('city:text n:integer');
  const select = "SELECT 'city ' || i % 3 AS city, i AS n FROM range(3000) t(i)";
  const segment = await lab.bench.segment(select, columns, { first_line: 2 });
  const dataset = snapshotOf(columns, [segment], { name: 'people', version: 5 });
  lab.put(dataset);
  const rowsOf = async (query: string, params?: unknown) => (await answerOf(lab.sql({ query, params }))).rows;

  await t.test('groups, with parameters, and says which version it read', async () => {
    const answer = await answerOf(
      lab.sql({
        query: 'SELECT city, sum(n) AS total FROM people WHERE n > $least GROUP BY city ORDER BY city',
        params: { least: 2996 },
      }),
    );
    assert.deepEqual(answer.rows, [
      { city: 'city 0', total: 2997 },
      { city: 'city 1', total: 2998 },
      { city: 'city 2', total: 2999 },
    ]);
    assert.deepEqual(answer.versions, { people: 5 });
    assert.deepEqual(await rowsOf('SELECT ?::INT + ? AS s', [1, 2]), [{ s: 3 }]);
  });

  await t.test('names fold as SQL folds them; system columns are there', async () => {
    assert.deepEqual(await rowsOf('SELECT _line, _source::TEXT AS s FROM main.people WHERE n = 7'), [
      { _line: 9, s: segment.source_ids[0] },
    ]);
  });

  await t.test('columns, limits, formats', async () => {
    assert.deepEqual(await answerOf(lab.sql({ query: 'SELECT 1 AS a, 2 AS a', orient: 'columns' })), {
      a: { 0: 1 },
      a_1: { 0: 2 },
    });
    const cut = await answerOf(lab.sql({ query: 'SELECT n FROM people', limit: 2 }));
    assert.deepEqual([cut.rows.length, cut.truncated], [2, true]);
    const greedy = await lab.sql({ query: 'SELECT n FROM people' });
    assert.deepEqual([greedy.status, (await answerOf(greedy)).code], [422, 'sql_too_greedy']);
    const csv = await lab.sql({ query: 'SELECT n FROM people ORDER BY n' }, '.csv');
    assert.equal((await csv.text()).split('\r\n').length, 3002);
    assert.match(csv.headers.get('content-type') ?? '', /text\/csv/);
  });

  await t.test('errors have their place', async () => {
    const query = 'SELECT *\nFROM nowhere';
    const unknown = await lab.sql({ query });
    const problem = await answerOf(unknown);
    assert.deepEqual(
      [unknown.status, problem.code, problem.position, problem.line],
      [422, 'sql_error', query.indexOf('nowhere'), 2],
    );
    const syntax = await answerOf(lab.sql({ query: 'SELEC 1' }));
    assert.deepEqual([syntax.code, syntax.position], ['sql_syntax', 0]);
    assert.equal((await answerOf(lab.sql({ query: 'SELECT ?', params: [] }))).code, 'sql_refused');
    assert.equal((await lab.sql({ query: '' })).status, 422);
    assert.equal((await lab.sql({ sql: 'SELECT 1' })).status, 422);
  });

  await t.test('answers are kept per version; what may change is not', async () => {
    const ask = (query: string) => lab.sql({ query });
    const first = await ask('SELECT count(*) AS n FROM people');
    const again = await ask('SELECT count(*) AS n FROM people');
    assert.ok(first.headers.get('etag'));
    assert.equal(again.headers.get('etag'), first.headers.get('etag'));
    assert.equal(lab.querying.load()['cache_hits'], 1);
    lab.put({ ...dataset, version: 6, segments: [segment, segment] });
    assert.deepEqual((await answerOf(ask('SELECT count(*) AS n FROM people'))).rows, [{ n: 6000 }]);
    for (const query of [
      'SELECT random() AS r',
      'SELECT uuid() AS r',
      'SELECT now() AS r',
      'SELECT current_timestamp AS r',
    ]) {
      const [one, two] = [await ask(query), await ask(query)];
      assert.equal(one.headers.get('etag'), null);
      assert.notDeepEqual((await answerOf(one)).rows, (await answerOf(two)).rows);
    }
  });

  await t.test('sources join to rows, and show only what may be read', async () => {
    const workspace = await insertWorkspace(db);
    const other = newId();
    await sql`UPDATE workspaces SET id = ${lab.workspace} WHERE id = ${workspace}`.execute(db);
    for (const [id, name] of [
      [dataset.id, 'people'],
      [other, 'secret'],
    ]) {
      await sql`INSERT INTO datasets (id, workspace_id, name, mode) VALUES (${id}, ${lab.workspace}, ${name}, 'inferred')`.execute(
        db,
      );
    }
    for (const [id, of, file] of [
      [segment.source_ids[0], dataset.id, 'people.csv'],
      [newId(), other, 'secret.csv'],
    ]) {
      await sql`INSERT INTO sources (id, workspace_id, dataset_id, kind, filename, trace_id, version, read, accepted, quarantined, duplicates)
        VALUES (${id}, ${lab.workspace}, ${of}, 'file', ${file}, 'abc', 1, 3000, 3000, 0, 0)`.execute(db);
    }
    const joined =
      'SELECT s.filename, s.trace_id, p._line FROM people p JOIN sources s ON s.id = p._source WHERE p.n = 1 LIMIT 1';
    assert.deepEqual(await rowsOf(joined), [{ filename: 'people.csv', trace_id: 'abc', _line: 3 }]);
    assert.deepEqual(await rowsOf('SELECT filename FROM caudal.sources ORDER BY 1'), [
      { filename: 'people.csv' },
      { filename: 'secret.csv' },
    ]);
    lab.become('datasets:read:people');
    assert.deepEqual(await rowsOf('SELECT filename FROM sources'), [{ filename: 'people.csv' }]);
  });

  await t.test('scopes decide what exists', async () => {
    lab.put(snapshotOf(columns, [segment], { name: 'secret' }));
    lab.become('datasets:read:people');
    assert.equal((await rowsOf('SELECT count(*) AS n FROM people')).length, 1);
    assert.equal((await answerOf(lab.sql({ query: 'SELECT * FROM secret' }))).code, 'sql_error');
    assert.equal((await answerOf(lab.sql({ query: 'SELECT * FROM telemetry.spans' }))).code, 'sql_error');
    lab.become('files:read');
    assert.equal((await lab.sql({ query: 'SELECT 1' })).status, 403);
    lab.become('datasets:read', 'telemetry:read');
    assert.equal((await answerOf(lab.sql({ query: 'SELECT count(*) AS n FROM secret' }))).rows.length, 1);
  });

  await t.test('other rooms offer relations', async () => {
    assert.deepEqual(await rowsOf('SELECT name, n FROM telemetry.spans, people WHERE n = 3 LIMIT 1'), [
      { name: 'load', n: 3 },
    ]);
    assert.equal((await answerOf(lab.sql({ query: 'SELECT * FROM telemetry.nothing' }))).code, 'sql_error');
    assert.deepEqual(released, ['spans']);
  });

  await t.test('nothing stays open', () => {
    assert.equal(lab.bench.open(), 0);
    assert.deepEqual([lab.querying.load()['sql_busy'], lab.querying.load()['sql_queued']], [0, 0]);
  });
});
