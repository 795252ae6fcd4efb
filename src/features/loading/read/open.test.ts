import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ReadLimits } from '#contract/load.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { LIMITS } from '../../../../test/support/read-file.ts';
import { makeZip } from '../../../../test/support/zip.ts';
import { openFile } from './open.ts';

const TEXT = 'a,b\n1,2\n';
/** `printf 'a,b\n1,2\n' | bzip2` */
const BZIP2 = Buffer.from('QlpoOTFBWSZTWb+HQH8AAANZAAAQAAQwADAAIAAwwAhpsogjJ4u5IpwoSF/DoD+A', 'base64');

interface Opened {
  text: string;
  name: string | undefined;
  filename: string;
  compression: string | undefined;
}

async function openBytes(
  t: TestContext,
  bytes: Buffer,
  filename: string,
  options: ReaderOptions = {},
  limits: Partial<ReadLimits> = {},
): Promise<Opened[]> {
  const out_dir = await mkdtemp(join(tmpdir(), 'caudal-open-'));
  t.after(() => rm(out_dir, { recursive: true }));
  const path = join(out_dir, 'object');
  const temp_dir = join(out_dir, 'temp');
  await mkdir(temp_dir);
  await writeFile(path, bytes);
  const source = { loaded_at: '2026-01-01T00:00:00Z' };
  const files = await openFile(
    { path, filename, options, out_dir, source, limits: { ...LIMITS, ...limits } },
    temp_dir,
  );
  return await Promise.all(
    files.map(async (file) => ({
      text: await readFile(file.path, 'utf8'),
      name: file.name,
      filename: file.filename,
      compression: file.compression,
    })),
  );
}

function refusal(code: string, words = /./) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof Error && 'code' in error);
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

test('what is not packed is handed on as it is', async (t) => {
  assert.deepEqual(await openBytes(t, Buffer.from(TEXT), 'x.gz'), [
    { text: TEXT, name: undefined, filename: 'x.gz', compression: undefined },
  ]);
});

const gzip = gzipSync(TEXT);
const zstd = zstdCompressSync(TEXT);
const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')]);
const garbage = Buffer.from('garbage after the end');

const PACKED: [what: string, bytes: Buffer, compression: string, text: string][] = [
  ['gzip', gzip, 'gzip', TEXT],
  ['gzip of two members', Buffer.concat([gzip, gzip]), 'gzip', TEXT + TEXT],
  ['gzip with garbage behind', Buffer.concat([gzip, gzip, garbage]), 'gzip', TEXT + TEXT],
  ['gzip padded with zeros', Buffer.concat([gzip, Buffer.alloc(512)]), 'gzip', TEXT],
  ['zstd', zstd, 'zstd', TEXT],
  ['zstd of two frames', Buffer.concat([zstd, zstd]), 'zstd', TEXT + TEXT],
  ['zstd with a skippable frame first', Buffer.concat([skippable, zstd]), 'zstd', TEXT],
  ['zstd with garbage behind', Buffer.concat([zstd, garbage]), 'zstd', TEXT],
  ['bzip2', BZIP2, 'bzip2', TEXT],
  ['bzip2 of two streams', Buffer.concat([BZIP2, BZIP2]), 'bzip2', TEXT + TEXT],
  ['bzip2 with garbage behind', Buffer.concat([BZIP2, garbage]), 'bzip2', TEXT],
];
for (const [what, bytes, compression, text] of PACKED) {
  test(`${what} is unpacked whatever its name`, async (t) => {
    assert.deepEqual(await openBytes(t, bytes, 'data.csv'), [
      { text, name: undefined, filename: 'data.csv', compression },
    ]);
  });
}

test('large gzip with garbage behind loses nothing', async (t) => {
  const text = `${'0123456789abcdef,'.repeat(60_000)}\n`;
  const [file] = await openBytes(t, Buffer.concat([gzipSync(text, { level: 1 }), garbage]), 'x.csv.gz');
  assert.equal(file?.text.length, text.length);
  assert.equal(file?.filename, 'x.csv');
});

for (const [what, bytes] of [
  ['gzip', gzip],
  ['zstd', zstd],
  ['bzip2', BZIP2],
  ['zip', makeZip([{ name: 'a.csv', content: TEXT }])],
] as const) {
  test(`${what} that ends too early says so`, async (t) => {
    const cut = bytes.subarray(0, bytes.length - 6);
    await assert.rejects(openBytes(t, cut, 'x'), refusal('truncated_file', /end/));
  });
}

test('damage inside is told from an early end', async (t) => {
  const flipped = Buffer.from(gzip);
  flipped.writeUInt8((flipped.at(-5) ?? 0) ^ 1, flipped.length - 5);
  await assert.rejects(openBytes(t, flipped, 'x'), refusal('corrupt_file'));
  const bent = Buffer.from(BZIP2);
  bent.writeUInt8((bent.at(30) ?? 0) ^ 0xff, 30);
  await assert.rejects(openBytes(t, bent, 'x'), refusal('corrupt_file', /bzip2/));
});

