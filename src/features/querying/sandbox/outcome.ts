import { once } from 'node:events';
import { type Duplex, Readable } from 'node:stream';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { ResultFormat } from '#platform/http/formats.ts';
import type { Failure, FromChild, ResultColumn, ToChild } from './protocol.ts';
import { ChildGone, type ChildSession } from './session.ts';

export interface Outcome {
  columns: ResultColumn[];
  truncated: boolean;
  /** Length of the body, where it is known (JSON). */
  bytes: number | undefined;
  /** Ends only when the result is whole; otherwise it is destroyed with an error. */
  body: Readable;
}

const GRACE_MS = 1000;

/** Watches over one child: the time it may take for each step, and whether anybody still wants the answer. */
export interface Guard {
  /** Waits for the child; when it takes too long it is interrupted, and killed a second later. */
  wait<T>(step: Promise<T>): Promise<T>;
  /** What the child's end means to the caller. */
  explain(error: unknown): unknown;
  stop(): void;
}

export function createGuard(session: ChildSession, timeout_ms: number, signal?: AbortSignal): Guard {
  let late = false;
  let timers: NodeJS.Timeout[] = [];
  const disarm = (): void => {
    for (const timer of timers) clearTimeout(timer);
    timers = [];
  };
  const kill = (): void => void session.kill();
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted) kill();
  return {
    async wait(step) {
      const interrupt = setTimeout(() => {
        late = true;
        session.send({ type: 'interrupt' });
      }, timeout_ms);
      timers.push(interrupt, setTimeout(kill, timeout_ms + GRACE_MS));
      try {
        return await step;
      } finally {
        disarm();
      }
    },
    explain(error) {
      if (signal?.aborted) return signal.reason;
      const timeout = fail('sql_timeout', `The query took longer than ${timeout_ms / 1000} s.`, {
        hint: 'Filter earlier or aggregate less; a dataset can also be prepared in steps.',
        cause: error,
      });
      const interrupted = (error as CaudalError).code === 'sql_timeout';
      if (late || interrupted) return timeout;
      return error instanceof ChildGone ? deathOf(error, timeout) : error;
    },
    stop() {
      disarm();
      signal?.removeEventListener('abort', kill);
    },
  };
}

/** Out of its memory limit a process ends by SIGABRT or SIGTRAP (V8, C++), or is killed by the kernel. */
const BY_MEMORY = new Set(['SIGABRT', 'SIGTRAP', 'SIGKILL', 'SIGILL']);
const EXIT_OUT_OF_MEMORY = new Set([133, 134, 137]);

function deathOf(error: ChildGone, timeout: CaudalError): CaudalError {
  if (error.signal === 'SIGXCPU') return timeout;
  const byMemory = BY_MEMORY.has(error.signal ?? '') || EXIT_OUT_OF_MEMORY.has(error.exitCode ?? 0);
  if (byMemory) {
    return fail('sql_too_greedy', 'The query needs more memory than it may use.', {
      hint: 'Filter or aggregate earlier, or select fewer columns.',
      cause: error,
    });
  }
  return fail('sql_too_greedy', 'The query brought its engine down; nothing else was harmed.', { cause: error });
}

/** A child's failure as the caller's error; positions count characters of the query, from 0. */
export function errorOf(failure: Failure, query?: string): CaudalError {
  if (failure.code === 'internal') {
    return fail('internal', 'The query failed inside Caudal; the log holds the cause under this trace id.', {
      cause: new Error(failure.message),
    });
  }
  const place = query === undefined || failure.position === undefined ? undefined : placeOf(query, failure.position);
  return fail(failure.code, failure.message, {
    ...(failure.hint ? { hint: failure.hint } : {}),
    ...(place ? { members: { ...place } } : {}),
  });
}

