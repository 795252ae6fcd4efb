import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import pg from 'pg';
import { type Database, openDatabase } from '#platform/db/db.ts';
import { migrate, readMigrations } from '#platform/db/migrate.ts';

/** The PostgreSQL that the test runner started; a test that needs it skips without. */
export const ADMIN_URL = process.env['CAUDAL_TEST_DATABASE_URL'];
export const needsDatabase = ADMIN_URL ? false : 'no PostgreSQL: run it through `make test`';

const MIGRATIONS = new URL('../../migrations', import.meta.url).pathname;

async function admin<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: ADMIN_URL });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(name: string): string {
  const url = new URL(ADMIN_URL as string);
  url.pathname = `/${name}`;
  return url.href;
}

/** A migrated template, made once per schema and cloned for each test (a clone takes ~50 ms). */
async function template(): Promise<string> {
  const migrations = await readMigrations(MIGRATIONS);
  const { createHash } = await import('node:crypto');
  const digest = createHash('sha256')
    .update(migrations.map((m) => m.sql).join('\n'))
    .digest('hex')
    .slice(0, 12);
  const name = `caudal_template_${digest}`;
  await admin(async (client) => {
    await client.query('SELECT pg_advisory_lock(42)');
    const found = await client.query('SELECT datistemplate FROM pg_database WHERE datname = $1', [name]);
    if (found.rows[0]?.datistemplate) return;
    await client.query(`DROP DATABASE IF EXISTS ${name}`);
    await client.query(`CREATE DATABASE ${name}`);
    const pool = new pg.Pool({ connectionString: urlOf(name), max: 1 });
    await migrate(pool, migrations);
    await pool.end();
    await client.query(`ALTER DATABASE ${name} WITH is_template true`);
  });
  return name;
}

export interface TestDatabase extends Database {
  url: string;
}

/** A database of the caller's own, dropped when the test file ends. */
export async function testDatabase(): Promise<TestDatabase> {
  const source = await template();
  const name = `caudal_test_${randomBytes(6).toString('hex')}`;
  await admin((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`));
  const database = openDatabase({ url: urlOf(name), applicationName: 'test', onError: () => undefined });
  after(async () => {
    await database.close();
    await admin((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  });
  return { ...database, url: urlOf(name) };
}
