import { Type } from 'typebox';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import type { IdentityDeps } from './deps.ts';
import { Id, Role, Time } from './shapes.ts';
import { changeRole, enterWorkspace, listMembers, removeMember } from './workspaces.ts';

const tags = ['workspaces'];
const access = 'authenticated' as const;

const Member = Type.Object({
  user_id: Id,
  username: Type.String(),
  email: Type.String(),
  role: Role,
  joined_at: Time,
});
const Params = Type.Object({ id: Type.String(), user_id: Type.String() });

export function memberRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    list(app, deps);
    change(app, deps);
    remove(app, deps);
  };
}

function list(app: App, { db }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Members of a workspace',
    params: Type.Object({ id: Type.String() }),
    querystring: Type.Object(PageQuery),
    response: { 200: PageOf(Member) },
  };
  app.get('/workspaces/:id/members', { config: { access }, schema }, async (request) => {
    const { id } = request.params;
    await enterWorkspace(db, principalOf(request), id, 'any');
    const { limit = 50, cursor } = request.query;
    const found = await listMembers(db, id, cursorId(cursor), limit);
    return pageOf(
      found.map((member) => ({ ...member, id: member.user_id })),
      limit,
      ({ id: _, ...member }) => ({ ...member, joined_at: member.joined_at.toISOString() }),
    );
  });
}

function memberId(text: string): string {
  if (!isUuid(text)) throw fail('member_not_found', 'There is no such member.');
  return text;
}

function change(app: App, { db, authenticator }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Change a member’s role',
    description: 'Reaches their sign-ins and tokens within five seconds. 409 `last_owner`.',
    params: Params,
    body: Type.Object({ role: Role }),
    response: { 200: Type.Object({ user_id: Id, role: Role }) },
  };
  app.patch('/workspaces/:id/members/:user_id', { config: { access }, schema }, async (request) => {
    const { id } = request.params;
    await enterWorkspace(db, principalOf(request), id, 'owner');
    const user_id = memberId(request.params.user_id);
    const { role } = request.body;
    await transaction(db, async (tx) => {
      const from = await changeRole(tx, id, user_id, role);
      const actor = { ...actorOf(request), workspace_id: id };
      await audit(tx, { ...actor, action: 'member.role_changed', target: user_id, detail: { from, to: role } });
    });
    authenticator.forget({ user_id });
    return { user_id, role };
  });
}

function remove(app: App, { db, clock, authenticator }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Remove a member, or leave oneself',
    description: 'Ends their sign-ins and tokens for this workspace. 409 `last_owner`.',
    params: Params,
    response: { 204: Type.Null() },
  };
  app.delete('/workspaces/:id/members/:user_id', { config: { access }, schema }, async (request, reply) => {
    const { id } = request.params;
    const principal = principalOf(request);
    const leaving = principal.kind === 'user' && principal.user_id === request.params.user_id;
    await enterWorkspace(db, principal, id, leaving ? 'any' : 'owner');
    const user_id = memberId(request.params.user_id);
    await transaction(db, async (tx) => {
      await removeMember(tx, id, user_id, clock.now());
      const actor = { ...actorOf(request), workspace_id: id };
      await audit(tx, { ...actor, action: leaving ? 'member.left' : 'member.removed', target: user_id });
    });
    authenticator.forget({ user_id });
    return reply.status(204).send(null);
  });
}
