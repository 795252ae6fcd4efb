import type { FastifyRequest } from 'fastify';
import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import { currentTraceId } from '#platform/observe/tracing.ts';

/** Who acts, and from where. */
export interface AuditActor {
  /** Null: what belongs to no workspace (a sign-in with an unknown address); only the operator reads it. */
  workspace_id: string | null;
  user_id: string | null;
  /** The user's name at the time; names change, the log does not. */
  actor: string;
  address: string | null;
  /** `api_tokens.id` when a token acted for its user. */
  token_id?: string;
}

export interface AuditEntry extends AuditActor {
  /** `noun.verb in the past`, e.g. `token.created`, `file.deleted`. */
  action: string;
  /** Id or name of what it was done to. */
  target?: string | null;
  /** Never a secret. */
  detail?: Record<string, unknown>;
}

/** Writes one line of the audit log; give it the transaction of the act, so that neither exists without the other. */
export async function audit(db: Db, entry: AuditEntry): Promise<void> {
  const detail = entry.token_id ? { ...entry.detail, token_id: entry.token_id } : (entry.detail ?? {});
  await sql`
    INSERT INTO audit_log (id, workspace_id, user_id, actor, action, target, detail, address, trace_id)
    VALUES (${newId()}, ${entry.workspace_id}, ${entry.user_id}, ${entry.actor}, ${entry.action},
            ${entry.target ?? null}, ${JSON.stringify(detail)}::jsonb, ${entry.address}, ${currentTraceId()})
  `.execute(db);
}

/** The caller of a request as an actor: `audit(tx, { ...actorOf(request), action: 'file.read', target: id })`. */
export function actorOf(request: FastifyRequest): AuditActor {
  const { principal } = request;
  if (!principal) return { workspace_id: null, user_id: null, actor: 'anonymous', address: request.ip };
  return {
    workspace_id: principal.workspace_id,
    user_id: principal.user_id,
    actor: principal.username,
    address: request.ip,
    ...(principal.kind === 'token' ? { token_id: principal.credential_id } : {}),
  };
}
