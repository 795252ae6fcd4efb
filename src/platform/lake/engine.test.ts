import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { createEngine } from './engine.ts';
import { jsonEncoder, rowTexts, uniqueNames } from './json.ts';

const engine = createEngine({ memory_limit: '200MB', threads: 2 });
after(() => engine.close());
const FOREVER = 'SELECT sum(a.range * b.range + c.range) FROM range(100000) a, range(100000) b, range(100000) c';

test('a query that takes too long is interrupted, and the engine goes on', async () => {
  await assert.rejects(
    engine.query(FOREVER, [], { timeout_ms: 50 }),
    (error) => error instanceof CaudalError && error.code === 'sql_timeout',
  );
  assert.equal((await engine.query('SELECT $1::INT AS x', ['7'])).getRowsJson()[0]?.[0], 7);
});

test('a caller who leaves interrupts the query', async () => {
  const leaving = new AbortController();
  const running = engine.query(FOREVER, [], { signal: leaving.signal });
  setImmediate(() => leaving.abort(new Error('left')));
  await assert.rejects(running, /left/);
});

test('more memory than there is', async () => {
  const greedy = 'SELECT count(*) FROM (SELECT DISTINCT range, hash(range) FROM range(100000000))';
  await assert.rejects(
    engine.query(greedy),
    (error) => error instanceof CaudalError && error.code === 'sql_too_greedy',
  );
});

test('JSON carries every type', async () => {
  const cases: [expression: string, json: string][] = [
    ['9007199254740991::BIGINT', '9007199254740991'],
    ['9007199254740992::BIGINT', '"9007199254740992"'],
    ['-170141183460469231731687303715884105727::HUGEINT', '"-170141183460469231731687303715884105727"'],
    ['1.10::DECIMAL(5,2)', '"1.10"'],
    ["'nan'::DOUBLE", 'null'],
    ["'-inf'::FLOAT", 'null'],
    ['0.1::DOUBLE + 0.2::DOUBLE', '0.30000000000000004'],
    ["DATE '2026-01-02'", '"2026-01-02"'],
    ["TIMESTAMP '2026-01-02 03:04:05.120'", '"2026-01-02T03:04:05.12Z"'],
    ["TIMESTAMPTZ '2026-01-02 03:04:05+02'", '"2026-01-02T01:04:05Z"'],
    ["TIMESTAMP '0044-03-15 (BC) 12:00:00'", '"0044-03-15 (BC) 12:00:00"'],
    ["TIME '10:00:00'", '"10:00:00"'],
    ["'a\"\u2028b'", '"a\\"\u2028b"'],
    ['\'{"a" :\n 12345678901234567890}\'::JSON', '{"a" :  12345678901234567890}'],
    ["'[NaN]'::JSON", '"[NaN]"'],
    ["'\\xAA'::BLOB", '"qg=="'],
    ['[1, NULL, 9007199254740993]', '[1,null,"9007199254740993"]'],
    ["{'a': [1.5], 'b': {'c': DATE '2026-01-02'}}", '{"a":["1.5"],"b":{"c":"2026-01-02"}}'],
    ["MAP {'k': 1}", '{"k":1}'],
    ["'x'::ENUM('x', 'y')", '"x"'],
    ['INTERVAL 2 DAY', '"2 days"'],
    ['NULL', 'null'],
  ];
  for (const [expression, json] of cases) {
    const reader = await engine.query(`SELECT ${expression}`);
    assert.equal(jsonEncoder(reader.columnType(0))(reader.getRows()[0]?.[0] ?? null), json, expression);
  }
});

test('rows and names', () => {
  assert.deepEqual(
    rowTexts(['a', '__proto__'], {
      encoded: [
        ['1', '2'],
        ['"x"', 'null'],
      ],
      rows: 2,
    }),
    ['{"a":1,"__proto__":"x"}', '{"a":2,"__proto__":null}'],
  );
  assert.deepEqual(uniqueNames(['a', 'a', 'a_1', 'a', 'b']), ['a', 'a_2', 'a_1', 'a_3', 'b']);
});
