import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import { hashSecret, newSecret } from './secrets.ts';

type Purpose = 'sign_in' | 'password_reset';

const LIFETIME_MS: Record<Purpose, number> = { sign_in: 24 * 3_600_000, password_reset: 3_600_000 };

export interface OneTimeLink {
  secret: string;
  /** Path at the gateway, for a sign-in: opening it once signs in. */
  path: string;
  expires_at: Date;
}

/** A link that signs a user in, once, within 24 h; printed at first start. */
export function createSignInLink(db: Db, userId: string, clock: Clock): Promise<OneTimeLink> {
  return createLink(db, userId, 'sign_in', clock);
}

export async function createLink(db: Db, userId: string, purpose: Purpose, clock: Clock): Promise<OneTimeLink> {
  const secret = newSecret();
  const expires_at = new Date(clock.now().getTime() + LIFETIME_MS[purpose]);
  await sql`
    INSERT INTO sign_in_links (secret_hash, user_id, purpose, expires_at)
    VALUES (${hashSecret(secret)}, ${userId}, ${purpose}, ${expires_at})`.execute(db);
  return { secret, path: `/auth/link/${secret}`, expires_at };
}

/** Spends a link: exactly one of any number of concurrent callers gets the user. @throws link_invalid */
export async function spendLink(db: Db, secret: string, purpose: Purpose, clock: Clock): Promise<string> {
  const now = clock.now();
  const spent = await first(
    db,
    sql<{ user_id: string }>`
      UPDATE sign_in_links SET used_at = ${now}
      WHERE secret_hash = ${hashSecret(secret)} AND purpose = ${purpose} AND used_at IS NULL AND expires_at > ${now}
      RETURNING user_id`,
  );
  if (spent) return spent.user_id;
  throw fail('link_invalid', 'The link was used already, or has expired.', { hint: 'Ask for a new one.' });
}

/** Other links of the same purpose end with a password reset. */
export async function voidLinks(db: Db, userId: string, clock: Clock): Promise<void> {
  await sql`
    UPDATE sign_in_links SET used_at = ${clock.now()} WHERE user_id = ${userId} AND used_at IS NULL`.execute(db);
}
