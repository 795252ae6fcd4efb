import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { CaudalError, fail } from '#kernel/errors.ts';
import type { Budget } from './budget.ts';
import { zstdFrames } from './zstd-frames.ts';

const CUT_OFF = 'The upload or the download before it was probably cut off; get the file again.';

/** Passes bytes on, asking the budget before they reach the disk. */
export function metered(budget: Budget): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        budget.take(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}

/**
 * Unpacks gzip, of one or many members (bgzip, concatenated logs). Garbage after a whole member is left
 * out, as gzip(1) does with a warning.
 * @throws truncated_file, corrupt_file, decompression_bomb
 */
export async function unpackGzip(source: string, target: string, budget: () => Budget): Promise<void> {
  const first = await tryGunzip(source, target, budget(), Number.POSITIVE_INFINITY);
  if (first === undefined) return;
  // zlib drops the output of the chunk in which it meets garbage: that chunk is fed again byte by byte.
  await rm(target, { force: true });
  await tryGunzip(source, target, budget(), first);
}

const CHUNK = 64 * 1024;

/** The offset (about) at which garbage follows a whole member; undefined when there is none. */
async function tryGunzip(
  source: string,
  target: string,
  budget: Budget,
  careful_from: number,
): Promise<number | undefined> {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  try {
    await pipeline(
      carefully(createReadStream(source, { highWaterMark: CHUNK }), careful_from),
      gunzip,
      metered(budget),
      createWriteStream(target, { flags: 'wx', mode: 0o600 }),
    );
    return undefined;
  } catch (error) {
    // The file begins with gzip's magic, so only a later member can have no header.
    if (error instanceof Error && error.message === 'incorrect header check') {
      return Math.max(0, gunzip.bytesWritten - CHUNK);
    }
    throw unpackError(error, 'gzip');
  }
}

async function* carefully(input: Readable, careful_from: number): AsyncGenerator<Buffer> {
  let offset = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const careful = offset + chunk.length > careful_from && offset <= careful_from + 2 * CHUNK;
    if (careful) for (let i = 0; i < chunk.length; i++) yield chunk.subarray(i, i + 1);
    else yield chunk;
    offset += chunk.length;
  }
}

/** Unpacks zstd, of one or many frames. @throws truncated_file, corrupt_file, decompression_bomb */
export async function unpackZstd(source: string, size: number, target: string, budget: Budget): Promise<void> {
  const input = await open(source, 'r');
  const output = await open(target, 'wx', 0o600);
  try {
    for await (const frame of zstdFrames(input, size)) await unpackFrame(source, frame, output, budget);
  } catch (error) {
    throw unpackError(error, 'zstd');
  } finally {
    await input.close();
    await output.close();
  }
}

async function unpackFrame(
  source: string,
  frame: { start: number; end: number },
  output: FileHandle,
  budget: Budget,
): Promise<void> {
  const input = createReadStream(source, { start: frame.start, end: frame.end - 1 });
  await pipeline(input, createZstdDecompress(), metered(budget), async (bytes: AsyncIterable<Buffer>) => {
    for await (const chunk of bytes) await output.writeFile(chunk);
  });
}

/** Words for what a decompressor says. */
export function unpackError(error: unknown, kind: string): Error {
  if (error instanceof CaudalError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOSPC') return fail('storage_full', 'There is no room left to unpack the file.', { cause: error });
  if (code === 'Z_BUF_ERROR') {
    return fail('truncated_file', `The ${kind} data ends too early.`, { hint: CUT_OFF, cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return fail('corrupt_file', `The ${kind} data cannot be unpacked: ${reason}.`, {
    hint: 'Test the file with the program that made it, and get it again from where it came.',
    cause: error,
  });
}
