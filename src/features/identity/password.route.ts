import { Type } from 'typebox';
import { fail } from '#kernel/errors.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { accountByEmail, accountById, homeWorkspace, openSession, setPassword } from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import { resetMail } from './mails.ts';
import { canonicalEmail } from './names.ts';
import { createLink, spendLink, voidLinks } from './one-time-links.ts';
import { checkPassword, refuseFaults } from './passwords.ts';
import { isSecure, setSessionCookie } from './session-cookie.ts';
import { Email, OPEN, Password, SessionAnswer } from './shapes.ts';

const tags = ['accounts'];
const Repeated = Type.String({ maxLength: 1024, description: 'The new password again' });

/** Changing a password one knows, and one that was forgotten. */
export function passwordRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    change(app, deps);
    askForReset(app, deps);
    reset(app, deps);
  };
}

function change(app: App, { db, clock, keys, passwords, guard, authenticator, publicUrl }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Change the password',
    description: 'Ends every sign-in of the account, this one too, and answers with a new one. API tokens stay.',
    body: Type.Object({
      current_password: Type.String({ maxLength: 1024 }),
      password: Password,
      password_2: Repeated,
    }),
    response: { 200: SessionAnswer },
  };
  app.post(
    '/auth/password',
    { config: { access: 'authenticated', idempotent: 'secret' }, schema },
    async (request, reply) => {
      const principal = principalOf(request);
      const { current_password, password, password_2 } = request.body;
      refuseFaults(checkPassword(password, password_2));
      const account = await guard.signIn(principal.user_id, request.ip, async () => {
        const found = await accountById(db, principal.user_id);
        const right = await passwords.verify(found?.password_hash ?? null, current_password);
        return right && found ? found : null;
      });
      if (!account) throw fail('invalid_credentials', 'The current password is wrong.');
      const hash = await passwords.hash(password);
      const session = await transaction(db, async (tx) => {
        const token_generation = await setPassword(tx, account.id, hash);
        await voidLinks(tx, account.id, clock);
        await audit(tx, { ...actorOf(request), action: 'password.changed', target: account.id });
        return openSession(tx, keys, clock, { id: account.id, token_generation }, principal.workspace_id);
      });
      authenticator.forget({ user_id: account.id });
      if (request.headers.authorization === undefined) {
        setSessionCookie(reply, session, isSecure(request, publicUrl));
      }
      return reply.header('Cache-Control', 'no-store').send(session);
    },
  );
}

function askForReset(app: App, { db, clock, guard, sendMail, publicUrl }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Ask for a mail to set a new password',
    description: 'The same answer whether or not there is such an account. 503 `mail_unavailable` without a channel.',
    body: Type.Object({ email: Email }),
    response: { 202: Type.Object({ accepted: Type.Literal(true) }) },
    ...OPEN,
  };
  app.post('/auth/password/reset', { config: { access: 'public' }, schema }, async (request, reply) => {
    if (!sendMail) {
      throw fail('mail_unavailable', 'This installation has no mail channel, so it cannot send a reset link.', {
        hint: 'Ask the operator of this installation to help you in.',
      });
    }
    const typed = request.body.email;
    await guard.reset(typed, request.ip);
    const email = canonicalEmail(typed);
    const account = email === undefined ? undefined : await accountByEmail(db, email);
    if (account) {
      const link = await createLink(db, account.id, 'password_reset', clock);
      await sendMail(resetMail(account, link, publicUrl)).catch((cause) => {
        throw fail('mail_unavailable', 'The mail could not be sent at the moment.', { cause, retry_after: 60 });
      });
      await audit(db, {
        workspace_id: (await homeWorkspace(db, account.id)) ?? null,
        user_id: account.id,
        actor: account.username,
        address: request.ip,
        action: 'password.reset_asked',
        target: account.id,
      });
    }
    return reply.status(202).send({ accepted: true as const });
  });
}

function reset(app: App, { db, clock, passwords, authenticator }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'Set a new password with the secret of the mail',
    description: 'Ends every sign-in of the account. 410 `link_invalid` when the secret was used or has expired.',
    body: Type.Object({
      secret: Type.String({ maxLength: 100, description: 'From the mail’s link, once, within an hour' }),
      password: Password,
      password_2: Repeated,
    }),
    response: { 204: Type.Null() },
    ...OPEN,
  };
  app.post('/auth/password/reset/confirm', { config: { access: 'public' }, schema }, async (request, reply) => {
    const { secret, password, password_2 } = request.body;
    refuseFaults(checkPassword(password, password_2));
    const hash = await passwords.hash(password);
    const userId = await transaction(db, async (tx) => {
      const id = await spendLink(tx, secret, 'password_reset', clock);
      await setPassword(tx, id, hash);
      await voidLinks(tx, id, clock);
      const { rows } = await sql<{ username: string }>`SELECT username FROM users WHERE id = ${id}`.execute(tx);
      await audit(tx, {
        workspace_id: (await homeWorkspace(tx, id)) ?? null,
        user_id: id,
        actor: rows[0]?.username ?? 'unknown',
        address: request.ip,
        action: 'password.reset',
        target: id,
      });
      return id;
    });
    authenticator.forget({ user_id: userId });
    return reply.status(204).send(null);
  });
}
