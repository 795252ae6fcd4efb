import type { Config } from '#config';
import type { TaskKind } from '#contract/tasks.ts';
import { makeInChild } from '#features/reports/spawn.ts';
import { systemClock } from '#kernel/clock.ts';
import { createCatalog } from '#platform/lake/catalog.ts';
import type { PoolLimits } from '#platform/queue/pool.ts';
import type { QueueName } from '#platform/queue/queue.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';
import type { Platform } from './role.ts';

export type TaskTable = { [K in TaskKind]?: () => Promise<TaskDefinition<K>> };

/** What a DuckDB of our own may take when it rewrites segments, in each of the processes that do. */
const REWRITE = { memory_bytes: 512 * 2 ** 20, threads: 2 };

/** How many tasks of each queue one worker runs at once. */
export function slotsOf({ workerSlots, videoSlots }: Config): Partial<Record<QueueName, number>> {
  return { load: workerSlots, upkeep: 1, ...(videoSlots > 0 ? { video: videoSlots } : {}) };
}

export function poolLimits(config: Config): PoolLimits {
  return { min: config.workersMin, max: config.workersMax, slots: slotsOf(config) };
}

/** What the handlers that write segments have in common. */
export function rewriteTools(platform: Platform) {
  return {
    db: platform.database.db,
    objects: platform.objects,
    enqueue: platform.enqueue,
    temp_dir: platform.tempDir,
    ...REWRITE,
  };
}

/** What reports are made with, in gateways and in workers. */
export function reportTools(platform: Platform) {
  const { config, objects, tempDir, version } = platform;
  const { db, pool } = platform.database;
  return {
    ...{ db, objects, tempDir, clock: systemClock, make: makeInChild },
    snapshot: createCatalog(db, { pool }).snapshot,
    most_rows: config.reportMaxRows,
    program: `Caudal ${version}`,
  };
}

/** Which room handles which kind of task; a process imports a room when its first task comes. */
export function taskTable(platform: Platform, reading: () => Promise<TaskDefinition<'load'>>): TaskTable {
  const tools = rewriteTools(platform);
  const limits = { ...REWRITE, timeout_ms: platform.config.readerTimeout };
  let video: Promise<TaskDefinition<'video'>> | undefined;
  return {
    load: reading,
    replay: async () => (await import('#features/loading/replay.handler.ts')).replayTask({ ...tools, limits }),
    delete_file: async () => (await import('#features/loading/delete-file.handler.ts')).deleteFileTask(tools),
    report: async () => (await import('#features/reports/report.handler.ts')).reportTask(reportTools(platform)),
    video() {
      // Once: it asks the engine what it can.
      video ??= import('./video.ts').then(({ openVideo }) => openVideo(platform));
      return video;
    },
    compact: async () => (await import('#features/datasets/compact.handler.ts')).compactTask(tools),
  };
}
