import { Type } from 'typebox';
import { fail, invalid } from '#kernel/errors.ts';
import { transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { accountById } from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import {
  acceptInvitation,
  type CreatedInvitation,
  createInvitation,
  type Invitation,
  listInvitations,
  revokeInvitation,
} from './invitations.ts';
import { invitationMail } from './mails.ts';
import { checkEmail } from './names.ts';
import { Email, Id, Role, Time } from './shapes.ts';
import { enterWorkspace, readWorkspace } from './workspaces.ts';

const tags = ['workspaces'];
const access = 'authenticated' as const;

const Shape = { id: Id, email: Type.String(), role: Role, invited_by: Id, created_at: Time, expires_at: Time };
const Params = Type.Object({ id: Type.String() });

export function invitationRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    create(app, deps);
    list(app, deps);
    revoke(app, deps);
    accept(app, deps);
  };
}

function toInvitation(row: Invitation) {
  return { ...row, created_at: row.created_at.toISOString(), expires_at: row.expires_at.toISOString() };
}

function create(app: App, { db, clock, guard, sendMail, publicUrl }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Invite somebody by e-mail address',
    description:
      'The secret is mailed where there is a mail channel, and shown this once; it works for an account of that address, 7 days.',
    params: Params,
    body: Type.Object({ email: Email, role: Role }),
    response: {
      201: Type.Object({
        ...Shape,
        secret: Type.String({ description: 'For POST /invitations/accept' }),
        mailed: Type.Boolean({ description: 'False: there is no mail channel, or it failed; hand the secret over' }),
      }),
    },
  };
  const config = { access, idempotent: 'secret' } as const;
  /** A mail that could not be sent is no failure: the secret is in the answer. */
  const mailTo = async (made: CreatedInvitation, workspace: string, host: string): Promise<boolean> => {
    const { email, role } = made.invitation;
    const mail = invitationMail({ email, role, host, workspace, secret: made.secret }, publicUrl);
    return sendMail
      ? sendMail(mail).then(
          () => true,
          () => false,
        )
      : false;
  };
  app.post('/workspaces/:id/invitations', { config, schema }, async (request, reply) => {
    const { id } = request.params;
    const host = principalOf(request);
    const own = await enterWorkspace(db, host, id, 'owner');
    const email = checkEmail(request.body.email);
    if ('error' in email) throw invalid(email.error.field, email.error.message, email.error.code);
    const { role } = request.body;
    if (sendMail) await guard.invitation(host.user_id);
    const made = await transaction(db, async (tx) => {
      const wanted = { workspace_id: id, email: email.value, role, invited_by: host.user_id };
      const created = await createInvitation(tx, wanted, clock.now());
      const actor = { ...actorOf(request), workspace_id: id };
      const detail = { email: email.value, role };
      await audit(tx, { ...actor, action: 'invitation.created', target: created.invitation.id, detail });
      return created;
    });
    const { name } = await readWorkspace(db, id, own);
    const mailed = await mailTo(made, name, host.username);
    return reply
      .status(201)
      .header('Cache-Control', 'no-store')
      .send({ ...toInvitation(made.invitation), secret: made.secret, mailed });
  });
}

function list(app: App, { db, clock }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Open invitations',
    params: Params,
    querystring: Type.Object(PageQuery),
    response: { 200: PageOf(Type.Object(Shape)) },
  };
  app.get('/workspaces/:id/invitations', { config: { access }, schema }, async (request) => {
    const { id } = request.params;
    await enterWorkspace(db, principalOf(request), id, 'owner');
    const { limit = 50, cursor } = request.query;
    return pageOf(await listInvitations(db, id, cursorId(cursor), limit, clock.now()), limit, toInvitation);
  });
}

function revoke(app: App, { db, clock }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Withdraw an invitation',
    params: Type.Object({ id: Type.String(), invitation_id: Type.String() }),
    response: { 204: Type.Null() },
  };
  app.delete('/workspaces/:id/invitations/:invitation_id', { config: { access }, schema }, async (request, reply) => {
    const { id, invitation_id } = request.params;
    await enterWorkspace(db, principalOf(request), id, 'owner');
    await transaction(db, async (tx) => {
      await revokeInvitation(tx, id, invitation_id, clock.now());
      const actor = { ...actorOf(request), workspace_id: id };
      await audit(tx, { ...actor, action: 'invitation.revoked', target: invitation_id });
    });
    return reply.status(204).send(null);
  });
}

function accept(app: App, { db, clock }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Accept an invitation',
    description: 'Then `POST /auth/switch` to work there.',
    body: Type.Object({ secret: Type.String({ maxLength: 100 }) }),
    response: { 200: Type.Object({ workspace_id: Id, name: Type.String(), role: Role }) },
  };
  app.post('/invitations/accept', { config: { access, idempotent: false }, schema }, async (request) => {
    const principal = principalOf(request);
    const account = principal.kind === 'user' ? await accountById(db, principal.user_id) : undefined;
    if (!account) throw fail('forbidden', 'A person accepts an invitation: sign in with a password.');
    return transaction(db, async (tx) => {
      const { invitation_id, ...joined } = await acceptInvitation(tx, request.body.secret, account, clock.now());
      const actor = { ...actorOf(request), workspace_id: joined.workspace_id };
      await audit(tx, { ...actor, action: 'invitation.accepted', target: invitation_id });
      return joined;
    });
  });
}
