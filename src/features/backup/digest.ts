import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail } from '#kernel/errors.ts';

export interface Measured {
  size: number;
  sha256: string;
}

/** Passes bytes through and knows, once it has ended, how many and which. */
export function measure(): { stream: Transform; result(): Measured } {
  const hash = createHash('sha256');
  let size = 0;
  let digest: string | undefined;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      digest = hash.digest('hex');
      done();
    },
  });
  return {
    stream,
    result() {
      if (digest === undefined) throw new Error('the stream has not ended');
      return { size, sha256: digest };
    },
  };
}

/** Writes a stream to a new file, fsync'd; its directories come into being as needed, closed to others. */
export async function writeMeasured(source: Readable, path: string): Promise<Measured> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const measured = measure();
  await pipeline(source, measured.stream, createWriteStream(path, { mode: 0o600, flush: true }));
  return measured.result();
}

/**
 * A file's bytes as a stream that fails at its end unless they are what they should be: whoever stores
 * them keeps nothing then. @throws backup_damaged through the stream
 */
export function verified(path: string, expected: Measured): Readable {
  const measured = measure();
  const check = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => done(differs(path, measured.result(), expected)),
  });
  const source = createReadStream(path);
  source.on('error', (cause) => check.destroy(fail('backup_damaged', `${path} cannot be read.`, { cause })));
  check.on('close', () => source.destroy());
  return source.pipe(measured.stream).pipe(check);
}

/** Reads a file through. @throws backup_damaged */
export async function verifyFile(path: string, expected: Measured): Promise<void> {
  for await (const _ of verified(path, expected)) void _;
}

function differs(path: string, found: Measured, expected: Measured): Error | null {
  if (found.sha256 === expected.sha256 && found.size === expected.size) return null;
  return fail('backup_damaged', `${path} is not what the backup wrote: ${found.size} bytes, sha-256 ${found.sha256}.`, {
    hint: 'Restore from another backup, or find out what changed this one.',
  });
}
