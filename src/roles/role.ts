import type { Config } from '#config';
import type { Database } from '#platform/db/db.ts';
import type { Listener } from '#platform/db/listen.ts';
import type { Scrape } from '#platform/http/metrics.ts';
import type { DiskStore } from '#platform/objects/disk-store.ts';
import type { Logger } from '#platform/observe/log.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import type { Queue } from '#platform/queue/queue.ts';

/** The outside world as one process sees it, opened once and handed to its roles. */
export interface Platform {
  config: Config;
  version: string;
  /** Absolute; the directory that survives restarts. */
  dataDir: string;
  /** For what is being written; emptied at will while nothing runs. On the object store's file system: files are moved, not copied. */
  tempDir: string;
  instance: string;
  databaseUrl: string;
  database: Database;
  queue: Queue;
  enqueue: Enqueue;
  listener: Listener;
  objects: DiskStore;
  /** Lets the processes of one installation recognise each other. */
  internalSecret: string;
  log: Logger;
  /** What this process measured, as Prometheus text. */
  scrape: Scrape;
}

/** A running role. Phases of a shutdown: `drain` stops taking work, `stop` ends what is left. */
export interface Role {
  name: string;
  /** Where other processes reach it, `host:port`; null when it listens nowhere. */
  address: string | null;
  load(): Record<string, unknown>;
  /** Takes no more work and resolves when what runs has ended: the pool shrinks without interrupting anybody. */
  retire?(): Promise<void>;
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export type RoleStart = (platform: Platform) => Promise<Role>;
