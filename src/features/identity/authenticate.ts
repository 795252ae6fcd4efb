import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { allows, type Principal, ROLE_SCOPES, type Role, type Scope } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import { type Credential, type CredentialCache, createCredentialCache } from './credential-cache.ts';
import { fromOurPage, isSafe } from './origin.ts';
import { hashSecret, isApiToken } from './secrets.ts';
import { readSessionCookie } from './session-cookie.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface Authenticator {
  /**
   * The caller of a request, from `Authorization: Bearer` or else the console's cookie; null without
   * either. On public routes a credential that does not hold counts as none.
   * @throws invalid_token for a bearer that does not hold; csrf for a cookie sent by another site's page
   */
  authenticate(request: FastifyRequest): Promise<Principal | null> | Principal | null;
  /** A JWT or an API token; null when it does not hold. */
  verify(token: string): Promise<Credential | null>;
  forget: CredentialCache['forget'];
}

interface AuthenticatorDeps {
  db: Db;
  keys: SigningKeys;
  clock: Clock;
  publicUrl: string;
}

const BEARER = /^bearer(?: +|$)(.*)$/i;

/**
 * Hot path: one sha-256 of the token and a look into a map; the database is asked once per token and
 * five seconds (see credential-cache.ts).
 */
export function createAuthenticator({ db, keys, clock, publicUrl }: AuthenticatorDeps): Authenticator {
  const cache = createCredentialCache(clock);

  const look = (token: string, key: string): Promise<Credential | null> =>
    cache.get(key, () => (isApiToken(token) ? readToken(db, token, clock) : readSession(db, keys, token, clock)));
  const verify = (token: string): Promise<Credential | null> => look(token, keyOf(token));

  const byBearer = async (token: string, key: string, open: boolean): Promise<Principal | null> => {
    const credential = await look(token, key);
    if (credential || open) return credential?.principal ?? null;
    throw fail('invalid_token', 'The token is unknown, expired or revoked.', {
      hint: 'Sign in again (POST /auth/login), or make a new API token.',
    });
  };

  const byCookie = async (cookie: string, request: FastifyRequest, open: boolean): Promise<Principal | null> => {
    const credential = await verify(cookie);
    if (!credential) return null;
    if (isSafe(request.method) || fromOurPage(request.headers, request.host, publicUrl)) return credential.principal;
    if (open) return null;
    throw fail('csrf', 'A change with the session cookie must come from a page of Caudal itself.', {
      hint: 'Programs send Authorization: Bearer <token> instead of the cookie.',
    });
  };

  return {
    verify,
    forget: cache.forget,
    authenticate(request) {
      const { access } = request.routeOptions.config;
      const open = access === 'public' || access === 'signed';
      const token = BEARER.exec(request.headers.authorization ?? '')?.[1]?.trim();
      if (token !== undefined) {
        const key = keyOf(token);
        return cache.peek(key)?.principal ?? byBearer(token, key, open);
      }
      const cookie = readSessionCookie(request.headers.cookie);
      return cookie === undefined ? null : byCookie(cookie, request, open);
    },
  };
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}

interface Holder {
  id: string;
  user_id: string;
  workspace_id: string;
  username: string;
  operator: boolean;
  role: Role;
}

async function readSession(db: Db, keys: SigningKeys, token: string, clock: Clock): Promise<Credential | null> {
  const claims = await keys.verify(token);
  if (!claims) return null;
  const holder = await first(
    db,
    sql<Holder>`
      SELECT s.id, s.user_id, s.workspace_id, u.username, u.operator, m.role
      FROM sessions s
      JOIN users u ON u.id = s.user_id
      JOIN memberships m ON m.user_id = s.user_id AND m.workspace_id = s.workspace_id
      WHERE s.id = ${claims.session_id} AND s.user_id = ${claims.user_id} AND s.revoked_at IS NULL
        AND s.expires_at > ${clock.now()} AND u.token_generation = ${claims.generation}`,
  );
  if (!holder) return null;
  return { principal: principal('user', holder, ROLE_SCOPES[holder.role]), expires_at: claims.expires_at };
}

interface TokenHolder extends Holder {
  scopes: string[];
  expires_at: Date | null;
  stale: boolean;
}

/** Found by the hash of 256 random bits: an index look-up tells an attacker nothing about the secret. */
async function readToken(db: Db, token: string, clock: Clock): Promise<Credential | null> {
  const now = clock.now();
  const holder = await first(
    db,
    sql<TokenHolder>`
      SELECT t.id, t.user_id, t.workspace_id, u.username, u.operator, m.role, t.scopes, t.expires_at,
             coalesce(t.last_used_at < ${now}::timestamptz - interval '1 minute', true) AS stale
      FROM api_tokens t
      JOIN users u ON u.id = t.user_id
      JOIN memberships m ON m.user_id = t.user_id AND m.workspace_id = t.workspace_id
      WHERE t.secret_hash = ${hashSecret(token)} AND t.revoked_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > ${now})`,
  );
  if (!holder) return null;
  if (holder.stale) {
    await sql`UPDATE api_tokens SET last_used_at = ${now} WHERE id = ${holder.id}`.execute(db);
  }
  return {
    principal: principal('token', holder, withinRole(holder.scopes, holder.role)),
    expires_at: holder.expires_at,
  };
}

/** A token never does more than its user's role allows now: a demotion reaches the tokens too. */
export function withinRole(scopes: readonly string[], role: Role): string[] {
  return scopes.filter((scope) => {
    const [noun, verb] = scope.split(':');
    return allows(ROLE_SCOPES[role], (verb === undefined ? noun : `${noun}:${verb}`) as Scope);
  });
}

function principal(kind: Principal['kind'], holder: Holder, scopes: readonly string[]): Principal {
  return {
    kind,
    user_id: holder.user_id,
    username: holder.username,
    workspace_id: holder.workspace_id,
    role: holder.role,
    scopes,
    operator: holder.operator,
    credential_id: holder.id,
  };
}
