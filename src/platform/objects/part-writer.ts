import type { Readable } from 'node:stream';
import { fail } from '#kernel/errors.ts';
import type { WriterJob } from './writer-threads.ts';

export interface BodyLimits {
  /** A body that sends nothing for this long is given up. */
  idle_ms: number;
  /** And one that is slower than this on the whole, after `idle_ms` of grace. */
  min_bytes_per_second: number;
}

export interface PartBody {
  body: Readable;
  fd: number;
  offset: number;
  length: number;
  limits: BodyLimits;
  /** Aborts when the lease is lost. */
  signal: AbortSignal;
}

/** Bytes on their way to the writer thread before the socket has to wait; what a part costs in memory. */
const MOST_UNDERWAY = 1 << 20;
/** A socket gives 64 KiB at a time; a message to the thread and its answer cost as much as writing that. */
const BATCH = 1 << 18;

/**
 * Streams a body into its place in the file and returns the MD5 of its bytes (hexadecimal). Ends
 * only when nothing is under way any more, so the caller may close the file.
 * @throws length_mismatch (too short or too long), request_timeout, or the signal's reason
 */
export async function receivePart(job: WriterJob, part: PartBody): Promise<string> {
  try {
    if (part.length > 0) await pump(job, part);
    return await job.digest();
  } catch (error) {
    await job.drop().catch(() => undefined);
    throw error;
  }
}

async function pump(job: WriterJob, { body, fd, offset, length, limits, signal }: PartBody): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = 0;
  let underway = 0;
  let batch: Uint8Array[] = [];
  let batched = 0;
  let ended = false;
  let problem: Error | undefined;

  const settle = (): void => {
    if (underway > 0) return;
    if (problem) reject(problem);
    else if (ended) resolve();
  };
  const giveUp = (error: Error): void => {
    problem ??= error;
    body.pause();
    settle();
  };
  const written = (bytes: number): void => {
    underway -= bytes;
    if (underway === 0) pass();
    if (!problem && !ended && underway <= MOST_UNDERWAY / 2) body.resume();
    settle();
  };
  const pass = (): void => {
    const chunks = batch;
    const bytes = batched;
    if (bytes === 0 || problem) return;
    batch = [];
    batched = 0;
    underway += bytes;
    job.write(fd, offset + received - bytes, chunks).then(
      () => written(bytes),
      (error: Error) => {
        problem ??= error;
        written(bytes);
      },
    );
  };
  const onData = (chunk: Uint8Array): void => {
    const bytes = chunk.byteLength;
    if (problem) return;
    received += bytes;
    if (received > length) {
      giveUp(wrongLength(received, length));
      return;
    }
    batch.push(chunk);
    batched += bytes;
    clock.refresh();
    if (underway === 0 || batched >= BATCH) pass();
    if (underway >= MOST_UNDERWAY) body.pause();
  };
  const onEnd = (): void => {
    if (received === length) {
      pass();
      ended = true;
    } else giveUp(wrongLength(received, length));
    settle();
  };
  const onCut = (): void => {
    if (!ended) giveUp(wrongLength(received, length));
  };
  const onAbort = (): void => giveUp(signal.reason as Error);
  // While the disk is behind it is not the body that is slow.
  const clock = bodyClock(
    limits,
    length,
    () => underway > 0,
    (why) => giveUp(tooSlow(why)),
  );

  // An aborted request emits an error after `close`, too: unheard it would end the process, so it stays heard.
  body.on('error', onCut).on('close', onCut).on('end', onEnd);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  else if (body.destroyed || body.readableEnded) onCut();
  else body.on('data', onData);
  try {
    await promise;
  } finally {
    clock.stop();
    signal.removeEventListener('abort', onAbort);
    body.off('data', onData).off('end', onEnd).off('close', onCut);
  }
}

/** Two alarms: nothing came for a while, and all of it takes too long. */
function bodyClock(limits: BodyLimits, length: number, busy: () => boolean, ring: (why: string) => void) {
  const idle = setTimeout(
    () => (busy() ? idle.refresh() : ring(`nothing came for ${Math.round(limits.idle_ms / 1000)} s`)),
    Math.min(LONGEST_TIMER, limits.idle_ms),
  );
  const whole = setTimeout(
    () => ring(`less than ${limits.min_bytes_per_second} bytes per second`),
    Math.min(LONGEST_TIMER, limits.idle_ms + (length / limits.min_bytes_per_second) * 1000),
  );
  return {
    refresh: () => idle.refresh(),
    stop: () => {
      clearTimeout(idle);
      clearTimeout(whole);
    },
  };
}

const LONGEST_TIMER = 2 ** 31 - 1;

function wrongLength(received: number, length: number): Error {
  return fail('length_mismatch', `The body ended at ${received} bytes; the URL was signed for ${length}.`, {
    hint: 'Send the part again.',
  });
}

function tooSlow(why: string): Error {
  return fail('request_timeout', `The body came too slowly: ${why}.`, { hint: 'Send the part again.' });
}
