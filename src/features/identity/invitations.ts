import type { Role } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid, newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx } from '#platform/db/db.ts';
import type { Account } from './accounts.ts';
import { hashSecret, newSecret } from './secrets.ts';

const LIFETIME_MS = 7 * 86_400_000;

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  invited_by: string;
  created_at: Date;
  expires_at: Date;
}

export interface CreatedInvitation {
  invitation: Invitation;
  /** Never again to be had: only its hash is kept. */
  secret: string;
}

export interface NewInvitation {
  workspace_id: string;
  email: string;
  role: Role;
  invited_by: string;
}

/** Replaces an open invitation of the same address. @throws already_taken for a member */
export async function createInvitation(
  tx: Tx,
  { workspace_id, email, role, invited_by }: NewInvitation,
  now: Date,
): Promise<CreatedInvitation> {
  const member = await first(
    tx,
    sql`SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = ${workspace_id} AND lower(u.email) = lower(${email})`,
  );
  if (member) {
    const message = 'Somebody with this e-mail is a member already.';
    throw fail('already_taken', message, { errors: [{ field: 'email', code: 'already_taken', message }] });
  }
  await sql`
    UPDATE invitations SET revoked_at = ${now}
    WHERE workspace_id = ${workspace_id} AND lower(email) = lower(${email}) AND ${OPEN_AT(now)}`.execute(tx);
  const secret = newSecret();
  const expires_at = new Date(now.getTime() + LIFETIME_MS);
  const invitation = { id: newId(), email, role, invited_by, created_at: now, expires_at };
  await sql`
    INSERT INTO invitations (id, workspace_id, email, role, secret_hash, invited_by, created_at, expires_at)
    VALUES (${invitation.id}, ${workspace_id}, ${email}, ${role}, ${hashSecret(secret)}, ${invited_by}, ${now},
            ${expires_at})`.execute(tx);
  return { invitation, secret };
}

const OPEN_AT = (now: Date) => sql`accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}`;

/** Those that can still be accepted, newest first, at most `limit` + 1 below `before`. */
export function listInvitations(
  db: Db,
  workspaceId: string,
  before: string | null,
  limit: number,
  now: Date,
): Promise<Invitation[]> {
  return rows(
    db,
    sql<Invitation>`
      SELECT id, email, role, invited_by, created_at, expires_at FROM invitations
      WHERE workspace_id = ${workspaceId} AND ${OPEN_AT(now)} AND (${before}::uuid IS NULL OR id < ${before})
      ORDER BY id DESC LIMIT ${limit + 1}`,
  );
}

/** @throws invitation_not_found */
export async function revokeInvitation(tx: Tx, workspaceId: string, id: string, now: Date): Promise<void> {
  const revoked = isUuid(id)
    ? await first(
        tx,
        sql`UPDATE invitations SET revoked_at = ${now}
            WHERE id = ${id} AND workspace_id = ${workspaceId} AND ${OPEN_AT(now)} RETURNING id`,
      )
    : undefined;
  if (!revoked) throw fail('invitation_not_found', 'There is no such open invitation.');
}

export interface Joined {
  invitation_id: string;
  workspace_id: string;
  name: string;
  role: Role;
}

/**
 * Makes the account a member. The secret alone is not enough: a forwarded mail must not let another
 * person in, so the account's address must be the invited one.
 * @throws invitation_invalid, forbidden
 */
export async function acceptInvitation(tx: Tx, secret: string, account: Account, now: Date): Promise<Joined> {
  const found = await first(
    tx,
    sql<Joined & { email: string }>`
      SELECT i.id AS invitation_id, i.workspace_id, w.name, i.role, i.email
      FROM invitations i JOIN workspaces w ON w.id = i.workspace_id
      WHERE i.secret_hash = ${hashSecret(secret)} AND ${OPEN_AT(now)} FOR UPDATE OF i`,
  );
  if (!found) throw fail('invitation_invalid', 'The invitation was used, withdrawn, or has expired.');
  const { email, ...joined } = found;
  if (email.toLowerCase() !== account.email.toLowerCase()) {
    throw fail('forbidden', 'The invitation was made for another e-mail address.', {
      hint: `Sign in with the account of that address, or ask to be invited as ${account.email}.`,
    });
  }
  await sql`UPDATE invitations SET accepted_at = ${now} WHERE id = ${joined.invitation_id}`.execute(tx);
  await sql`
    INSERT INTO memberships (workspace_id, user_id, role) VALUES (${joined.workspace_id}, ${account.id}, ${joined.role})
    ON CONFLICT (workspace_id, user_id) DO NOTHING`.execute(tx);
  return joined;
}
