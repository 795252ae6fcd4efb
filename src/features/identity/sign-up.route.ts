import { Type } from 'typebox';
import { transaction } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { audit } from '#platform/http/audit.ts';
import { createAccount, refuseTaken } from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import { checkEmail, checkUsername } from './names.ts';
import { checkPassword, refuseFaults } from './passwords.ts';
import { Email, Id, OPEN, Password } from './shapes.ts';

const Body = Type.Object({
  username: Type.String({
    maxLength: 1000,
    description: 'Letters and digits of any language, dots, dashes, underscores',
  }),
  email: Email,
  password: Password,
  password_2: Type.String({ maxLength: 1024, description: 'The same password again' }),
});
const Answer = Type.Object({ id: Id, username: Type.String(), email: Type.String(), workspace_id: Id });

const schema = {
  tags: ['accounts'],
  summary: 'Sign up; makes a workspace of one’s own',
  description: '409 `already_taken` names the field; 422 `weak_password` or `invalid_input` lists every fault.',
  body: Body,
  response: { 201: Answer },
  ...OPEN,
};

export function signUpRoute({ db, guard, passwords }: IdentityDeps) {
  return (app: App): void => {
    app.post('/auth/signup', { config: { access: 'public' }, schema }, async (request, reply) => {
      const { password, password_2 } = request.body;
      const username = checkUsername(request.body.username);
      const email = checkEmail(request.body.email);
      const faults = [username, email].flatMap((checked) => ('error' in checked ? [checked.error] : []));
      refuseFaults([...faults, ...checkPassword(password, password_2)]);
      if ('error' in username || 'error' in email) throw new Error('faults were refused above');
      await guard.signUp(request.ip);
      const names = { username: username.value, email: email.value };
      await refuseTaken(db, names);
      const password_hash = await passwords.hash(password);
      const made = await transaction(db, async (tx) => {
        const account = await createAccount(tx, { ...names, password_hash });
        await audit(tx, {
          workspace_id: account.workspace_id,
          user_id: account.id,
          actor: names.username,
          address: request.ip,
          action: 'account.created',
          target: account.id,
        });
        return account;
      });
      return reply.status(201).send({ id: made.id, ...names, workspace_id: made.workspace_id });
    });
  };
}
