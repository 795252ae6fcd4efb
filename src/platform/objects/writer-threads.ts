import { Worker } from 'node:worker_threads';
import type { WriterReply, WriterRequest, WriterWork } from './part-writer.worker.ts';

/** A job is one part or one file: all its requests go to one thread, in order. */
export interface WriterJob {
  /** Takes the chunks' memory over (transferred, not copied, where they own their buffers); one after the other. */
  write(fd: number, position: number, chunks: readonly Uint8Array[]): Promise<void>;
  /** MD5 of all that was written, hexadecimal. Ends the job. */
  digest(): Promise<string>;
  sha256(fd: number, size: number): Promise<string>;
  /** Ends the job and forgets it. */
  drop(): Promise<void>;
}

export interface WriterThreads {
  job(): WriterJob;
  close(): Promise<void>;
}

interface Thread {
  worker: Worker;
  gone: Error | undefined;
  waiting: Map<number, { resolve(digest: string | undefined): void; reject(error: Error): void }>;
}

const SCRIPT = new URL('./part-writer.worker.ts', import.meta.url);

/** Starts threads as they are needed, at most `most`; idle they never keep the process alive. */
export function writerThreads(most: number): WriterThreads {
  const threads = new Set<Thread>();
  let ids = 0;
  const nextId = (): number => {
    ids += 1;
    return ids;
  };
  return {
    job: () => jobOn(pickThread(threads, most), nextId),
    close: async () => {
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

function pickThread(threads: Set<Thread>, most: number): Thread {
  const idlest = [...threads].sort((a, b) => a.waiting.size - b.waiting.size)[0];
  if (idlest && (idlest.waiting.size === 0 || threads.size >= most)) return idlest;
  return startThread(threads);
}

function startThread(threads: Set<Thread>): Thread {
  const thread: Thread = { worker: new Worker(SCRIPT), gone: undefined, waiting: new Map() };
  threads.add(thread);
  thread.worker.unref();
  thread.worker.on('message', (reply: WriterReply) => settle(thread, reply));
  const gone = (error: Error): void => {
    thread.gone = error;
    threads.delete(thread);
    for (const { reject } of thread.waiting.values()) reject(error);
    thread.waiting.clear();
  };
  thread.worker.on('error', gone);
  thread.worker.on('exit', () => gone(new Error('the writer thread ended')));
  return thread;
}

function settle(thread: Thread, reply: WriterReply): void {
  const waiter = thread.waiting.get(reply.seq);
  thread.waiting.delete(reply.seq);
  if (thread.waiting.size === 0) thread.worker.unref();
  if (!waiter) return;
  if (reply.ok) waiter.resolve(reply.digest);
  else waiter.reject(Object.assign(new Error(reply.message), { code: reply.code }));
}

function jobOn(thread: Thread, nextId: () => number): WriterJob {
  const job = nextId();
  const ask = (work: WriterWork, transfer: ArrayBuffer[] = []): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      if (thread.gone) return reject(thread.gone);
      const request: WriterRequest = { ...work, seq: nextId() };
      thread.waiting.set(request.seq, { resolve, reject });
      thread.worker.ref();
      thread.worker.postMessage(request, transfer);
    });
  const digestOf = async (work: WriterWork): Promise<string> => {
    const digest = await ask(work);
    if (digest === undefined) throw new Error('the writer thread gave no digest');
    return digest;
  };
  return {
    write: async (fd, position, chunks) => {
      const own = chunks.map(ownBuffer);
      await ask(
        { kind: 'write', job, fd, position, chunks: own },
        own.map(({ buffer }) => buffer),
      );
    },
    digest: () => digestOf({ kind: 'digest', job }),
    sha256: (fd, size) => digestOf({ kind: 'sha256', fd, size }),
    drop: async () => {
      await ask({ kind: 'drop', job });
    },
  };
}

/** A socket's chunk usually owns its memory and can be handed over; a slice of a pool must be copied. */
function ownBuffer(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) return new Uint8Array(buffer);
  return new Uint8Array(chunk);
}
