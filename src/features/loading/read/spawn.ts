import { fileURLToPath } from 'node:url';
import type { ReadMessage, ReadRequest, ReadTable } from '#contract/load.ts';
import { type CaudalError, fail, isErrorCode } from '#kernel/errors.ts';
import type { Logger } from '#platform/observe/log.ts';
import { type HowItEnded, type NodeChild, startNodeChild } from '#platform/process/node-child.ts';
import { keepChildren } from './kept-children.ts';

export interface ReaderPoolOptions {
  log: Logger;
  /** Children kept ready (each about 60 MB PSS). */
  warm?: number;
  /** Children that may wait for another small file of the workspace that they have read for; none where nothing is said. */
  kept?: number;
  /** What `ReadLimits.memory_bytes` of the coming requests will be at most; sets the process limit. */
  memory_bytes: number;
}

export interface ReadCallbacks {
  signal?: AbortSignal;
  /** Whose file it is: a child that read a small one may read the next. */
  workspace_id?: string;
  onProgress?(progress: { bytes: number; total_bytes: number; rows: number }): void;
}

export interface ReaderPool {
  /** @throws CaudalError of the loading family; reader_crashed, reader_timeout, reader_memory; the signal's reason */
  read(request: ReadRequest, callbacks?: ReadCallbacks): Promise<ReadTable[]>;
  close(): Promise<void>;
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

/**
 * What the process may hold beside DuckDB's own limit (RLIMIT_DATA). Measured with 366 MB of CSV and
 * memory_limit 500 MB: an idle child has 760 MB of such memory reserved (60 MB of it resident), the
 * load reaches 1,025 MB (410 MB resident); with 1,000 MB in all it dies, with 1,400 MB it passes.
 */
const OVERHEAD_BYTES = 1_200_000_000;
const HEAP_MB = 1024;

/**
 * Children that read files, in a process group of their own, under limits where the system has them: one file each,
 * small plain ones of a workspace some more.
 */
export function createReaderPool(options: ReaderPoolOptions): ReaderPool {
  const warm: NodeChild[] = [];
  const kept = keepChildren(options.kept ?? 0);
  const busy = new Set<NodeChild>();
  let closed = false;
  const refill = () => {
    while (!closed && warm.length < (options.warm ?? 1)) {
      const child = startChild(CHILD, options.memory_bytes);
      child.ended.then(() => {
        const at = warm.indexOf(child);
        if (at >= 0) warm.splice(at, 1);
      });
      warm.push(child);
    }
  };
  refill();
  return {
    async read(request, callbacks = {}) {
      callbacks.signal?.throwIfAborted();
      const { workspace_id = '' } = callbacks;
      const child = kept.take(workspace_id) ?? warm.shift() ?? startChild(CHILD, options.memory_bytes);
      busy.add(child);
      refill();
      const end = async (): Promise<void> => {
        child.kill();
        await child.ended;
        busy.delete(child);
      };
      try {
        const { tables, reusable } = await converse(child, request, callbacks, options.log);
        if (reusable && workspace_id !== '' && (options.kept ?? 0) > 0 && !closed) {
          busy.delete(child);
          kept.give(child, workspace_id);
          return tables;
        }
        // It has written all it had to write; taking its memory down is 10 ms that no load needs to wait for.
        void end();
        return tables;
      } catch (error) {
        await end();
        throw error;
      }
    },
    async close() {
      closed = true;
      const all = [...warm, ...busy, ...kept.all()];
      for (const child of all) child.kill();
      await Promise.all(all.map((child) => child.ended));
    },
  };
}

/** A process that runs `entry`, which reads with at most `memory_bytes` in DuckDB. */
export function startChild(entry: string, memory_bytes: number): NodeChild {
  return startNodeChild({ entry, heap_mb: HEAP_MB, data_bytes: memory_bytes + OVERHEAD_BYTES, files: 512 });
}

interface Answer {
  tables: ReadTable[];
  reusable: boolean;
}

async function converse(
  child: NodeChild,
  request: ReadRequest,
  { signal, onProgress }: ReadCallbacks,
  log: Logger,
): Promise<Answer> {
  const tables: ReadTable[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const deadline = setTimeout(() => reject(tooSlow(request.limits)), request.limits.timeout_ms);
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const handle: { [K in ReadMessage['type']]: (message: Extract<ReadMessage, { type: K }>) => void } = {
    progress: (message) => onProgress?.(message),
    sniffed: () => undefined,
    table: (message) => tables.push(message.table),
    done: ({ reusable }) => resolve({ tables, reusable }),
    failed: ({ error }) => {
      const code = isErrorCode(error.code) ? error.code : 'reader_crashed';
      reject(fail(code, error.message, error.hint ? { hint: error.hint } : {}));
    },
  };
  const hear = (message: ReadMessage) => (handle[message.type] as (m: ReadMessage) => void)(message);
  child.process.on('message', hear);
  child.ended.then((end) => {
    log.debug({ code: end.code, signal: end.signal, stderr: end.stderr }, 'reader ended');
    reject(died(end));
  });
  child.process.send(request, (error) => {
    if (error) log.debug({ err: error }, 'the reader could not be told what to read');
  });
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    child.process.off('message', hear);
    signal?.removeEventListener('abort', abort);
  }
}

export function tooSlow({ timeout_ms }: Pick<ReadRequest['limits'], 'timeout_ms'>): CaudalError {
  const seconds = Math.round(timeout_ms / 1000);
  return fail('reader_timeout', `Reading the file was stopped after ${seconds} s.`, {
    hint: 'Split the file, or raise the time limit of loads.',
  });
}

export function died(end: HowItEnded): CaudalError {
  const memory =
    end.signal === 'SIGKILL' || /out of memory|bad_alloc|Cannot allocate|allocation fail/i.test(end.stderr);
  if (memory) {
    return fail('reader_memory', 'Reading the file needed more memory than a reader may use.', {
      hint: 'Split the file, or raise the memory limit of the workers.',
    });
  }
  const how = end.signal ? `signal ${end.signal}` : `exit code ${end.code}`;
  return fail('reader_crashed', `The process that read the file ended with ${how}. Nothing of it was stored.`, {
    hint: 'The file is probably damaged: check that it opens in another program.',
  });
}
