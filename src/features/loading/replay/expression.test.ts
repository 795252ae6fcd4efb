import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError } from '#kernel/errors.ts';
import { inspectExpression, wrapExpression } from './expression.ts';

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
after(() => instance.closeSync());

async function inspect(expression: string): Promise<string[]> {
  const result = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [
    `SELECT ${wrapExpression(expression)}`,
  ]);
  return [...inspectExpression(JSON.parse(String(result.getRows()[0]?.[0])), 'a')].sort();
}

const ALLOWED: [expression: string, names: string[]][] = [
  ["replace(price, ',', '.')", ['price']],
  ['CASE WHEN a IS NULL THEN b::INT ELSE _fields[1] END', ['_fields', 'a', 'b']],
  ["try_strptime(d, ['%d/%m/%Y', '%Y'])::DATE", ['d']],
  ["coalesce(nullif(trim(a), 'n/a'), \"B c\") || '-' || 1", ['a', 'b c']],
  ['a BETWEEN 1 AND 2 OR a IN (3, 4) AND NOT a LIKE $$x$$', ['a']],
  ['list_transform(_fields, lambda x: upper(x))[2]', ['_fields', 'x']],
  ['a -- a comment', ['a']],
];
for (const [expression, names] of ALLOWED) {
  test(`allows ${expression}`, async () => assert.deepEqual(await inspect(expression), names));
}

const REFUSED = [
  "(SELECT content FROM read_text('/etc/passwd'))",
  'a), (a',
  "a) FROM read_csv('/etc/passwd') AS t(a",
  "a); COPY (SELECT 1) TO '/tmp/x'; SELECT (a",
  'a) WHERE (true',
  'a) UNION ALL SELECT (a',
  'a) ORDER BY (a',
  'a) LIMIT (1',
  "getenv('HOME')",
  "current_setting('temp_directory')",
  "getvariable('x')",
  "repeat('x', 2000000000)",
  'range(1000000000)',
  'sum(a)',
  'row_number() OVER ()',
  'COLUMNS(*)',
  '*',
  '$1',
  '?',
  'EXISTS (SELECT 1)',
  'a IN (SELECT a FROM duckdb_settings())',
  'other.lower(a)',
  "nextval('s')",
  '(a',
  '',
  '/* never closed',
];
for (const expression of REFUSED) {
  test(`refuses ${expression}`, () =>
    assert.rejects(
      inspect(expression),
      (error) => error instanceof CaudalError && (error.code === 'sql_refused' || error.code === 'sql_syntax'),
    ));
}
