import { join, resolve } from 'node:path';
import type { Config } from '#config';
import { newId } from '#kernel/ids.ts';
import { openDatabase } from '#platform/db/db.ts';
import { createListener } from '#platform/db/listen.ts';
import type { Scrape } from '#platform/http/metrics.ts';
import type { Logger } from '#platform/observe/log.ts';
import { openTempDir } from '#platform/process/temp-dir.ts';
import { createEnqueue } from '#platform/queue/enqueue.ts';
import { openQueue } from '#platform/queue/queue.ts';
import { openObjects } from './objects.ts';
import type { Platform } from './role.ts';
import type { RoleName } from './table.ts';

export interface PlatformOptions {
  config: Config;
  roles: readonly RoleName[];
  version: string;
  instance?: string;
  log: Logger;
  scrape: Scrape;
}

/** A hundred times what a busy event loop needs between two statements. */
const IDLE_TRANSACTION_MS = 60_000;

export interface OpenPlatform extends Platform {
  close(): Promise<void>;
}

/** Opens what the roles of one process share. PostgreSQL must be there and migrated. */
export async function openPlatform(options: PlatformOptions): Promise<OpenPlatform> {
  const { config, roles, log } = options;
  if (!config.databaseUrl) {
    throw new Error('DATABASE_URL is not set: `caudal serve` needs one; `caudal up` brings its own PostgreSQL.');
  }
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: `caudal-${roles.join('+')}`,
    max: roles.includes('api') ? 20 : 10,
    idleTransactionMs: IDLE_TRANSACTION_MS,
    onError: (error) => log.warn({ err: error }, 'database: connection lost'),
  });
  const queue = await openQueue({
    url: config.databaseUrl,
    log,
    works: roles.includes('worker'),
    supervise: roles.includes('worker'),
  });
  const listener = createListener(config.databaseUrl, log);
  const dataDir = resolve(config.dataDir);
  const temporary = await openTempDir(join(dataDir, 'tmp'));
  const objects = await openObjects(config, dataDir, database);
  return {
    config,
    version: options.version,
    dataDir,
    tempDir: temporary.path,
    instance: options.instance ?? newId(),
    databaseUrl: config.databaseUrl,
    database,
    queue,
    enqueue: createEnqueue(queue, { queued: config.tasksQueued }),
    listener,
    objects,
    internalSecret: config.internalSecret,
    log,
    scrape: options.scrape,
    async close() {
      await listener.close();
      await queue.stop();
      await objects.close();
      await database.close();
      await temporary.remove();
    },
  };
}
