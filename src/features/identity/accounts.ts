import type { Role } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import { type FieldError, fail } from '#kernel/errors.ts';
import { isUuid, newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';
import { OPERATOR } from './names.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface Account {
  id: string;
  username: string;
  email: string;
  password_hash: string;
  operator: boolean;
  token_generation: number;
}

export interface NewAccount {
  username: string;
  email: string;
  password_hash: string;
  operator?: boolean;
}

const TAKEN = { username: 'The username is taken.', email: 'An account with this e-mail exists.' } as const;
type Unique = keyof typeof TAKEN;

function taken(fields: Unique[]) {
  const errors: FieldError[] = fields.map((field) => ({ field, code: 'already_taken', message: TAKEN[field] }));
  return fail('already_taken', errors.map((error) => error.message).join(' '), { errors });
}

/** Asked before the costly hash; the unique indexes decide in the end. @throws already_taken naming every field */
export async function refuseTaken(db: Db, { username, email }: Pick<NewAccount, Unique>): Promise<void> {
  const found = await rows(
    db,
    sql<Record<Unique, boolean>>`
      SELECT lower(username) = lower(${username}) AS username, lower(email) = lower(${email}) AS email
      FROM users WHERE lower(username) = lower(${username}) OR lower(email) = lower(${email})`,
  );
  const fields = (['username', 'email'] as const).filter((field) => found.some((user) => user[field]));
  if (username.toLowerCase() === OPERATOR && !fields.includes('username')) fields.unshift('username');
  if (fields.length > 0) throw taken(fields);
}

/** A user and a workspace of their own. @throws already_taken */
export async function createAccount(tx: Tx, account: NewAccount): Promise<{ id: string; workspace_id: string }> {
  const id = newId();
  try {
    await sql`
      INSERT INTO users (id, username, email, password_hash, operator)
      VALUES (${id}, ${account.username}, ${account.email}, ${account.password_hash}, ${account.operator ?? false})
    `.execute(tx);
  } catch (error) {
    const index = uniqueViolation(error);
    if (index === undefined) throw error;
    throw taken([index === 'users_email_key' ? 'email' : 'username']);
  }
  return { id, workspace_id: await createWorkspace(tx, account.username, id) };
}

/** A workspace with its first owner. @returns its id */
export async function createWorkspace(tx: Tx, name: string, owner: string): Promise<string> {
  const id = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${id}, ${name})`.execute(tx);
  await sql`
    INSERT INTO memberships (workspace_id, user_id, role) VALUES (${id}, ${owner}, 'owner')`.execute(tx);
  return id;
}

const COLUMNS = sql`id, username, email, password_hash, operator, token_generation`;

export function accountByEmail(db: Db, email: string): Promise<Account | undefined> {
  return first(db, sql<Account>`SELECT ${COLUMNS} FROM users WHERE lower(email) = lower(${email})`);
}

export function accountById(db: Db, id: string): Promise<Account | undefined> {
  return first(db, sql<Account>`SELECT ${COLUMNS} FROM users WHERE id = ${id}`);
}

/** The workspace somebody works in when they name none: the one they joined first, usually their own. */
export async function homeWorkspace(db: Db, userId: string): Promise<string | undefined> {
  const found = await first(
    db,
    sql<{ workspace_id: string }>`
      SELECT workspace_id FROM memberships WHERE user_id = ${userId} ORDER BY created_at, workspace_id LIMIT 1`,
  );
  return found?.workspace_id;
}

/**
 * Where a new session works: the workspace asked for, or else home. Who was removed from their last
 * workspace gets a new one, or they could never sign in to accept an invitation.
 * @throws workspace_not_found for one that the user is no member of
 */
export async function workspaceForSession(tx: Tx, account: Account, wanted: string | undefined): Promise<string> {
  if (wanted === undefined) {
    return (await homeWorkspace(tx, account.id)) ?? (await createWorkspace(tx, account.username, account.id));
  }
  if ((await roleIn(tx, wanted, account.id)) === undefined) {
    throw fail('workspace_not_found', 'You are no member of such a workspace.');
  }
  return wanted;
}

/** The user's role in a workspace; undefined when they are no member, or the id is none. */
export async function roleIn(db: Db, workspaceId: string, userId: string): Promise<Role | undefined> {
  if (!isUuid(workspaceId)) return undefined;
  const found = await first(
    db,
    sql<{ role: Role }>`SELECT role FROM memberships WHERE workspace_id = ${workspaceId} AND user_id = ${userId}`,
  );
  return found?.role;
}

export interface Session {
  token: string;
  expires_in: number;
}

/** Opens a session in a workspace of the user's and signs its JWT. */
export async function openSession(
  db: Db,
  keys: SigningKeys,
  clock: Clock,
  account: Pick<Account, 'id' | 'token_generation'>,
  workspaceId: string,
): Promise<Session> {
  const id = newId();
  const { token, expires_in, expires_at } = await keys.sign({
    user_id: account.id,
    session_id: id,
    generation: account.token_generation,
  });
  await sql`
    INSERT INTO sessions (id, user_id, workspace_id, created_at, expires_at)
    VALUES (${id}, ${account.id}, ${workspaceId}, ${clock.now()}, ${expires_at})`.execute(db);
  return { token, expires_in };
}

/** Sets a new password; every earlier JWT of the user is void with it. API tokens stay. @returns the new generation */
export async function setPassword(tx: Tx, userId: string, passwordHash: string): Promise<number> {
  const updated = await first(
    tx,
    sql<{ token_generation: number }>`
      UPDATE users SET password_hash = ${passwordHash}, token_generation = token_generation + 1
      WHERE id = ${userId} RETURNING token_generation`,
  );
  if (!updated) throw new Error(`no user ${userId}`);
  return updated.token_generation;
}
