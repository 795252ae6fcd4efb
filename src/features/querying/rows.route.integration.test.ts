import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Column } from '#contract/columns.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { answerOf, queryBench } from '../../../test/support/querying.ts';
import { columnsOf, snapshotOf } from '../../../test/support/segments.ts';

const COLUMNS = columnsOf(
  'id:integer name:text score:number price:decimal(6,2) ok:boolean day:date at:timestamp extra:json huge:integer',
);
const SELECT = `
  SELECT i AS id, CASE WHEN i = 2 THEN NULL WHEN i = 3 THEN '=1+1,"x"' ELSE 'name ' || i END AS name,
    CASE WHEN i = 1 THEN 'nan'::DOUBLE WHEN i = 2 THEN 'inf'::DOUBLE ELSE i + 0.5 END AS score,
    (i * 1.10)::DECIMAL(6,2) AS price, i % 2 = 0 AS ok, DATE '2026-01-01' + i::INT AS day,
    TIMESTAMP '2026-01-01 10:00:00' + to_hours(i) AS at, ('{"n": ' || i || ',\n"list": [1]}')::JSON AS extra,
    9007199254740990 + i AS huge
  FROM range(10) t(i)`;

test('GET rows', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const lab = await queryBench(db);
  const segment = await lab.bench.segment(SELECT, COLUMNS as Column[], { first_line: 2 });
  lab.put(snapshotOf(COLUMNS, [segment], { version: 3 }));
  const json = (query: string) => answerOf(lab.get(`/datasets/things/rows${query}`));
  const ids = async (query: string) => (await json(query)).rows.map((row) => row['id']);

  await t.test('values keep their meaning in JSON', async () => {
    const answer = await json('?limit=4');
    assert.deepEqual(answer.columns[3], { name: 'price', type: 'decimal(6,2)' });
    assert.deepEqual(answer.rows[3], {
      id: 3,
      name: '=1+1,"x"',
      score: 3.5,
      price: '3.30',
      ok: false,
      day: '2026-01-04',
      at: '2026-01-01T13:00:00Z',
      extra: { n: 3, list: [1] },
      huge: '9007199254740993',
    });
    assert.deepEqual(
      [answer.rows[1]?.['score'], answer.rows[2]?.['score'], answer.rows[2]?.['name']],
      [null, null, null],
    );
    assert.equal(answer.rows[0]?.['huge'], 9007199254740990);
    assert.equal(answer.version, 3);
  });

  await t.test('filters', async () => {
    assert.deepEqual(await ids('?where[id]=4'), [4]);
    assert.deepEqual(await ids('?where[id][gte]=8'), [8, 9]);
    assert.deepEqual(await ids('?where[id][gt]=7.5'), [8, 9]);
    assert.deepEqual(await ids('?where[id][in]=1,3&where[id][ne]=1'), [3]);
    assert.deepEqual(await ids('?where[name][like]=name%208'), [8]);
    assert.deepEqual(await ids('?where[name][is_null]=true'), [2]);
    assert.deepEqual(await ids('?where[price]=3.3'), [3]);
    assert.deepEqual(await ids('?where[price][lt]=1.105'), [0, 1]);
    assert.deepEqual(await ids('?where[day]=2026-01-02'), [1]);
    assert.deepEqual(await ids('?where[at][lte]=2026-01-01T11:00:00Z'), [0, 1]);
    assert.deepEqual(await ids('?where[ok]=true&limit=2'), [0, 2]);
    assert.deepEqual(await ids('?where[huge]=9007199254740993'), [3]);
    assert.deepEqual(await ids("?where[name]=x' OR 1=1 --"), []);
  });

  await t.test('order, select, count, orient', async () => {
    assert.deepEqual(await ids('?order=-id&limit=2'), [9, 8]);
    assert.deepEqual(await ids('?order=ok,-id&limit=2'), [9, 7]);
    assert.deepEqual((await json('?order=-name&limit=10')).rows.at(-1)?.['id'], 2, 'NULL comes last');
    assert.deepEqual(await json('?select=id,ok&limit=2&orient=columns'), {
      id: { 0: 0, 1: 1 },
      ok: { 0: true, 1: false },
    });
    assert.equal((await json('?where[id][lt]=5&count=true&limit=1')).total, 5);
  });

  await t.test('headers of a page', async () => {
    const response = await lab.get('/datasets/things/rows?select=id&limit=4&count=true');
    assert.equal(response.headers.get('content-range'), 'rows 0-3/10');
    assert.equal(response.headers.get('x-dataset-version'), '3');
    const next = /^<(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
    const second = await lab.get(next);
    assert.equal(second.headers.get('content-range'), 'rows 4-7/10');
    assert.deepEqual(
      (await answerOf(second)).rows.map((row) => row['id']),
      [4, 5, 6, 7],
    );
    const etag = response.headers.get('etag') ?? '';
    const again = await lab.get('/datasets/things/rows?select=id&limit=4&count=true', { 'if-none-match': etag });
    assert.equal(again.status, 304);
    assert.equal(await again.text(), '');
  });

  await t.test('include=source', async () => {
    const [row] = (await json('?select=id&where[id]=4&include=source')).rows;
    assert.deepEqual(row, { id: 4, _source: segment.source_ids[0], _line: 6, _loaded_at: '2026-01-02T03:04:05Z' });
    assert.equal('_line' in ((await json('?limit=1')).rows[0] ?? {}), false);
  });

  await t.test('what is wrong is named', async () => {
    const refused: [query: string, status: number, code: string, field: string | undefined][] = [
      ['?select=nope', 422, 'column_not_found', 'select'],
      ['?order=-nope', 422, 'column_not_found', 'order'],
      ['?where[nope]=1', 422, 'column_not_found', 'where[nope]'],
      ['?where[id]=abc', 422, 'invalid_input', 'where[id]'],
      ['?where[day]=2026-02-30', 422, 'invalid_input', 'where'],
      ['?where[id][almost]=1', 422, 'invalid_input', 'where[id][almost]'],
      ['?limit=1001', 422, 'invalid_input', 'limit'],
      ['?limit=0', 422, 'invalid_input', 'limit'],
      ['?limit=x', 422, 'invalid_input', 'limit'],
      ['?cursor=x', 400, 'bad_cursor', undefined],
      ['?cursor=WzEsMiwz', 400, 'bad_cursor', undefined],
      ['?version=2', 410, 'version_gone', undefined],
      ['?include=everything', 422, 'invalid_input', 'include'],
    ];
    for (const [query, status, code, field] of refused) {
      const response = await lab.get(`/datasets/things/rows${query}`);
      const problem = await answerOf(response);
      assert.deepEqual([response.status, problem.code, problem.errors?.[0]?.field], [status, code, field], query);
    }
    assert.equal((await lab.get('/datasets/nothing/rows')).status, 404);
    assert.equal((await lab.get('/datasets/things/rows', { accept: 'image/png' })).status, 406);
  });

  await t.test('a cursor of another question is refused', async () => {
    const { next_cursor } = await json('?limit=2&where[id][gt]=1');
    assert.equal((await lab.get(`/datasets/things/rows?cursor=${next_cursor}`)).status, 400);
  });

  await t.test('CSV goes out as it is stored, or safe for spreadsheets', async () => {
    const csv = await lab.get('/datasets/things/rows.csv?select=id,name,score,extra&where[id][in]=2,3');
    assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8; header=present');
    assert.match(csv.headers.get('content-disposition') ?? '', /filename="things.csv"/);
    assert.equal(
      await csv.text(),
      'id,name,score,extra\r\n2,,,"{""n"": 2,\n""list"": [1]}"\r\n3,"=1+1,""x""",3.5,"{""n"": 3,\n""list"": [1]}"\r\n',
    );
    const safe = await lab.get('/datasets/things/rows.csv?select=name&where[id]=3&safe=true');
    assert.equal(await safe.text(), `name\r\n"'=1+1,""x"""\r\n`);
  });

  await t.test('NDJSON is one object per line, by suffix or Accept', async () => {
    const suffix = await (await lab.get('/datasets/things/rows.ndjson?limit=3&order=-id')).text();
    const lines = suffix
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ id }) => id),
      [9, 8, 7],
    );
    const accepted = await lab.get('/datasets/things/rows?limit=3&order=-id', { accept: 'application/x-ndjson' });
    assert.equal(await accepted.text(), suffix);
  });

  await t.test('Parquet reads back equal', async () => {
    const bytes = Buffer.from(await (await lab.get('/datasets/things/rows.parquet?include=source')).arrayBuffer());
    const path = `${lab.bench.directory}/back.parquet`;
    await writeFile(path, bytes);
    const back = await lab.bench.connection.runAndReadAll(
      `SELECT count(*), sum(price), max(huge), min(_line), any_value(typeof(extra)) FROM read_parquet('${path}')`,
    );
    assert.deepEqual(back.getRowsJson(), [['10', '49.50', '9007199254740999', '2', 'JSON']]);
  });

  await t.test('an empty dataset answers in every format', async () => {
    lab.put(snapshotOf(COLUMNS, [], { name: 'nothing' }));
    lab.put(snapshotOf([], [], { name: 'blank' }));
    assert.deepEqual((await answerOf(lab.get('/datasets/nothing/rows'))).rows, []);
    assert.match(await (await lab.get('/datasets/nothing/rows.csv')).text(), /^id,name,[a-z,]+\r\n$/);
    assert.equal(await (await lab.get('/datasets/nothing/rows.ndjson')).text(), '');
    for (const suffix of ['.parquet', '.xlsx'])
      assert.equal((await lab.get(`/datasets/nothing/rows${suffix}`)).status, 200);
    const blank = await answerOf(lab.get('/datasets/blank/rows'));
    assert.deepEqual([blank.columns, blank.rows], [[], []]);
  });

  await t.test('a value error of a stream is a problem, not half a file', async () => {
    const response = await lab.get('/datasets/things/rows.csv?where[day]=2026-02-30');
    assert.equal(response.status, 422);
    assert.equal((await answerOf(response)).code, 'invalid_input');
  });

  await t.test('a new version is seen at once', async () => {
    await json('?limit=1');
    lab.put(snapshotOf(COLUMNS, [segment, segment], { version: 4 }));
    const answer = await json('?limit=1&count=true');
    assert.deepEqual([answer.version, answer.total], [4, 20]);
    assert.equal((await json('?limit=1&version=3')).version, 3);
  });

  await t.test('files are released', () => assert.equal(lab.bench.open(), 0));
});
