import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** A file `NNNN-name.sql`; an optional first line `-- min_program_version: N` marks a contraction. */
export interface Migration {
  number: number;
  name: string;
  sql: string;
  min_program_version: number;
}

const FILE = /^(\d{4})-([a-z0-9-]+)\.sql$/;
const LOCK = 7_306_254_101;

export async function readMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => FILE.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(directory, file), 'utf8');
      const [, number, name] = FILE.exec(file) as unknown as [string, string, string];
      const minimum = /^-- min_program_version: (\d+)/m.exec(text);
      return { number: Number(number), name, sql: text, min_program_version: minimum ? Number(minimum[1]) : 1 };
    }),
  );
}

export class SchemaTooNew extends Error {
  constructor(needed: number, ours: number) {
    super(
      `The database was migrated by a newer Caudal: it needs a program of schema ${needed} or later, this one knows ${ours}. Start the newer program, or restore a backup.`,
    );
    this.name = 'SchemaTooNew';
  }
}

/**
 * Applies what is missing, each migration in a transaction of its own, one process at a time
 * (advisory lock). Refuses a schema whose `min_program_version` is above the newest migration
 * this program has: expand first, contract later, so neighbouring versions run side by side.
 *
 * @returns the numbers applied.
 */
export async function migrate(pool: pg.Pool, migrations: Migration[]): Promise<number[]> {
  const client = await pool.connect();
  try {
    await client.query("SET lock_timeout = '30s'");
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         number integer PRIMARY KEY, name text NOT NULL, min_program_version integer NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const done = await client.query<{ number: number; min_program_version: number }>(
      'SELECT number, min_program_version FROM schema_migrations',
    );
    const ours = Math.max(0, ...migrations.map((migration) => migration.number));
    const needed = Math.max(0, ...done.rows.map((row) => row.min_program_version));
    if (needed > ours) throw new SchemaTooNew(needed, ours);
    const have = new Set(done.rows.map((row) => row.number));
    const applied: number[] = [];
    for (const migration of migrations) {
      if (have.has(migration.number)) continue;
      await apply(client, migration);
      applied.push(migration.number);
    }
    return applied;
  } finally {
    await client.query('SELECT pg_advisory_unlock_all()').catch(() => undefined);
    client.release();
  }
}

async function apply(client: pg.PoolClient, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (number, name, min_program_version) VALUES ($1, $2, $3)', [
      migration.number,
      migration.name,
      migration.min_program_version,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new Error(`migration ${migration.number}-${migration.name} failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
