import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import pino from 'pino';
import { IMAGE_TYPES, type ImageType } from '#contract/images.ts';
import { CaudalError } from '#kernel/errors.ts';
import { photo } from '../../../test/support/photos.ts';
import { sharedData } from '../../../test/support/shared-data.ts';
import { encodeImage } from './encode.ts';
import { createImagePool } from './pool.ts';

const dir = await mkdtemp(join(tmpdir(), 'caudal-images-'));
const pool = createImagePool({ log: pino({ level: 'silent' }), slots: 2, timeout_ms: 60_000 });
after(async () => {
  await pool.close();
  await rm(dir, { recursive: true, force: true });
});

let count = 0;

async function encode(bytes: Buffer | string, accept: readonly ImageType[] = IMAGE_TYPES) {
  count += 1;
  const in_path = join(dir, `in.${count}`);
  const out_path = join(dir, `out.${count}`);
  await writeFile(in_path, bytes);
  const image = await pool.encode({ in_path, out_path, accept, max_pixels: 50_000_000, max_side: 4096 });
  return { ...image, kept: await readFile(out_path) };
}

function refusedAs(code: string, detail: RegExp = /./) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof CaudalError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} ${error.hint ?? ''}`, detail);
    return true;
  };
}

test('what is beside the pixels is gone, and what follows the end', async () => {
  const secret = 'SECRET-4.60971,-74.08175';
  const sent = await photo('jpeg', { comment: secret, orientation: 6 });
  const polyglot = Buffer.concat([sent, Buffer.from('<script>alert(1)</script>PK\x05\x06')]);
  assert.ok(polyglot.includes(secret), 'the test photo holds what must go');
  const { kept, content_type } = await encode(polyglot);
  assert.equal(content_type, 'image/jpeg');
  for (const trace of [secret, 'Exif', '<script', 'PK\x05\x06', 'ICC_PROFILE']) {
    assert.ok(!kept.includes(trace), `${trace} is still there`);
  }
});

test('a photo taken sideways is turned upright', async () => {
  const { width, height } = await encode(await photo('jpeg', { width: 60, height: 40, orientation: 6 }));
  assert.deepEqual([width, height], [40, 60]);
});

test('each kind that is taken is kept as something that browsers show; a large one is made smaller', async () => {
  const kept: Record<ImageType, ImageType> = {
    'image/jpeg': 'image/jpeg',
    'image/png': 'image/png',
    'image/webp': 'image/webp',
    'image/avif': 'image/webp',
  };
  for (const [type, expected] of Object.entries(kept)) {
    const image = await encode(await photo(type.slice('image/'.length) as 'jpeg'));
    assert.equal(image.content_type, expected);
    assert.equal(image.bytes, image.kept.length);
  }
  const { width, height } = await encode(await photo('png', { width: 5000, height: 1250 }));
  assert.deepEqual([width, height], [4096, 1024]);
});

test('by content, not by name: other kinds are refused with what to do', async () => {
  const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic\0\0\0\0heicmif1'), Buffer.alloc(64)]);
  const gif = Buffer.from(
    'GIF89a\x01\0\x01\0\0\0\0!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;',
    'latin1',
  );
  const svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>';
  await assert.rejects(encode(heic), refusedAs('unsupported_image', /HEIC.*Most Compatible/));
  await assert.rejects(encode(gif), refusedAs('unsupported_image', /GIF/));
  await assert.rejects(encode(svg), refusedAs('unsupported_image', /SVG/));
  await assert.rejects(encode('%PDF-1.7\n'), refusedAs('unsupported_image', /PDF/));
  await assert.rejects(encode('MZ\x90\0 not a photo'), refusedAs('unsupported_image'));
  await assert.rejects(encode(''), refusedAs('image_damaged', /empty/));
  await assert.rejects(encode(await photo('png'), ['image/jpeg']), refusedAs('unsupported_image', /PNG.*only JPEG/));
});

test('a bomb is refused by its header, a cut one by its end', async () => {
  await assert.rejects(encode(pngOf(60_000, 60_000)), refusedAs('image_too_large', /50 million/));
  const whole = await photo('jpeg', { width: 400, height: 400 });
  await assert.rejects(encode(whole.subarray(0, whole.length / 2)), refusedAs('image_damaged'));
  await assert.rejects(
    encode(Buffer.concat([whole.subarray(0, 12), Buffer.alloc(5000, 0xff)])),
    refusedAs('image_damaged'),
  );
});

test('one that takes too long, or whose caller has gone, ends with its process', async () => {
  const hasty = createImagePool({ log: pino({ level: 'silent' }), slots: 1, timeout_ms: 1 });
  const in_path = join(dir, 'slow');
  await writeFile(in_path, await photo('png', { width: 3000, height: 3000 }));
  const request = { in_path, out_path: join(dir, 'slow.out'), accept: IMAGE_TYPES, max_pixels: 5e7, max_side: 4096 };
  await assert.rejects(hasty.encode(request), refusedAs('image_damaged', /stopped/));
  const gone = AbortSignal.abort(new Error('the caller has gone'));
  await assert.rejects(hasty.encode(request, gone), /the caller has gone/);
  await hasty.close();
});

/** A PNG that claims to be so large, with a few bytes of data. */
function pngOf(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

interface Truth {
  file: string;
  exiftool?: { FileType: string; ImageWidth: number; ImageHeight: number; Orientation?: number };
}

const world = sharedData('images');

/** In this process, which saves a child for each: that a child bounds them is shown above. */
test('images from the world', { skip: world ? false : 'no shared images' }, async (t) => {
  const truth = JSON.parse(readFileSync(join(world ?? '', 'truth.json'), 'utf8')) as Truth[];
  const taken = new Set(['JPEG', 'PNG', 'WEBP', 'AVIF']);
  for (const { file, exiftool } of truth) {
    await t.test(file, async () => {
      const out_path = join(dir, 'world.out');
      const limits = { accept: IMAGE_TYPES, max_pixels: 50_000_000, max_side: 4096 };
      const encoding = encodeImage({ in_path: join(world ?? '', file), out_path, ...limits });
      // PngSuite: names that begin with x are corrupt on purpose.
      if (/pngsuite\/x/.test(file) || !taken.has(exiftool?.FileType ?? '')) {
        await assert.rejects(encoding, CaudalError);
        return;
      }
      const { width, height } = await encoding;
      const { ImageWidth = 0, ImageHeight = 0, Orientation = 1 } = exiftool ?? {};
      assert.deepEqual([width, height], Orientation > 4 ? [ImageHeight, ImageWidth] : [ImageWidth, ImageHeight]);
      assert.ok(!(await readFile(out_path)).includes('Exif'), 'EXIF is gone');
    });
  }
});
