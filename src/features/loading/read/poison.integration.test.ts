import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { balances } from '#contract/accounting.ts';
import { CaudalError } from '#kernel/errors.ts';
import { createLogger } from '#platform/observe/log.ts';
import { LIMITS } from '../../../../test/support/read-file.ts';
import { sharedData } from '../../../../test/support/shared-data.ts';
import { makeWorkbook, row } from '../../../../test/support/workbook.ts';
import { createReaderPool } from './spawn.ts';

/** Files cut and bent at seeded places, read by real children: each is loaded or refused for a documented reason. */
const pool = createReaderPool({
  log: createLogger({ level: 'silent', service: 'test', instance: 'poison' }),
  memory_bytes: 5e8,
});
const directory = await mkdtemp(join(tmpdir(), 'caudal-poison-'));
after(async () => {
  await pool.close();
  await rm(directory, { recursive: true });
});

let made = 0;
async function outcome(bytes: Buffer, filename: string): Promise<string> {
  made += 1;
  const out_dir = join(directory, String(made));
  await mkdir(out_dir);
  const path = join(directory, `${made}.object`);
  await writeFile(path, bytes);
  const source = { loaded_at: '2026-01-01T00:00:00Z' };
  const limits = { ...LIMITS, memory_bytes: 5e8, max_ratio: 200, timeout_ms: 30_000 };
  try {
    const tables = await pool.read({ path, filename, options: {}, out_dir, source, limits });
    for (const table of tables) assert.ok(balances(table.accounting));
    return 'loaded';
  } catch (error) {
    assert.ok(error instanceof CaudalError, String(error));
    return error.code;
  } finally {
    await rm(out_dir, { recursive: true });
    await rm(path);
  }
}

/** mulberry32: the same places every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const records = Array.from({ length: 300 }, (_, id) => ({ id, name: `ñame ${id}`, nested: { a: [id, null] } }));
const workbook = makeWorkbook({
  sheets: [
    { name: 's', rows: row(1, ['a', 'b']) + Array.from({ length: 300 }, (_, i) => row(i + 2, [i, `t${i}`])).join('') },
  ],
});
const SEEDS: [filename: string, bytes: Buffer][] = [
  ['x.json', Buffer.from(JSON.stringify(records, null, 1))],
  ['x.ndjson', Buffer.from(records.map((record) => JSON.stringify(record)).join('\n'))],
  ['x.xlsx', workbook],
  ['x.json.gz', gzipSync(JSON.stringify(records))],
  ['x.json.zst', zstdCompressSync(JSON.stringify(records))],
];
const EXPECTED = new Set([
  'loaded',
  'malformed_json',
  'truncated_file',
  'corrupt_file',
  'malformed_xml',
  'empty_file',
  'encrypted_file',
  'unsupported_format',
  'decompression_bomb',
  'no_table',
  'undecodable_text',
]);

for (const [filename, bytes] of SEEDS) {
  test(`${filename}: cut anywhere, bent anywhere`, async () => {
    const next = random(bytes.length);
    for (let round = 0; round < 8; round++) {
      const cut = bytes.subarray(0, Math.floor(next() * bytes.length));
      const cut_outcome = await outcome(cut, filename);
      assert.ok(EXPECTED.has(cut_outcome), `cut at ${cut.length}: ${cut_outcome}`);
      const bent = Buffer.from(bytes);
      const at = Math.floor(next() * bytes.length);
      bent.writeUInt8((bent.at(at) ?? 0) ^ (1 << Math.floor(next() * 8)), at);
      const bent_outcome = await outcome(bent, filename);
      assert.ok(EXPECTED.has(bent_outcome), `bent at ${at}: ${bent_outcome}`);
    }
  });
}

const folder = sharedData('parquet');
test('Parquet files, bent: loaded or refused, and the next one is read', { skip: folder === undefined }, async () => {
  const files = (await readdir(folder ?? '')).filter((name) => name.endsWith('.parquet'));
  const next = random(7);
  const refused = new Set([...EXPECTED, 'reader_crashed', 'reader_memory', 'reader_timeout', 'too_many_columns']);
  for (const name of files) {
    const bytes = await readFile(join(folder ?? '', name));
    const bent = Buffer.from(bytes);
    for (let i = 0; i < 4; i++) bent.writeUInt8(Math.floor(next() * 256), Math.floor(next() * bent.length));
    const result = await outcome(bent, name);
    assert.ok(refused.has(result), `${name}: ${result}`);
  }
  assert.equal(await outcome(await readFile(join(folder ?? '', 'alpha.parquet')), 'alpha.parquet'), 'loaded');
});
