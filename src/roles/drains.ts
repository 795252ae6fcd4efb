import type { DrainDeps } from '#features/events/drain/drain.ts';
import { type Drains, startDrains } from '#features/events/drain/drains.ts';
import { replayEventsTask } from '#features/events/replay/replay-events.handler.ts';
import { conform, quarantineOf } from '#features/loading/conform.ts';
import { createStreamWriter } from '#features/loading/read/stream/spawn.ts';
import { startWebhooks } from '#features/webhooks/webhooks.ts';
import { createNamedLocks } from '#platform/db/named-locks.ts';
import { createPoster } from '#platform/http/post.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';
import type { Platform } from './role.ts';
import { rewriteTools } from './tasks.ts';

/** Each is mostly one core's work. */
const LANES = 2;
/** A drain is small (16 MB of events): it needs neither a load's memory nor all cores. */
const MEMORY_BYTES = 512e6;
const THREADS = 2;
const TIMEOUT_MS = 60_000;
/** A lane waits for a receiver most of the time. */
const WEBHOOK_LANES = 8;

export interface OpenDrains extends Drains {
  replay: TaskDefinition<'replay_events'>;
  close(): Promise<void>;
}

/** What takes events from their streams in a worker: into datasets, written by the loading room's child, and to webhooks. */
export function openDrains(platform: Platform): OpenDrains {
  const { config, listener, log } = platform;
  const writer = createStreamWriter({ log, memory_bytes: MEMORY_BYTES });
  const locks = createNamedLocks(platform.databaseUrl, platform.instance, log);
  const { maxColumns: max_columns, maxValueBytes: max_value_bytes } = config;
  const limits = { memory_bytes: MEMORY_BYTES, threads: THREADS, timeout_ms: TIMEOUT_MS, max_columns, max_value_bytes };
  // A replay waits for the drains of its own process too: locks of one connection would let it pass.
  const replayLocks = createNamedLocks(platform.databaseUrl, platform.instance, log);
  const deps: DrainDeps & ReturnType<typeof rewriteTools> = {
    ...rewriteTools(platform),
    limits,
    write: writer.write,
    conform: async (table, dataset, out_dir, signal) => {
      if (!dataset.declared) return table;
      const { name, declared } = dataset;
      return conform(table, { name, declared }, { ...limits, out_dir, signal });
    },
    readQuarantine: quarantineOf,
  };
  const drains = startDrains({ ...deps, listener, locks, log, lanes: LANES });
  const post = createPoster({ allowPrivate: config.fetchAllowPrivate });
  const webhooks = startWebhooks({ db: deps.db, post, listener, locks, log, lanes: WEBHOOK_LANES });
  return {
    ...drains,
    replay: replayEventsTask({ ...deps, locks: replayLocks }),
    async stop() {
      await Promise.all([drains.stop(), webhooks.stop()]);
    },
    async close() {
      await Promise.all([writer.close(), locks.close(), replayLocks.close()]);
    },
  };
}
