import { Type } from 'typebox';
import { fail, invalid } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import type { IdentityDeps } from './deps.ts';
import { checkTitle } from './names.ts';
import { Id, OptionalTime, Scopes, Time } from './shapes.ts';
import { checkScopes, insertToken, listTokens, refuseEscalation, revokeToken, type TokenRow } from './tokens.ts';

const tags = ['tokens'];
const TEN_YEARS = 315_360_000;

const Token = Type.Object({
  id: Id,
  name: Type.String(),
  prefix: Type.String({ description: 'How the secret begins, to recognise it by' }),
  scopes: Type.Array(Type.String()),
  user_id: Id,
  username: Type.String(),
  created_at: Time,
  expires_at: OptionalTime,
  last_used_at: Type.Union([Time, Type.Null()], { description: 'To the minute' }),
});

export function tokenRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    create(app, deps);
    list(app, deps);
    revoke(app, deps);
  };
}

function create(app: App, { db, clock }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Make an API token; its secret is shown this once',
    description: 'A repeat with the same Idempotency-Key is 409 `secret_already_shown`.',
    body: Type.Object({
      name: Type.String({ maxLength: 1000 }),
      scopes: Scopes,
      expires_in: Type.Optional(
        Type.Integer({ minimum: 1, maximum: TEN_YEARS, description: 'Seconds; absent: until it is revoked' }),
      ),
    }),
    response: {
      201: Type.Object({
        id: Id,
        token: Type.String({ description: 'cdl_…; kept nowhere, so keep it now' }),
        name: Type.String(),
        prefix: Type.String(),
        scopes: Type.Array(Type.String()),
        created_at: Time,
        expires_at: OptionalTime,
      }),
    },
  };
  const config = { access: 'authenticated', idempotent: 'secret' } as const;
  app.post('/tokens', { config, schema }, async (request, reply) => {
    const principal = principalOf(request);
    const name = checkTitle(request.body.name);
    if ('error' in name) throw invalid(name.error.field, name.error.message, name.error.code);
    const scopes = checkScopes(request.body.scopes);
    refuseEscalation(principal, scopes);
    const { workspace_id, user_id } = principal;
    const now = clock.now();
    const seconds = request.body.expires_in;
    const expires_at = seconds === undefined ? null : new Date(now.getTime() + seconds * 1000);
    const made = await transaction(db, async (tx) => {
      const token = await insertToken(tx, { workspace_id, user_id, name: name.value, scopes, expires_at }, now);
      const detail = { name: name.value, scopes, expires_at };
      await audit(tx, { ...actorOf(request), action: 'token.created', target: token.id, detail });
      return token;
    });
    return reply
      .status(201)
      .header('Location', `/tokens/${made.id}`)
      .header('Cache-Control', 'no-store')
      .send({
        id: made.id,
        token: made.secret,
        name: name.value,
        prefix: made.prefix,
        scopes,
        created_at: now.toISOString(),
        expires_at: expires_at?.toISOString() ?? null,
      });
  });
}

function list(app: App, { db }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Tokens: one’s own; for an administrator those of the workspace',
    querystring: Type.Object(PageQuery),
    response: { 200: PageOf(Token) },
  };
  app.get('/tokens', { config: { access: 'authenticated' }, schema }, async (request) => {
    const { limit = 50, cursor } = request.query;
    return pageOf(await listTokens(db, principalOf(request), cursorId(cursor), limit), limit, toToken);
  });
}

function toToken(row: TokenRow) {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}

function revoke(app: App, { db, clock, authenticator }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Revoke a token',
    description: 'It ends at once on the instance that answers and within five seconds on all others.',
    params: Type.Object({ id: Type.String() }),
    response: { 204: Type.Null() },
  };
  app.delete('/tokens/:id', { config: { access: 'authenticated' }, schema }, async (request, reply) => {
    const { id } = request.params;
    if (!isUuid(id)) throw fail('token_not_found', 'There is no such token.');
    await transaction(db, async (tx) => {
      const name = await revokeToken(tx, principalOf(request), id, clock.now());
      await audit(tx, { ...actorOf(request), action: 'token.revoked', target: id, detail: { name } });
    });
    authenticator.forget({ credential_id: id });
    return reply.status(204).send(null);
  });
}
