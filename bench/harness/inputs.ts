import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded, writeSample } from '../../src/cli/demo/sample.ts';

const CHUNK = 1 << 20;

/** Made once per machine; a name says what is in it. */
async function cached(name: string, make: (path: string) => Promise<unknown>): Promise<string> {
  const directory = join(tmpdir(), 'caudal-bench-inputs');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  if (existsSync(path)) return path;
  const partial = `${path}.${process.pid}`;
  await make(partial);
  renameSync(partial, path);
  return path;
}

/** A plain CSV of sales; 80 bytes a row, so that five million are 400 MB. */
export function salesCsv(rows: number, seed = 1): Promise<string> {
  return cached(`sales-${rows}-${seed}.csv`, (path) => writeSales(path, rows, seed));
}

const CITIES = [
  'Medellín',
  'Bogotá',
  'Cali',
  'Barranquilla',
  'Cartagena',
  'Manizales',
  'Pasto',
  'Popayán',
  'Tunja',
  'Leticia',
];
const CHANNELS = ['web', 'store', 'phone', 'partner'];

async function writeSales(path: string, rows: number, seed: number): Promise<void> {
  const random = seeded(seed);
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? '';
  const file = createWriteStream(path);
  let text = 'id,sold_at,city,channel,customer,quantity,amount,paid,note\n';
  for (let row = 1; row <= rows; row += 1) {
    const at = new Date(1_700_000_000_000 + row * 6000).toISOString().slice(0, 19).replace('T', ' ');
    const customer = `C${String(Math.floor(random() * 200_000)).padStart(6, '0')}`;
    const amount = (random() * 5000).toFixed(2);
    const paid = random() < 0.9;
    text += `${row},${at},${pick(CITIES)},${pick(CHANNELS)},${customer},${1 + Math.floor(random() * 9)},${amount},${paid},`;
    text += `ref ${Math.floor(random() * 1e9).toString(36)}\n`;
    if (text.length < CHUNK) continue;
    if (!file.write(text)) await once(file, 'drain');
    text = '';
  }
  file.end(text);
  await once(file, 'close');
}

/** 31 MB of reviews: long quoted texts of several lines, seven broken records. */
export function reviewsCsv(bytes: number, seed = 20_260_504): Promise<string> {
  return cached(`reviews-${bytes}-${seed}.csv`, (path) => writeSample(path, bytes, seed));
}

/** Bytes without a pattern that a disk or a network could profit from. */
export function randomBytes(size: number): Promise<string> {
  return cached(`random-${size}.bin`, async (path) => {
    const random = seeded(size);
    const block = Buffer.from(Uint32Array.from({ length: (4 * CHUNK) / 4 }, () => random() * 2 ** 32).buffer);
    const file = createWriteStream(path);
    for (let written = 0; written < size; written += block.length) {
      // Different in every block: a store that finds equal blocks must not shine.
      block.writeUInt32LE(written >>> 20, 0);
      if (!file.write(Buffer.from(block.subarray(0, Math.min(block.length, size - written)))))
        await once(file, 'drain');
    }
    file.end();
    await once(file, 'close');
  });
}

/** Moving 1080p pictures with a tone, 30 frames a second. */
export function hdVideo(seconds: number, ffmpeg: string): Promise<string> {
  return cached(`hd-${seconds}.mp4`, async (path) => {
    const picture = ['-f', 'lavfi', '-i', `testsrc2=s=1920x1080:r=30:d=${seconds},noise=alls=2:allf=t`];
    const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:d=${seconds}:r=48000`];
    const encoder = [
      '-c:v',
      'libx264',
      '-preset',
      'superfast',
      '-crf',
      '28',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      '-f',
      'mp4',
    ];
    const child = spawn(ffmpeg, ['-v', 'error', '-y', ...picture, ...sound, ...encoder, path], { stdio: 'inherit' });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
  });
}

export function sizeOf(path: string): number {
  return statSync(path).size;
}
