import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Db } from '#platform/db/db.ts';
import { type AnswerCache, createAnswerCache } from '#platform/http/answer-cache.ts';
import type { App } from '#platform/http/app.ts';
import { createEngine, type Engine } from '#platform/lake/engine.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Logger } from '#platform/observe/log.ts';
import type { ExtraRelations } from './relations.ts';
import { rowRoutes } from './rows.route.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import { sqlRoutes } from './sql.route.ts';
import { createSqlService, type SqlService } from './sql.ts';

export interface QueryingOptions {
  db: Db;
  objects: Pick<ObjectStore, 'local'>;
  log: Logger;
  /** The newest version, or `version`. @throws dataset_not_found, version_not_found, version_gone */
  snapshot(ref: { workspace_id: string; name: string; version?: number }): Promise<DatasetSnapshot>;
  extraRelations: ExtraRelations;
  /** For FIFOs and files of one query; made when missing. */
  tempDir: string;
  settings: QueryingSettings;
}

export interface QueryingSettings {
  sql_timeout_ms: number;
  sql_memory_bytes: number;
  sql_max_rows: number;
  sql_slots: number;
  cache_bytes: number;
}

interface QueryingLoad {
  sql_busy: number;
  sql_queued: number;
  cache_bytes: number;
  cache_entries: number;
  cache_hits: number;
  cache_misses: number;
}

export interface Querying {
  routes(app: App): void;
  /** For charts and profiles: SQL of ours over segments. */
  engine: Engine;
  /** One memory for all answers of this process. */
  cache: AnswerCache;
  /** For endpoints: a user's SQL as a principal. */
  sql: SqlService;
  /** For `/instances`. */
  load(): QueryingLoad;
  close(): Promise<void>;
}

const QUEUE_PER_SLOT = 16;
const QUEUE_MS = 5000;
/** An export that sends nothing for this long is given up. */
const EXPORT_SILENCE_MS = 300_000;

/** Rows and SQL over the lake, ready to be mounted; children are started when `routes` is called. */
export async function openQuerying(options: QueryingOptions): Promise<Querying> {
  const { db, objects, log, snapshot, extraRelations, settings } = options;
  await mkdir(options.tempDir, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(options.tempDir, 'queries-'));
  const engine = createEngine({
    memory_limit: `${Math.floor(settings.sql_memory_bytes / 1e6)}MB`,
    temp_directory: join(directory, 'spill'),
  });
  const cache = createAnswerCache(settings.cache_bytes);
  const sandbox = createSandbox({
    memory_bytes: settings.sql_memory_bytes,
    threads: availableParallelism(),
    timeout_ms: settings.sql_timeout_ms,
    export_timeout_ms: EXPORT_SILENCE_MS,
    slots: settings.sql_slots,
    queue: settings.sql_slots * QUEUE_PER_SLOT,
    queue_ms: QUEUE_MS,
    warm: 1,
    directory,
    onError: (error) => log.error({ err: error }, 'querying: a child did not start'),
  });
  const sql = createSqlService({
    db,
    objects,
    snapshot,
    extraRelations,
    directory,
    sandbox,
    cache,
    max_json_rows: settings.sql_max_rows,
  });
  return {
    routes(app) {
      rowRoutes({ engine, objects, sandbox, snapshot, cache })(app);
      sqlRoutes({ sql })(app);
      sandbox.warmUp();
    },
    engine,
    cache,
    sql,
    load() {
      const { busy, queued } = sandbox.load();
      const { bytes, entries, hits, misses } = cache.stats();
      return {
        sql_busy: busy,
        sql_queued: queued,
        cache_bytes: bytes,
        cache_entries: entries,
        cache_hits: hits,
        cache_misses: misses,
      };
    },
    async close() {
      await sandbox.close();
      await engine.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
