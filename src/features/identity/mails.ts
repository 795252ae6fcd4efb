import type { Mail } from '#contract/mail.ts';
import type { Role } from '#contract/principal.ts';
import type { OneTimeLink } from './one-time-links.ts';

/** A secret goes into the fragment: browsers send it to no server, so it reaches no access log. */
function pageWith(secret: string, path: string, publicUrl: string): string {
  const url = new URL(path, publicUrl);
  url.hash = secret;
  return url.href;
}

/** The console's page calls `POST /auth/password/reset/confirm`. */
export function resetMail(account: { username: string; email: string }, link: OneTimeLink, publicUrl: string): Mail {
  return {
    to: account.email,
    subject: 'A new password for Caudal',
    text: [
      `Hello ${account.username},`,
      '',
      'somebody asked for a new password for your account. If it was you, open this link within an hour:',
      '',
      pageWith(link.secret, '/reset-password', publicUrl),
      '',
      'If it was not you, do nothing: your password stays as it is.',
      '',
    ].join('\n'),
  };
}

export interface Invited {
  email: string;
  role: Role;
  /** Who invites, and into which workspace. */
  host: string;
  workspace: string;
  secret: string;
}

/** The console's page calls `POST /invitations/accept`. */
export function invitationMail({ email, role, host, workspace, secret }: Invited, publicUrl: string): Mail {
  return {
    to: email,
    subject: `${host} invites you to Caudal`,
    text: [
      'Hello,',
      '',
      `${host} invites you to work in "${workspace}" as ${role}. Open this link within seven days:`,
      '',
      pageWith(secret, '/invitation', publicUrl),
      '',
      `It works for an account with this address, ${email}: sign in, or make one.`,
      'If you do not know what this is about, do nothing.',
      '',
    ].join('\n'),
  };
}
