import { createHash, type Hash } from 'node:crypto';
import { readSync, writeSync, writevSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';

/**
 * The thread that writes and hashes, so that neither costs the event loop that serves requests:
 * MD5 runs at 770 MB/s per core, which is most of what receiving a part costs.
 */
export type WriterWork =
  | { kind: 'write'; job: number; fd: number; position: number; chunks: Uint8Array<ArrayBuffer>[] }
  | { kind: 'digest'; job: number }
  | { kind: 'drop'; job: number }
  | { kind: 'sha256'; fd: number; size: number };

export type WriterRequest = WriterWork & { seq: number };

export type WriterReply =
  | { seq: number; ok: true; digest?: string }
  | { seq: number; ok: false; code: string; message: string };

const READ_SIZE = 1 << 20;
const hashes = new Map<number, Hash>();

function hashOf(job: number): Hash {
  const hash = hashes.get(job) ?? createHash('md5');
  hashes.set(job, hash);
  return hash;
}

/** One system call for all of them; what a full disk or a signal cuts short is written on chunk by chunk. */
function write(fd: number, position: number, chunks: readonly Uint8Array[]): void {
  let skip = writevSync(fd, chunks, position);
  let at = position;
  for (const chunk of chunks) {
    for (let done = Math.min(skip, chunk.byteLength); done < chunk.byteLength; ) {
      done += writeSync(fd, chunk, done, chunk.byteLength - done, at + done);
    }
    skip = Math.max(0, skip - chunk.byteLength);
    at += chunk.byteLength;
  }
}

/** Yields between reads: a whole file takes seconds, and other jobs' chunks wait behind it. */
async function sha256(fd: number, size: number): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_SIZE);
  for (let position = 0; position < size; ) {
    const read = readSync(fd, buffer, 0, Math.min(READ_SIZE, size - position), position);
    if (read === 0) throw new Error('the file is shorter than its size');
    hash.update(buffer.subarray(0, read));
    position += read;
    await setImmediate();
  }
  return hash.digest('hex');
}

async function serve(request: WriterRequest): Promise<string | undefined> {
  if (request.kind === 'sha256') return sha256(request.fd, request.size);
  const hash = hashOf(request.job);
  if (request.kind === 'write') {
    write(request.fd, request.position, request.chunks);
    for (const chunk of request.chunks) hash.update(chunk);
    return undefined;
  }
  hashes.delete(request.job);
  return request.kind === 'digest' ? hash.digest('hex') : undefined;
}

parentPort?.on('message', (request: WriterRequest) => {
  const { seq } = request;
  serve(request).then(
    (digest) => parentPort?.postMessage({ seq, ok: true, ...(digest === undefined ? {} : { digest }) }),
    (error: NodeJS.ErrnoException) =>
      parentPort?.postMessage({ seq, ok: false, code: error.code ?? '', message: error.message }),
  );
});