for (const [what, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`a ${what} bomb is stopped by ratio and by size`, async (t) => {
    const bomb = pack(Buffer.alloc(80 * 2 ** 20));
    await assert.rejects(openBytes(t, bomb, 'x', {}, { max_ratio: 100 }), refusal('decompression_bomb', /100 times/));
    const small = { max_unpacked_bytes: 1e6 };
    await assert.rejects(openBytes(t, bomb, 'x', {}, small), refusal('decompression_bomb', /1\.00 MB/));
  });
}

test('a bzip2 bomb is stopped within a block', async (t) => {
  // `head -c 45000000 /dev/zero | bzip2`: one block.
  const bomb = Buffer.from('QlpoOTFBWSZTWckBtsgBWKtAIMAAEAAACCAAMMwFKaZSSFJsVJIUni7kinChIZIDbZA=', 'base64');
  await assert.rejects(openBytes(t, bomb, 'x', {}, { max_unpacked_bytes: 1e6 }), refusal('decompression_bomb'));
});

test('a zip of one or many entries; company is left out', async (t) => {
  const zip = makeZip([
    { name: 'data/', content: '', method: 0 },
    { name: 'data/one.csv', content: TEXT },
    { name: '../../etc/two.csv', content: 'x\n' },
    { name: '__MACOSX/._one.csv', content: 'fork' },
    { name: '.hidden.csv', content: 'no' },
    { name: 'README.txt', content: 'read me' },
    { name: 'photo.jpg', content: 'jpeg' },
  ]);
  const files = await openBytes(t, zip, 'x.zip');
  assert.deepEqual(
    files.map(({ name, filename, text }) => ({ name, filename, text })),
    [
      { name: 'data/one.csv', filename: 'one.csv', text: TEXT },
      { name: '../../etc/two.csv', filename: 'two.csv', text: 'x\n' },
    ],
  );
});

test('one entry can be asked for; a missing one names the others', async (t) => {
  const zip = makeZip([
    { name: 'a.csv', content: 'a\n' },
    { name: 'b.csv', content: 'b\n' },
  ]);
  assert.equal((await openBytes(t, zip, 'x.zip', { entry: 'b.csv' }))[0]?.text, 'b\n');
  await assert.rejects(openBytes(t, zip, 'x.zip', { entry: 'c.csv' }), (error: unknown) => {
    assert.ok(error instanceof Error && 'hint' in error && refusal('no_table')(error));
    assert.match(String(error.hint), /“a\.csv”, “b\.csv”/);
    return true;
  });
});

test('a zip with a comment or garbage behind it opens', async (t) => {
  const zip = Buffer.concat([makeZip([{ name: 'a.csv', content: TEXT }]), garbage]);
  assert.equal((await openBytes(t, zip, 'x.zip'))[0]?.text, TEXT);
});

test('hostile zips are refused with a reason', async (t) => {
  const encrypted = makeZip([{ name: 'a.csv', content: TEXT, flags: 0x801 }]);
  await assert.rejects(openBytes(t, encrypted, 'x.zip'), refusal('encrypted_file', /a\.csv/));
  const nested = makeZip([{ name: 'inner.zip', content: makeZip([{ name: 'a.csv', content: TEXT }]) }]);
  await assert.rejects(openBytes(t, nested, 'x.zip'), refusal('unsupported_format', /within archives/));
  const lying = makeZip([{ name: 'a.csv', content: 'x'.repeat(5000), claimed_size: 10 }]);
  await assert.rejects(openBytes(t, lying, 'x.zip'), refusal('corrupt_file'));
  const bomb = makeZip([1, 2, 3, 4].map((n) => ({ name: `${n}.csv`, content: Buffer.alloc(20 * 2 ** 20) })));
  await assert.rejects(openBytes(t, bomb, 'x.zip', {}, { max_ratio: 100 }), refusal('decompression_bomb'));
  const stored = makeZip([{ name: 'a.csv', content: TEXT, method: 0 }]);
  stored.writeUInt8(0x58, stored.indexOf(TEXT));
  await assert.rejects(openBytes(t, stored, 'x.zip'), refusal('corrupt_file', /checksum of “a\.csv”/));
  const empty = makeZip([]);
  await assert.rejects(openBytes(t, empty, 'x.zip'), refusal('no_table'));
});

test('an archive within a compressed file is refused', async (t) => {
  const inner = makeZip([{ name: 'a.csv', content: TEXT }]);
  await assert.rejects(openBytes(t, gzipSync(inner), 'x.zip.gz'), refusal('unsupported_format'));
  await assert.rejects(openBytes(t, gzipSync(gzip), 'x.gz.gz'), refusal('unsupported_format'));
});

test('files of no bytes are empty, packed or not', async (t) => {
  await assert.rejects(openBytes(t, Buffer.alloc(0), 'x.json'), refusal('empty_file'));
  await assert.rejects(openBytes(t, gzipSync(''), 'x.json.gz'), refusal('empty_file'));
});