/** DuckDB counts bytes of UTF-8. */
export function placeOf(query: string, byteOffset: number): { position: number; line: number; column: number } {
  const before = Buffer.from(query).subarray(0, byteOffset).toString();
  const lines = before.split('\n');
  return { position: before.length, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

export async function ask(session: ChildSession, message: ToChild, query?: string): Promise<FromChild> {
  session.send(message);
  return answer(session, query);
}

async function answer(session: ChildSession, query?: string): Promise<FromChild> {
  const message = await session.receive();
  if (message.type === 'failed') throw errorOf(message.failure, query);
  return message;
}

export interface BodyOptions {
  session: ChildSession;
  guard: Guard;
  format: ResultFormat;
  source: Duplex;
  started: { columns: ResultColumn[]; truncated: boolean; bytes?: number };
  query?: string;
  /** Called once; `whole` when everything was read and nothing failed. */
  finish(whole: boolean): void;
}

/**
 * The result's bytes. What fails before the first row is thrown here and answered as a problem; what
 * fails later destroys the stream, so that nobody takes half a file for the whole.
 */
export async function bodyOf(options: BodyOptions): Promise<Outcome> {
  const { started, finish } = options;
  const chunks = started.bytes === undefined ? untilEnd(options) : exactly(options, started.bytes);
  let finished = false;
  const once = (whole: boolean): void => {
    if (!finished) finish(whole);
    finished = true;
  };
  const head: Buffer[] = [];
  let ended = false;
  const enough = preamble(options.format, started.columns);
  for (let read = 0; read <= enough && !ended; ) {
    const { value, done } = await chunks.next();
    if (done) ended = true;
    else {
      head.push(value);
      read += value.length;
    }
  }
  async function* all(): AsyncGenerator<Buffer> {
    let whole = false;
    try {
      yield* head;
      if (!ended) yield* chunks;
      whole = true;
    } finally {
      once(whole);
    }
  }
  const body = Readable.from(all(), { objectMode: false });
  // A stream that is destroyed before it was read never enters the generator.
  body.once('close', () => once(false));
  return { columns: started.columns, truncated: started.truncated, bytes: started.bytes, body };
}

/** Bytes that a format writes before its first row. */
function preamble(format: ResultFormat, columns: readonly ResultColumn[]): number {
  if (format === 'parquet') return 4;
  if (format !== 'csv') return 0;
  return columns.reduce((sum, { name }) => sum + Buffer.byteLength(name) + 1, 1);
}

async function* untilEnd({ session, guard, source, query }: BodyOptions): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      const chunk = await guard.wait(nextChunk(source));
      if (!chunk) break;
      yield chunk;
    }
    await guard.wait(answer(session, query));
  } catch (error) {
    throw guard.explain(error);
  }
}

async function* exactly({ session, guard, source, query }: BodyOptions, bytes: number): AsyncGenerator<Buffer> {
  try {
    for (let left = bytes; left > 0; ) {
      const chunk = await guard.wait(nextChunk(source));
      if (!chunk) throw await gone(session);
      left -= chunk.length;
      yield chunk;
    }
    await guard.wait(answer(session, query));
  } catch (error) {
    throw guard.explain(error);
  }
}

async function gone(session: ChildSession): Promise<unknown> {
  try {
    return new Error(`unexpected ${(await session.receive()).type}`);
  } catch (error) {
    return error;
  }
}

/** The next bytes, or undefined at the end. */
async function nextChunk(source: Duplex): Promise<Buffer | undefined> {
  for (;;) {
    const chunk = source.read() as Buffer | null;
    if (chunk) return chunk;
    if (source.readableEnded) return undefined;
    if (source.errored) throw source.errored;
    if (source.destroyed) return undefined;
    await moved(source);
  }
}

async function moved(source: Duplex): Promise<void> {
  const settled = new AbortController();
  const wait = (event: string) => once(source, event, { signal: settled.signal }).catch(() => undefined);
  try {
    await Promise.race([wait('readable'), wait('end'), wait('close')]);
  } finally {
    settled.abort();
  }
}
