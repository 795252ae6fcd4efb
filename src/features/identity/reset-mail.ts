import type { Mail } from '#contract/mail.ts';
import type { OneTimeLink } from './one-time-links.ts';

/**
 * The secret goes into the fragment: browsers send it to no server, so it reaches no access log; the
 * console's page reads it and calls `POST /auth/password/reset/confirm`.
 */
export function resetMail(account: { username: string; email: string }, link: OneTimeLink, publicUrl: string): Mail {
  const url = new URL('/reset-password', publicUrl);
  url.hash = link.secret;
  return {
    to: account.email,
    subject: 'A new password for Caudal',
    text: [
      `Hello ${account.username},`,
      '',
      'somebody asked for a new password for your account. If it was you, open this link within an hour:',
      '',
      url.href,
      '',
      'If it was not you, do nothing: your password stays as it is.',
      '',
    ].join('\n'),
  };
}
