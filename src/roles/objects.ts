import { join } from 'node:path';
import type { Config } from '#config';
import type { Database } from '#platform/db/db.ts';
import { loadSecretKey } from '#platform/db/secret-key.ts';
import { type DiskStore, openDiskStore } from '#platform/objects/disk-store.ts';
import { postgresPartLedger } from '#platform/objects/part-ledger.ts';

/** The object store that the settings name. */
export async function openObjects(config: Config, dataDir: string, database: Database): Promise<DiskStore> {
  return openDiskStore({
    root: join(dataDir, 'objects'),
    signingKey: await loadSecretKey(database.db, 'objects.signing_key'),
    ledger: postgresPartLedger(database.db, { lifetimeMs: config.uploadRetention }),
    diskFloor: config.diskFloor,
  });
}
