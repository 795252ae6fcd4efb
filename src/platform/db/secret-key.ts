import { randomBytes } from 'node:crypto';
import { type Db, first, sql } from './db.ts';

/** A key of the installation's own, in `settings`: made when it is first asked for, the same for every instance after. */
export async function loadSecretKey(db: Db, setting: string): Promise<Buffer> {
  const fresh = JSON.stringify(randomBytes(32).toString('base64url'));
  await sql`INSERT INTO settings (key, value) VALUES (${setting}, ${fresh}::jsonb)
            ON CONFLICT (key) DO NOTHING`.execute(db);
  const row = await first<{ value: unknown }>(db, sql`SELECT value FROM settings WHERE key = ${setting}`);
  if (typeof row?.value !== 'string') throw new Error(`setting ${setting} is not a key`);
  return Buffer.from(row.value, 'base64url');
}
