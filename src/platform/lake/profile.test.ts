import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { collectProfile, describeProfile, mergeProfiles, type SegmentProfile } from './profile.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
const directory = await mkdtemp(join(tmpdir(), 'caudal-profile-'));
test.after(async () => {
  connection.closeSync();
  instance.closeSync();
  await rm(directory, { recursive: true });
});

const COLUMNS = [
  { name: 'id', type: 'integer' },
  { name: 'city', type: 'text' },
  { name: 'x', type: 'number' },
  { name: 'day', type: 'date' },
];

async function profile(from: number, to: number): Promise<SegmentProfile> {
  const path = join(directory, `${from}-${to}.parquet`);
  await connection.run(
    `COPY (SELECT i AS id, 'city ' || (i % 7) AS city, CASE WHEN i % 10 = 0 THEN NULL ELSE i / 4 END AS x,
       DATE '2024-01-01' + (i % 100)::INTEGER AS day FROM range(${from}, ${to}) t(i)) TO ${quoteLiteral(path)} (FORMAT parquet)`,
  );
  return collectProfile(connection, path, COLUMNS);
}

const about = (got: number, want: number, share: number) =>
  assert.ok(Math.abs(got - want) <= want * share, `${got} is not about ${want}`);

test('rows, nulls and extremes are exact, also of large segments and after merging', async () => {
  const merged = mergeProfiles([await profile(0, 150_000), await profile(150_000, 160_000)]);
  const { rows, columns } = describeProfile(merged);
  assert.equal(rows, 160_000);
  const [id, city, x, day] = columns;
  assert.deepEqual([id?.nulls, id?.min, id?.max], [0, 0, 159_999]);
  assert.deepEqual([x?.nulls, x?.min], [16_000, 0.25]);
  assert.deepEqual([city?.min, city?.max], ['city 0', 'city 6']);
  assert.deepEqual([day?.min, day?.max], ['2024-01-01', '2024-04-09']);
  about(id?.distinct ?? 0, 160_000, 0.1);
  assert.equal(city?.distinct, 7);
  about(day?.distinct ?? 0, 100, 0.05);
  about(id?.quantiles?.p50 ?? 0, 80_000, 0.15);
});

test('of a small segment the top values are exact', async () => {
  const { columns } = describeProfile(await profile(0, 100));
  assert.deepEqual(columns[1]?.top[0], { value: 'city 0', count: 15 });
  assert.equal(columns[1]?.exact.top, true);
  assert.equal(columns[0]?.exact.top, false);
});

test('merging is the same in any grouping', async () => {
  const parts = [await profile(0, 500), await profile(500, 1500), await profile(1500, 1600)] as const;
  const left = describeProfile(mergeProfiles([mergeProfiles([parts[0], parts[1]]), parts[2]]));
  const right = describeProfile(mergeProfiles([parts[0], mergeProfiles([parts[1], parts[2]])]));
  for (const [index, column] of left.columns.entries()) {
    const other = right.columns[index];
    assert.deepEqual(
      [column.nulls, column.min, column.max, column.distinct],
      [other?.nulls, other?.min, other?.max, other?.distinct],
    );
  }
});

test('a column that a segment lacks is null there', async () => {
  const narrow = await profile(0, 50);
  const merged = mergeProfiles([{ ...narrow, columns: narrow.columns.slice(0, 1) }, await profile(50, 100)]);
  assert.equal(merged.columns.find((column) => column.name === 'city')?.nulls, 50);
});
