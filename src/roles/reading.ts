import { availableParallelism } from 'node:os';
import type { ReadLimits } from '#contract/load.ts';
import { type LoadDeps, loadTask } from '#features/loading/load.handler.ts';
import { createReaderPool, type ReaderPool } from '#features/loading/read/spawn.ts';
import { createFetcher } from '#platform/http/fetch.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';
import type { Platform } from './role.ts';
import { rewriteTools } from './tasks.ts';

export interface Reading {
  load: TaskDefinition<'load'>;
  pool: ReaderPool;
}

/** The load room with its reader children, as a worker runs it. */
export function openReading(platform: Platform): Reading {
  const { config, log } = platform;
  const pool = createReaderPool({ log, memory_bytes: config.readerMemory, warm: 1, kept: config.workerSlots });
  const limits: ReadLimits = {
    memory_bytes: config.readerMemory,
    threads: config.readerThreads || availableParallelism(),
    max_columns: config.maxColumns,
    max_value_bytes: config.maxValueBytes,
    max_unpacked_bytes: config.maxUnpackedBytes,
    max_ratio: config.maxRatio,
    timeout_ms: config.readerTimeout,
  };
  const deps: LoadDeps = { ...rewriteTools(platform), read: pool.read, fetchToFile: fetchToFile(platform), limits };
  return { load: loadTask(deps), pool };
}

const IDLE_MS = 30_000;

function fetchToFile({ config }: Platform): LoadDeps['fetchToFile'] {
  const fetch = createFetcher({ allowPrivate: config.fetchAllowPrivate });
  const limits = { max_bytes: config.uploadMaxBytes, timeout_ms: config.readerTimeout, idle_ms: IDLE_MS };
  return async (url, path, { signal }) => {
    const { bytes, content_type } = await fetch(url, path, { limits, signal });
    return { size: bytes, content_type: content_type ?? null };
  };
}
