import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { fail } from '#kernel/errors.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import {
  type Account,
  accountByEmail,
  accountById,
  homeWorkspace,
  openSession,
  type Session,
  workspaceForSession,
} from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import { canonicalEmail } from './names.ts';
import { spendLink } from './one-time-links.ts';
import { fromForeignPage } from './origin.ts';
import { clearSessionCookie, isSecure, setSessionCookie } from './session-cookie.ts';
import { Email, OPEN, SessionAnswer } from './shapes.ts';

const tags = ['accounts'];

/** Signing in, by password or one-time link; changing workspace; signing out. */
export function sessionRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    login(app, deps);
    link(app, deps);
    switchWorkspace(app, deps);
    logout(app, deps);
  };
}

function login(app: App, deps: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Sign in with e-mail and password',
    description: 'Also sets the console’s cookie. 401 `invalid_credentials`; 429 after repeated failures.',
    body: Type.Object({
      email: Email,
      password: Type.String({ maxLength: 1024 }),
      workspace_id: Type.Optional(Type.String({ description: 'Work in this one; default: the one joined first' })),
    }),
    response: { 200: SessionAnswer },
    ...OPEN,
  };
  app.post('/auth/login', { config: { access: 'public', idempotent: false }, schema }, async (request, reply) => {
    const { email, password, workspace_id } = request.body;
    const account = await signIn(deps, request, email, password);
    return begin(deps, request, reply, account, { by: 'password', workspace_id });
  });
}

/** @throws invalid_credentials, rate_limited */
async function signIn(
  { db, passwords, guard }: IdentityDeps,
  request: FastifyRequest,
  typed: string,
  password: string,
): Promise<Account> {
  const email = canonicalEmail(typed);
  const account = email === undefined ? undefined : await accountByEmail(db, email);
  const verified = await guard.signIn(account?.id ?? typed, request.ip, async () => {
    const right = await passwords.verify(account?.password_hash ?? null, password);
    return right && account ? account : null;
  });
  if (verified) return verified;
  await audit(db, {
    workspace_id: account ? ((await homeWorkspace(db, account.id)) ?? null) : null,
    user_id: account?.id ?? null,
    actor: account?.username ?? 'unknown',
    address: request.ip,
    action: 'session.refused',
  });
  throw fail('invalid_credentials', 'No account has this e-mail and password.');
}

interface Beginning {
  by: 'password' | 'link' | 'switch';
  workspace_id?: string | undefined;
}

/** Opens a session, in the log and, unless another site's page asked for it, as the cookie too. */
async function begin(
  { db, keys, clock, publicUrl }: IdentityDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  account: Account,
  { by, workspace_id }: Beginning,
): Promise<Session> {
  const session = await transaction(db, async (tx) => {
    const workspace = await workspaceForSession(tx, account, workspace_id);
    await audit(tx, {
      workspace_id: workspace,
      user_id: account.id,
      actor: account.username,
      address: request.ip,
      action: 'session.opened',
      detail: { by },
    });
    return openSession(tx, keys, clock, account, workspace);
  });
  // A link in a mail is followed from elsewhere by its nature; a form on another site is not.
  if (by === 'link' || !fromForeignPage(request.headers, request.host, publicUrl)) {
    setSessionCookie(reply, session, isSecure(request, publicUrl));
  }
  reply.header('Cache-Control', 'no-store');
  return session;
}

function link(app: App, deps: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Sign in by a one-time link',
    description: 'Sets the console’s cookie and goes to the console. 410 `link_invalid` when used or expired.',
    params: Type.Object({ secret: Type.String({ maxLength: 100 }) }),
    response: { 303: Type.Null() },
    ...OPEN,
  };
  // The path is the secret, so it must reach no trace.
  const config = { access: 'public', untraced: true } as const;
  const options = { config, schema };
  app.get('/auth/link/:secret', { ...options, exposeHeadRoute: false }, async (request, reply) => {
    const userId = await spendLink(deps.db, request.params.secret, 'sign_in', deps.clock);
    const account = await accountById(deps.db, userId);
    if (!account) throw fail('link_invalid', 'The account of this link is gone.');
    await begin(deps, request, reply, account, { by: 'link' });
    return reply.redirect('/', 303);
  });
  // What mail scanners send spends nothing.
  app.head('/auth/link/:secret', { config, schema: { hide: true } }, async (_request, reply) =>
    reply.status(204).send(),
  );
}

function switchWorkspace(app: App, deps: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Work in another workspace of yours',
    description: 'A new token for that workspace; the one that asked stays valid.',
    body: Type.Object({ workspace_id: Type.String() }),
    response: { 200: SessionAnswer },
  };
  app.post(
    '/auth/switch',
    { config: { access: 'authenticated', idempotent: false }, schema },
    async (request, reply) => {
      const principal = principalOf(request);
      const account = principal.kind === 'user' ? await accountById(deps.db, principal.user_id) : undefined;
      if (!account)
        throw fail('forbidden', 'An API token belongs to one workspace; sign in with a password to change.');
      return begin(deps, request, reply, account, { by: 'switch', workspace_id: request.body.workspace_id });
    },
  );
}

function logout(app: App, { db, clock, authenticator }: IdentityDeps): void {
  const schema = { tags, summary: 'Sign out: the token and the cookie end', response: { 204: Type.Null() } };
  app.post(
    '/auth/logout',
    { config: { access: 'authenticated', idempotent: false }, schema },
    async (request, reply) => {
      const principal = principalOf(request);
      if (principal.kind === 'token') {
        throw fail('forbidden', 'An API token is no sign-in.', { hint: 'End it with DELETE /tokens/{id}.' });
      }
      await transaction(db, async (tx) => {
        await sql`UPDATE sessions SET revoked_at = ${clock.now()} WHERE id = ${principal.credential_id}`.execute(tx);
        await audit(tx, { ...actorOf(request), action: 'session.closed' });
      });
      authenticator.forget({ credential_id: principal.credential_id });
      clearSessionCookie(reply);
      return reply.status(204).send(null);
    },
  );
}
