import type { FastifyRequest } from 'fastify';
import type pg from 'pg';
import type { SendMail } from '#contract/mail.ts';
import type { Principal } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import { type Db, sql } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { auditRoute } from './audit.route.ts';
import { createAuthenticator } from './authenticate.ts';
import type { IdentityDeps } from './deps.ts';
import { invitationRoutes } from './invitations.route.ts';
import { whoRoutes } from './me.route.ts';
import { memberRoutes } from './members.route.ts';
import { passwordRoutes } from './password.route.ts';
import { createPasswordHasher } from './passwords.ts';
import { createIdentityGuard, DEFAULT_LIMITS, type IdentityLimits } from './rate-limits.ts';
import { sessionRoutes } from './sessions.route.ts';
import { signUpRoute } from './sign-up.route.ts';
import { openSigningKeys } from './signing-keys.ts';
import { tokenRoutes } from './tokens.route.ts';
import { workspaceRoutes } from './workspaces.route.ts';

export interface IdentityOptions {
  db: Db;
  pool: pg.Pool;
  clock: Clock;
  /** Where people reach the gateway: for links in mails, and as an origin of ours. */
  publicUrl: string;
  sendMail?: SendMail | undefined;
  limits?: Partial<IdentityLimits>;
}

export interface Identity {
  /** For the HTTP platform. @throws invalid_token, csrf */
  authenticate(request: FastifyRequest): Promise<Principal | null> | Principal | null;
  /** All calls of this room. */
  routes(app: App): void;
}

/** Opens the room: makes or reads the signing keys, then everything its routes need. */
export async function openIdentity({ db, pool, clock, publicUrl, ...options }: IdentityOptions): Promise<Identity> {
  const keys = await openSigningKeys(db, clock);
  const authenticator = createAuthenticator({ db, keys, clock, publicUrl });
  const deps: IdentityDeps = {
    db,
    clock,
    publicUrl,
    keys,
    authenticator,
    passwords: await createPasswordHasher(),
    guard: createIdentityGuard(pool, { ...DEFAULT_LIMITS, ...options.limits }),
    sendMail: options.sendMail,
  };
  return { authenticate: authenticator.authenticate, routes: identityRoutes(deps) };
}

export function identityRoutes(deps: IdentityDeps) {
  const parts = [
    signUpRoute,
    sessionRoutes,
    whoRoutes,
    passwordRoutes,
    tokenRoutes,
    workspaceRoutes,
    memberRoutes,
    invitationRoutes,
    auditRoute,
  ].map((part) => part(deps));
  return (app: App): void => {
    for (const part of parts) part(app);
  };
}

/** Clears what has expired; for whichever process holds the sweeper's lock, hourly or so. */
export async function sweepIdentity(db: Db, clock: Clock): Promise<void> {
  const now = clock.now();
  const dayAgo = new Date(now.getTime() - 86_400_000);
  await sql`DELETE FROM sessions WHERE expires_at < ${dayAgo}`.execute(db);
  await sql`DELETE FROM sign_in_links WHERE expires_at < ${dayAgo}`.execute(db);
  await sql`DELETE FROM rate_limits WHERE expire < ${now.getTime()}`.execute(db);
}
