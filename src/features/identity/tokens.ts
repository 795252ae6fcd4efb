import { allows, isScope, type Principal, type Scope } from '#contract/principal.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import { hashSecret, newApiToken } from './secrets.ts';

export interface TokenRow {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  user_id: string;
  username: string;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
}

export interface NewToken {
  workspace_id: string;
  user_id: string;
  name: string;
  scopes: string[];
  expires_at: Date | null;
}

/** Scopes without repeats. @throws invalid_input naming the first that is none */
export function checkScopes(scopes: readonly string[]): string[] {
  const index = scopes.findIndex((scope) => !isScope(scope));
  if (index >= 0) {
    throw invalid(`scopes.${index}`, `"${scopes[index]?.slice(0, 100)}" is not a scope.`, 'unknown_scope');
  }
  return [...new Set(scopes)].sort();
}

/**
 * Nobody gives away more than they have; and a token makes tokens only if it is an administrator's, or
 * a leaked one could outlive its own expiry. @throws forbidden
 */
export function refuseEscalation(principal: Principal, scopes: readonly string[]): void {
  if (principal.kind === 'token' && !principal.scopes.includes('admin')) {
    throw fail('forbidden', 'Only a token with the scope admin may make tokens; or sign in with a password.');
  }
  const beyond = scopes.filter((scope) => {
    const [noun, verb, ...name] = scope.split(':');
    const base = (verb === undefined ? noun : `${noun}:${verb}`) as Scope;
    return !allows(principal.scopes, base, name.length > 0 ? name.join(':') : undefined);
  });
  if (beyond.length > 0) throw fail('forbidden', `You cannot give what you do not have: ${beyond.join(', ')}.`);
}

/** @returns the secret, which is stored nowhere */
export async function insertToken(
  db: Db,
  token: NewToken,
  now: Date,
): Promise<{ id: string; secret: string; prefix: string }> {
  const id = newId();
  const { secret, prefix } = newApiToken();
  await sql`
    INSERT INTO api_tokens (id, workspace_id, user_id, name, secret_hash, prefix, scopes, created_at, expires_at)
    VALUES (${id}, ${token.workspace_id}, ${token.user_id}, ${token.name}, ${hashSecret(secret)}, ${prefix},
            ${token.scopes}, ${now}, ${token.expires_at})`.execute(db);
  return { id, secret, prefix };
}

/** Whose tokens the caller may see and revoke: an administrator everybody's in the workspace, others their own. */
function reach(principal: Principal) {
  return allows(principal.scopes, 'admin')
    ? sql`t.workspace_id = ${principal.workspace_id}`
    : sql`t.workspace_id = ${principal.workspace_id} AND t.user_id = ${principal.user_id}`;
}

/** At most `limit` + 1 rows below `before`, newest first; revoked ones are gone. */
export function listTokens(db: Db, principal: Principal, before: string | null, limit: number): Promise<TokenRow[]> {
  return rows(
    db,
    sql<TokenRow>`
      SELECT t.id, t.name, t.prefix, t.scopes, t.user_id, u.username, t.created_at, t.expires_at, t.last_used_at
      FROM api_tokens t JOIN users u ON u.id = t.user_id
      WHERE ${reach(principal)} AND t.revoked_at IS NULL AND (${before}::uuid IS NULL OR t.id < ${before})
      ORDER BY t.id DESC LIMIT ${limit + 1}`,
  );
}

/** @returns the token's name @throws token_not_found, also for a token of somebody else's */
export async function revokeToken(db: Db, principal: Principal, id: string, now: Date): Promise<string> {
  const revoked = await first(
    db,
    sql<{ name: string }>`
      UPDATE api_tokens t SET revoked_at = ${now}
      WHERE t.id = ${id} AND ${reach(principal)} AND t.revoked_at IS NULL RETURNING t.name`,
  );
  if (!revoked) throw fail('token_not_found', 'There is no such token, or it is revoked already.');
  return revoked.name;
}
