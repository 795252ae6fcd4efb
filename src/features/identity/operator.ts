import { randomBytes } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import { createAccount } from './accounts.ts';
import { OPERATOR } from './names.ts';
import { checkPassword, createPasswordHasher } from './passwords.ts';
import { insertToken } from './tokens.ts';

export interface OperatorCredentials {
  user_id: string;
  workspace_id: string;
  username: string;
  email: string;
  password: string;
  /** An API token with the scope `admin`. */
  token: string;
}

const EMAIL = `${OPERATOR}@caudal.local`;
const LOCK = 'caudal.first_start';

/**
 * The administrator of a new installation, with random secrets that are returned this once. Null when
 * there is one already; safe to call from every process that starts.
 */
export async function createOperator(db: Db, clock: Clock): Promise<OperatorCredentials | null> {
  if (await operatorId(db)) return null;
  const password = randomPassword();
  const password_hash = await (await createPasswordHasher()).hash(password);
  return transaction(db, async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext(${LOCK}))`.execute(tx);
    if (await operatorId(tx)) return null;
    const account = { username: OPERATOR, email: EMAIL, password_hash, operator: true };
    const { id, workspace_id } = await createAccount(tx, account);
    const token = { workspace_id, user_id: id, name: 'first start', scopes: ['admin'], expires_at: null };
    const { secret } = await insertToken(tx, token, clock.now());
    return { user_id: id, workspace_id, username: OPERATOR, email: EMAIL, password, token: secret };
  });
}

/** The operator's user id, e.g. for a new sign-in link; undefined before the first start. */
export async function operatorId(db: Db): Promise<string | undefined> {
  const found = await first(db, sql<{ id: string }>`SELECT id FROM users WHERE operator ORDER BY created_at LIMIT 1`);
  return found?.id;
}

/** 144 random bits that also satisfy the rules for everybody's passwords. */
function randomPassword(): string {
  for (;;) {
    const password = randomBytes(18).toString('base64url');
    if (checkPassword(password, password).length === 0) return password;
  }
}
