import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, openDatabase } from '#platform/db/db.ts';
import { startPostgres } from '#platform/db/embedded/postgres.ts';
import { createLogger, type Logger } from '#platform/observe/log.ts';
import { acquireLock, lockHolder } from '#roles/supervisor/lock.ts';
import type { Context } from './command.ts';

export interface Offline {
  url: string;
  database: Database;
  log: Logger;
  /** A supervisor is running on the same data directory. */
  running: boolean;
}

/**
 * The database of the settings, for commands that work beside the gateway: DATABASE_URL, the
 * embedded one of a running supervisor, or the embedded one started for as long as `work` lasts.
 */
export async function withDatabase<T>(context: Context, work: (offline: Offline) => Promise<T>): Promise<T> {
  const config = context.config();
  const log = createLogger({
    level: config.logLevel === 'info' ? 'warn' : config.logLevel,
    service: 'caudal-cli',
    instance: String(process.pid),
    destination: { write: (line) => context.terminal.note(line.trimEnd()) },
  });
  const running = (await lockHolder(config.dataDir)) !== undefined;
  if (config.databaseUrl) return using(config.databaseUrl, log, running, work);
  const dir = join(config.dataDir, 'postgres');
  if (running) return using(await runningUrl(dir), log, running, work);
  const { mkdir } = await import('node:fs/promises');
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  const lock = await acquireLock(config.dataDir, `caudal ${context.args[0] ?? ''}`.trim());
  try {
    const server = await startPostgres({ dir, log, logFile: join(config.dataDir, 'logs', 'postgres.log') });
    try {
      return await using(server.url, log, running, work);
    } finally {
      await server.stop();
    }
  } finally {
    await lock.release();
  }
}

async function runningUrl(dir: string): Promise<string> {
  const [port, password] = await Promise.all(['port', 'password'].map((name) => readFile(join(dir, name), 'utf8')));
  return `postgres://caudal:${password?.trim()}@127.0.0.1:${port?.trim()}/caudal`;
}

async function using<T>(
  url: string,
  log: Logger,
  running: boolean,
  work: (offline: Offline) => Promise<T>,
): Promise<T> {
  const onError = (error: Error) => log.warn({ err: error }, 'database: connection lost');
  const database = openDatabase({ url, applicationName: 'caudal-cli', max: 4, onError });
  try {
    return await work({ url, database, log, running });
  } finally {
    await database.close();
  }
}
