import { join } from 'node:path';
import type { BackupDeps } from '#features/backup/backup.ts';
import type { RestoreDeps } from '#features/backup/restore.ts';
import { systemClock } from '#kernel/clock.ts';
import { sql } from '#platform/db/db.ts';
import { readMigrations } from '#platform/db/migrate.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { temporaryDirectory, testDiskStore } from './object-store.ts';

const migrations = await readMigrations(join(import.meta.dirname, '../../migrations'));

/** An installation to back up, or to restore into. */
export interface House {
  database: TestDatabase;
  store: ObjectStore;
  making: BackupDeps;
  restoring: RestoreDeps;
  /** Tasks that were put into the queue, in order. */
  delivered: string[];
}

export async function house(): Promise<House> {
  const database = await testDatabase();
  const store = await testDiskStore(database.db);
  const delivered: string[] = [];
  const { pool } = database;
  return {
    database,
    store,
    delivered,
    making: { pool, objects: store, clock: systemClock, version: '1.2.3' },
    restoring: {
      pool,
      objects: store,
      migrations,
      deliver: async (tx, _kind, id) => {
        await sql`SELECT 1`.execute(tx);
        delivered.push(id);
      },
    },
  };
}

/** A path where nothing is yet. */
export const newDirectory = async (): Promise<string> => join(await temporaryDirectory(), 'backup');
