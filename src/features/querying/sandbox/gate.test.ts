import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { ALLOWED_FUNCTIONS, VOLATILE_FUNCTIONS } from './functions.ts';
import { inspect, type QueryPlan, Refusal } from './gate.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => {
  connection.closeSync();
  instance.closeSync();
});

async function plan(query: string): Promise<QueryPlan> {
  const reader = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [query]);
  return inspect(JSON.parse(String(reader.getRows()[0]?.[0])));
}

const tables = async (query: string) =>
  (await plan(query)).tables.map(({ schema, name }) => (schema ? `${schema}.${name}` : name));

test('tables are found wherever they hide, CTEs are none', async () => {
  const cases: [query: string, found: string[]][] = [
    ['SELECT 1', []],
    ['FROM a', ['a']],
    ['SELECT * FROM a, b JOIN c USING (x), LATERAL (SELECT * FROM d)', ['a', 'b', 'c', 'd']],
    ['WITH a AS (SELECT * FROM b) SELECT * FROM a', ['b']],
    ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
    ['WITH A AS (SELECT 1) SELECT * FROM a', []],
    ['WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, main.a', ['main.a']],
    ['WITH RECURSIVE r AS (SELECT 1 x UNION ALL SELECT x + 1 FROM r, s) SELECT * FROM r', ['s']],
    ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) t, a', ['a']],
    [
      'SELECT (SELECT max(x) FROM a) FROM b WHERE EXISTS (FROM c) ORDER BY (SELECT 1 FROM d) LIMIT (SELECT 1 FROM e)',
      ['a', 'e', 'd', 'b', 'c'],
    ],
    ['SELECT * FROM a UNION (SELECT * FROM b EXCEPT SELECT * FROM c)', ['a', 'b', 'c']],
    ['FROM a PIVOT (sum(x) FOR y IN (1, 2))', ['a']],
    ['SUMMARIZE a', ['a']],
    ['SELECT * FROM (DESCRIBE a)', ['a']],
    ['SELECT [x FOR x IN (SELECT list(y) FROM a)]', ['a']],
    ['SELECT * FROM telemetry.spans', ['telemetry.spans']],
  ];
  for (const [query, found] of cases) assert.deepEqual((await tables(query)).sort(), [...found].sort(), query);
});

test('ordinary SQL passes', async () => {
  const queries = [
    'SELECT city, count(*) AS n, avg(x)::DECIMAL(10, 2) FROM t GROUP BY ALL HAVING count(*) > 1 ORDER BY n DESC',
    "SELECT * EXCLUDE (a) REPLACE (upper(b) AS b) FROM t WHERE b ILIKE '%x%' AND c BETWEEN 1 AND 2",
    'SELECT row_number() OVER (PARTITION BY a ORDER BY b), lag(c) OVER w FROM t WINDOW w AS (ORDER BY d) QUALIFY 1 = 1',
    "SELECT date_trunc('month', d), extract(year FROM d), d + INTERVAL 1 DAY, d AT TIME ZONE 'UTC', strftime(d, '%Y') FROM t",
    "SELECT j->>'$.a', j->'b', json_extract_string(j, '$.c'), list_transform(l, x -> x + 1), {'a': 1}.a, map {'k': 1}['k'] FROM t",
    "SELECT CASE WHEN a IS NULL THEN coalesce(b, 'x') ELSE c || 'y' END, a IN (1, 2), a NOT LIKE 'x', regexp_replace(b, 'x', 'y') FROM t",
    'SELECT * FROM range(10) r(i), generate_series(1, 3) g(j), unnest([1, 2]) u(k)',
    "SELECT quantile_cont(x, 0.9), approx_count_distinct(y), string_agg(z, ',' ORDER BY z) FILTER (WHERE z IS NOT NULL) FROM t",
    'SELECT a, grouping(a) FROM t GROUP BY ROLLUP (a)',
    'SELECT * FROM a ASOF JOIN b USING (x)',
  ];
  for (const query of queries) await assert.doesNotReject(plan(query), query);
});

test('what would differ on unchanged data is not repeatable', async () => {
  const repeatable = async (query: string) => (await plan(query)).repeatable;
  assert.equal(await repeatable('SELECT count(*) FROM t'), true);
  for (const query of [
    'SELECT NOW()',
    'SELECT current_date',
    'SELECT x FROM t WHERE y < random()',
    'SELECT * FROM t USING SAMPLE 3',
    'SELECT * FROM t TABLESAMPLE 10%',
  ]) {
    assert.equal(await repeatable(query), false, query);
  }
});

test('every function that the list allows is one of this engine, and pure ones only', async () => {
  const reader = await connection.runAndReadAll(
    "SELECT function_name, bool_or(stability = 'VOLATILE'), string_agg(DISTINCT function_type, ' ') FROM duckdb_functions() GROUP BY 1",
  );
  const known = new Map(
    reader.getRows().map(([name, volatile, types]) => [String(name), { volatile, types: String(types) }]),
  );
  known.set('unnest', { volatile: false, types: 'scalar' });
  for (const name of ALLOWED_FUNCTIONS) {
    const found = known.get(name);
    assert.ok(found, `${name} does not exist`);
    assert.match(found.types, /scalar|aggregate|macro/, name);
    assert.ok(!found.volatile || VOLATILE_FUNCTIONS.has(name) || name === 'error', `${name} is volatile`);
  }
});

test('the tree decides, not the text', () => {
  assert.throws(() => inspect({ statements: [] }), Refusal);
  assert.throws(() => inspect({ statements: [{ node: { type: 'INSERT_NODE', cte_map: { map: [] } } }] }), Refusal);
  assert.throws(
    () =>
      inspect({
        statements: [
          { node: { type: 'SELECT_NODE', cte_map: { map: [] }, from_table: { type: 'COLUMN_DATA', sample: null } } },
        ],
      }),
    Refusal,
  );
});
