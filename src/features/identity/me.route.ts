import { Type } from 'typebox';
import { fail } from '#kernel/errors.ts';
import { rows, sql } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { accountById } from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import { Id, OPEN, OptionalTime, Role } from './shapes.ts';

const tags = ['accounts'];

/** Who a token, or the caller, is. */
export function whoRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    validate(app, deps);
    me(app, deps);
  };
}

function validate(app: App, { authenticator }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Is this token valid, and for what?',
    body: Type.Object({ token: Type.String({ maxLength: 4096, description: 'A JWT or an API token' }) }),
    response: {
      200: Type.Object({
        valid: Type.Literal(true),
        username: Type.String(),
        workspace_id: Id,
        scopes: Type.Array(Type.String()),
        expires_at: OptionalTime,
      }),
    },
    ...OPEN,
  };
  app.post('/auth/validate', { config: { access: 'public', idempotent: false }, schema }, async (request) => {
    const credential = await authenticator.verify(request.body.token);
    if (!credential) {
      throw fail('invalid_token', 'The token is unknown, expired or revoked.', { members: { valid: false } });
    }
    const { username, workspace_id, scopes } = credential.principal;
    const expires_at = credential.expires_at?.toISOString() ?? null;
    return { valid: true as const, username, workspace_id, scopes: [...scopes], expires_at };
  });
}

const Me = Type.Object({
  id: Id,
  username: Type.String(),
  email: Type.String(),
  kind: Type.Enum(['user', 'token'] as const, { description: 'Signed in, or an API token' }),
  operator: Type.Boolean({ description: 'Administers the installation' }),
  workspace_id: Id,
  role: Role,
  scopes: Type.Array(Type.String()),
  workspaces: Type.Array(Type.Object({ id: Id, name: Type.String(), role: Role })),
});

function me(app: App, { db }: IdentityDeps): void {
  const schema = { tags, summary: 'Who am I?', response: { 200: Me } };
  app.get('/auth/me', { config: { access: 'authenticated' }, schema }, async (request) => {
    const principal = principalOf(request);
    const account = await accountById(db, principal.user_id);
    if (!account) throw fail('invalid_token', 'The account of this token is gone.');
    const own = principal.kind === 'token' ? sql`AND w.id = ${principal.workspace_id}` : sql``;
    const workspaces = await rows(
      db,
      sql<{ id: string; name: string; role: typeof principal.role }>`
        SELECT w.id, w.name, m.role FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
        WHERE m.user_id = ${account.id} ${own} ORDER BY m.created_at, w.id`,
    );
    return {
      id: account.id,
      username: account.username,
      email: account.email,
      kind: principal.kind,
      operator: principal.operator,
      workspace_id: principal.workspace_id,
      role: principal.role,
      scopes: [...principal.scopes],
      workspaces,
    };
  });
}
