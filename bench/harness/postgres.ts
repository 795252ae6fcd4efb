import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { openDatabase } from '../../src/platform/db/db.ts';
import { startPostgres } from '../../src/platform/db/embedded/postgres.ts';
import { migrate, readMigrations } from '../../src/platform/db/migrate.ts';

/** A migrated PostgreSQL in a private directory, for what is measured without an installation; both go afterwards. */
export async function withPostgres<T>(stem: string, work: (url: string, directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), `caudal-bench-${stem}-`));
  chmodSync(directory, 0o711);
  const postgres = await startPostgres({ dir: join(directory, 'postgres'), log: pino({ level: 'silent' }) });
  try {
    const { pool, close } = openDatabase({ url: postgres.url, applicationName: 'bench', onError: () => undefined });
    await migrate(pool, await readMigrations(join(import.meta.dirname, '../../migrations')));
    await close();
    return await work(postgres.url, directory);
  } finally {
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
