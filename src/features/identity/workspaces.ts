import { allows, type Principal, ROLE_SCOPES, type Role } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, rows, sql, type Tx } from '#platform/db/db.ts';
import { roleIn } from './accounts.ts';

export interface Workspace {
  id: string;
  name: string;
  role: Role;
  /** Whether the first event of a name makes its topic and dataset. */
  auto_topics: boolean;
  created_at: Date;
}

export interface Member {
  user_id: string;
  username: string;
  email: string;
  role: Role;
  joined_at: Date;
}

/**
 * The caller's role in a workspace that may be another than the token's: who signed in with a password
 * reaches all of theirs, an API token only its own.
 * @throws workspace_not_found, also for those of others; forbidden when an owner is needed
 */
export async function enterWorkspace(db: Db, principal: Principal, id: string, need: 'any' | 'owner'): Promise<Role> {
  const outside = principal.kind === 'token' && principal.workspace_id !== id;
  const role = outside ? undefined : await roleIn(db, id, principal.user_id);
  if (!role) throw fail('workspace_not_found', 'There is no such workspace, or you are no member of it.');
  const scopes = principal.kind === 'token' ? principal.scopes : ROLE_SCOPES[role];
  if (need === 'owner' && !allows(scopes, 'admin')) {
    throw fail('forbidden', 'Only an owner of the workspace may do this.');
  }
  return role;
}

/** The caller's workspaces, newest first, at most `limit` + 1 below `before`. */
export function listWorkspaces(
  db: Db,
  principal: Principal,
  before: string | null,
  limit: number,
): Promise<Workspace[]> {
  const own = principal.kind === 'token' ? sql`AND w.id = ${principal.workspace_id}` : sql``;
  return rows(
    db,
    sql<Workspace>`
      SELECT w.id, w.name, m.role, w.auto_topics, w.created_at FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
      WHERE m.user_id = ${principal.user_id} ${own} AND (${before}::uuid IS NULL OR w.id < ${before})
      ORDER BY w.id DESC LIMIT ${limit + 1}`,
  );
}

export async function readWorkspace(db: Db, id: string, role: Role): Promise<Workspace> {
  const found = await first(
    db,
    sql<Omit<Workspace, 'role'>>`SELECT id, name, auto_topics, created_at FROM workspaces WHERE id = ${id}`,
  );
  if (!found) throw fail('workspace_not_found', 'There is no such workspace.');
  return { ...found, role };
}

/** By user id, newest account first, at most `limit` + 1 below `before`. */
export function listMembers(db: Db, workspaceId: string, before: string | null, limit: number): Promise<Member[]> {
  return rows(
    db,
    sql<Member>`
      SELECT u.id AS user_id, u.username, u.email, m.role, m.created_at AS joined_at
      FROM memberships m JOIN users u ON u.id = m.user_id
      WHERE m.workspace_id = ${workspaceId} AND (${before}::uuid IS NULL OR u.id < ${before})
      ORDER BY u.id DESC LIMIT ${limit + 1}`,
  );
}

/** @returns the role before @throws member_not_found, last_owner */
export async function changeRole(tx: Tx, workspaceId: string, userId: string, role: Role): Promise<Role> {
  const before = await lockMember(tx, workspaceId, userId);
  if (before === 'owner' && role !== 'owner') await refuseLastOwner(tx, workspaceId);
  await sql`
    UPDATE memberships SET role = ${role} WHERE workspace_id = ${workspaceId} AND user_id = ${userId}`.execute(tx);
  return before;
}

/**
 * Ends a membership with all that hangs on it: sessions and tokens for that workspace, so that being
 * invited again later revives none of them. @throws member_not_found, last_owner
 */
export async function removeMember(tx: Tx, workspaceId: string, userId: string, now: Date): Promise<void> {
  const role = await lockMember(tx, workspaceId, userId);
  if (role === 'owner') await refuseLastOwner(tx, workspaceId);
  for (const table of ['sessions', 'api_tokens']) {
    await sql`
      UPDATE ${sql.table(table)} SET revoked_at = ${now}
      WHERE workspace_id = ${workspaceId} AND user_id = ${userId} AND revoked_at IS NULL`.execute(tx);
  }
  await sql`DELETE FROM memberships WHERE workspace_id = ${workspaceId} AND user_id = ${userId}`.execute(tx);
}

/** Locks the workspace, so that two owners who leave at once cannot both find the other one still there. */
async function lockMember(tx: Tx, workspaceId: string, userId: string): Promise<Role> {
  await sql`SELECT 1 FROM workspaces WHERE id = ${workspaceId} FOR UPDATE`.execute(tx);
  const role = await roleIn(tx, workspaceId, userId);
  if (!role) throw fail('member_not_found', 'There is no such member.');
  return role;
}

async function refuseLastOwner(tx: Tx, workspaceId: string): Promise<void> {
  const owners = await first(
    tx,
    sql<{ count: number }>`
      SELECT count(*) AS count FROM memberships WHERE workspace_id = ${workspaceId} AND role = 'owner'`,
  );
  if ((owners?.count ?? 0) > 1) return;
  throw fail('last_owner', 'This is the only owner left.', { hint: 'Make somebody else an owner first.' });
}
