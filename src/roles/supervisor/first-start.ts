import { randomBytes } from 'node:crypto';
import { setPassword } from '#features/identity/accounts.ts';
import { createSignInLink } from '#features/identity/one-time-links.ts';
import { createOperator, operatorId } from '#features/identity/operator.ts';
import { createPasswordHasher } from '#features/identity/passwords.ts';
import { insertToken } from '#features/identity/tokens.ts';
import type { Clock } from '#kernel/clock.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import { type AdminFile, readAdminFile, writeAdminFile } from './admin-file.ts';

export interface FirstStart {
  /** True when the installation was made just now. */
  fresh: boolean;
  /** Absent where another machine made the installation. */
  admin?: AdminFile;
  /** Opens the console signed in, once. */
  signInLink?: string;
}

export interface FirstStartOptions {
  db: Db;
  clock: Clock;
  dataDir: string;
  url: string;
  /** The database is this data directory's own, so its operator's secrets belong in it too. */
  own: boolean;
}

/**
 * Sees to it that there is an administrator and that `admin.json` opens the door. Where the file
 * is missing although the operator exists (a crash between the two, or somebody removed it), the
 * operator gets a new password and a new token.
 */
export async function firstStart({ db, clock, dataDir, url, own }: FirstStartOptions): Promise<FirstStart> {
  const made = await createOperator(db, clock);
  const kept = await readAdminFile(dataDir);
  if (made) {
    const { username, email, password, token } = made;
    const admin = { url, username, email, password, token };
    await writeAdminFile(dataDir, admin);
    return { fresh: true, admin, signInLink: await link(db, clock, made.user_id, url) };
  }
  if (kept) {
    if (kept.url !== url) await writeAdminFile(dataDir, { ...kept, url });
    return { fresh: false, admin: { ...kept, url } };
  }
  const user = own ? await operatorId(db) : undefined;
  if (!user) return { fresh: false };
  const admin = await renewed(db, clock, user, url);
  await writeAdminFile(dataDir, admin);
  return { fresh: false, admin, signInLink: await link(db, clock, user, url) };
}

async function link(db: Db, clock: Clock, user: string, url: string): Promise<string> {
  return `${url}${(await createSignInLink(db, user, clock)).path}`;
}

async function renewed(db: Db, clock: Clock, user: string, url: string): Promise<AdminFile> {
  const account = await first(
    db,
    sql<{ username: string; email: string; workspace_id: string }>`
      SELECT u.username, u.email, m.workspace_id FROM users u JOIN memberships m ON m.user_id = u.id
      WHERE u.id = ${user} ORDER BY m.created_at LIMIT 1`,
  );
  if (!account) throw new Error('The operator belongs to no workspace; restore a backup.');
  const { username, email, workspace_id } = account;
  const password = `${randomBytes(18).toString('base64url')}aA1`;
  const hash = await (await createPasswordHasher()).hash(password);
  const token = { workspace_id, user_id: user, name: 'admin.json', scopes: ['admin'], expires_at: null };
  const { secret } = await transaction(db, async (tx) => {
    await setPassword(tx, user, hash);
    return insertToken(tx, token, clock.now());
  });
  return { url, username, email, password, token: secret };
}
