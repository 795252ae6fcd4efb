import { fileURLToPath } from 'node:url';
import type { ReadTable, StreamMessage, StreamRequest } from '#contract/load.ts';
import { type CaudalError, fail, isErrorCode, type StoredError } from '#kernel/errors.ts';
import type { Logger } from '#platform/observe/log.ts';
import type { NodeChild } from '#platform/process/node-child.ts';
import { died, startChild, tooSlow } from '../spawn.ts';

export interface StreamWriterOptions {
  log: Logger;
  memory_bytes: number;
}

export interface StreamWriter {
  /**
   * Writes batches in a child that is kept for the next request, and replaced when it failed or is old.
   * @throws CaudalError of the loading family; reader_crashed, reader_timeout, reader_memory; the signal's reason
   */
  write(request: StreamRequest, options?: { signal?: AbortSignal }): Promise<ReadTable>;
  close(): Promise<void>;
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** DuckDB and V8 keep some of what they once needed. */
const REQUESTS_PER_CHILD = 2_000;

export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const idle: Kept[] = [];
  const busy = new Set<Kept>();
  let closed = false;
  const take = (): Kept => {
    const kept = idle.pop() ?? { child: startChild(CHILD, options.memory_bytes), served: 0 };
    busy.add(kept);
    return kept;
  };
  return {
    async write(request, { signal } = {}) {
      signal?.throwIfAborted();
      if (closed) throw fail('not_ready', 'The process is stopping.');
      const kept = take();
      try {
        const table = await ask(kept.child, request, signal);
        kept.served += 1;
        if (kept.served < REQUESTS_PER_CHILD && !closed) idle.push(kept);
        else kept.child.kill();
        return table;
      } catch (error) {
        kept.child.kill();
        const { stderr } = await kept.child.ended;
        options.log.debug({ err: error, stderr }, 'the writer of events ended');
        throw error;
      } finally {
        busy.delete(kept);
      }
    },
    async close() {
      closed = true;
      const all = [...idle.splice(0), ...busy];
      for (const { child } of all) child.kill();
      await Promise.all(all.map(({ child }) => child.ended));
    },
  };
}

interface Kept {
  child: NodeChild;
  served: number;
}

async function ask(child: NodeChild, request: StreamRequest, signal: AbortSignal | undefined): Promise<ReadTable> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadTable>();
  const deadline = setTimeout(() => reject(tooSlow(request.limits)), request.limits.timeout_ms);
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const answered = (message: StreamMessage): void => {
    if (message.type === 'written') resolve(message.table);
    else reject(toError(message.error));
  };
  child.process.once('message', answered as (message: unknown) => void);
  child.ended.then((end) => reject(died(end)));
  child.process.send(request, (error) => {
    if (error) reject(fail('reader_crashed', 'The process that writes events is gone.', { cause: error }));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener('abort', abort);
  }
}

function toError({ code, message, hint }: StoredError): CaudalError {
  return fail(isErrorCode(code) ? code : 'reader_crashed', message, hint ? { hint } : {});
}
