import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fail } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import type { App } from './app.ts';

const NOBODY = '00000000-0000-0000-0000-000000000000';
const HEADER = 'idempotency-key';
const KEPT_BODY = 1 << 20;
/** A first request that died without an answer releases its key after this long. */
const STALE = '60 seconds';
const REPLAYED_HEADERS = ['content-type', 'location', 'x-trace-id'];

interface Claim {
  workspace: string;
  principal: string;
  route: string;
  key: string;
}

interface Kept {
  body_hash: Buffer;
  status: number | null;
  headers: Record<string, string> | null;
  body: Buffer | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    idempotency: Claim | null;
    /** On routes that keep their answer in the transaction of their effect: what to keep it under. */
    effectKey: EffectKey | null;
  }
}

export interface EffectKey extends Claim {
  body_hash: Buffer;
}

/**
 * Idempotency-Key for every POST that creates something: the same key and body get the first answer
 * again, another body 422. Kept 24 h per workspace, principal and route. Failures of ours (5xx)
 * release the key, so that a retry does the work.
 */
export function registerIdempotency(app: App, db: Db, instance: string | null): void {
  app.decorateRequest('idempotency', null);
  app.decorateRequest('effectKey', null);
  app.addHook('onRoute', (route) => {
    // Only where it may happen: two hooks less for every other request.
    if (![route.method].flat().includes('POST') || route.config?.idempotent === false) return;
    if (route.config?.idempotent === 'effect') {
      route.preHandler = [
        async (request, reply) => replayEffect(db, request, reply),
        ...[route.preHandler ?? []].flat(),
      ];
      return;
    }
    route.preHandler = [
      async (request, reply) => claimOrReplay(db, instance, request, reply),
      ...[route.preHandler ?? []].flat(),
    ];
    route.onSend = [
      ...[route.onSend ?? []].flat(),
      async (request, reply, payload) => {
        await keepAnswer(db, request, reply, payload);
        return payload;
      },
    ];
  });
}

/**
 * For routes whose effect and answer are one transaction, so that neither a crash between the two nor a claim of
 * its own (a flush of the log for every request) comes into it: `effectKey` is kept by the handler in that
 * transaction, and an answer that is there already is given again.
 */
async function replayEffect(db: Db, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const claim = claimOf(request);
  if (!claim) return undefined;
  const body = Buffer.isBuffer(request.body) ? request.body : JSON.stringify(request.body ?? null);
  request.effectKey = { ...claim, body_hash: createHash('sha256').update(body).digest() };
  return replayKept(db, request, reply);
}

/** The answer that is kept under the request's `effectKey`, if there is one: also when a repeat was quicker. */
export async function replayKept(
  db: Db,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const { effectKey } = request;
  const kept = effectKey ? await findKept(db, effectKey) : undefined;
  return effectKey && kept ? replay(kept, effectKey.body_hash, reply, false) : undefined;
}

/** What came of the effect later (a caller waited for it): given to repeats from now on. */
export async function amendKept(db: Db, key: EffectKey, status: number, body: string): Promise<void> {
  await sql`
    UPDATE idempotency_keys SET status = ${status}, body = convert_to(${body}, 'UTF8')
    WHERE workspace_id = ${key.workspace} AND principal = ${key.principal} AND route = ${key.route} AND key = ${key.key}
  `.execute(db);
}

function claimOf(request: FastifyRequest): Claim | undefined {
  const key = request.headers[HEADER];
  if (typeof key !== 'string' || key === '') return undefined;
  if (key.length > 255) throw fail('invalid_input', 'Idempotency-Key is longer than 255 characters.');
  return {
    workspace: request.principal?.workspace_id ?? NOBODY,
    principal: request.principal?.user_id ?? request.ip,
    route: `${request.method} ${request.url.split('?')[0]}`,
    key,
  };
}

async function claimOrReplay(
  db: Db,
  instance: string | null,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const claim = claimOf(request);
  if (!claim) return undefined;
  const hash = createHash('sha256')
    .update(JSON.stringify(request.body ?? null, withoutPasswords))
    .digest();
  const kept = await waitForAnswer(() => claimKey(db, claim, hash, instance), hash);
  if (kept) return replay(kept, hash, reply, request.routeOptions.config.idempotent === 'secret');
  request.idempotency = claim;
  return undefined;
}

/** A quick hash of a person's password must not lie beside the slow one. */
function withoutPasswords(field: string, value: unknown): unknown {
  return /password/.test(field) ? undefined : value;
}

const WAIT_MS = 5_000;
const LOOK_EVERY_MS = 100;

/**
 * A repeat that comes while the first request still runs waits for its answer: a load balancer repeats
 * what a dying replica held, and that replica's claim is free as soon as its death is noticed.
 */
async function waitForAnswer(claim: () => Promise<Kept | undefined>, hash: Buffer): Promise<Kept | undefined> {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const kept = await claim();
    if (!kept || kept.status !== null || !kept.body_hash.equals(hash) || performance.now() > until) return kept;
    await delay(LOOK_EVERY_MS);
  }
}

/** Undefined when the key is now ours; otherwise what the first request left. */
async function claimKey(db: Db, claim: Claim, hash: Buffer, instance: string | null): Promise<Kept | undefined> {
  const { workspace, principal, route, key } = claim;
  const inserted = await sql`
    INSERT INTO idempotency_keys (workspace_id, principal, route, key, body_hash, instance_id)
    VALUES (${workspace}, ${principal}, ${route}, ${key}, ${hash}, ${instance})
    ON CONFLICT (workspace_id, principal, route, key) DO UPDATE SET body_hash = excluded.body_hash, created_at = now(),
        instance_id = excluded.instance_id, status = NULL, headers = NULL, body = NULL
      WHERE idempotency_keys.status IS NULL AND (idempotency_keys.created_at < now() - ${STALE}::interval OR EXISTS (
           SELECT 1 FROM instances i WHERE i.id = idempotency_keys.instance_id
             AND (i.stopped_at IS NOT NULL OR i.heartbeat_at < now() - interval '15 seconds')))
         OR idempotency_keys.created_at < now() - interval '24 hours'
    RETURNING key`.execute(db);
  if (inserted.rows.length > 0) return undefined;
  return findKept(db, claim);
}

function findKept(db: Db, { workspace, principal, route, key }: Claim): Promise<Kept | undefined> {
  return first(
    db,
    sql<Kept>`
      SELECT body_hash, status, headers, body FROM idempotency_keys
      WHERE workspace_id = ${workspace} AND principal = ${principal} AND route = ${route} AND key = ${key}`,
  );
}

function replay(kept: Kept, hash: Buffer, reply: FastifyReply, secret: boolean): FastifyReply {
  if (!kept.body_hash.equals(hash)) {
    throw fail('idempotency_key_reused', 'This Idempotency-Key came with another body before.', {
      hint: 'Make a new key for each new request; repeat a key only to repeat the very same request.',
    });
  }
  if (kept.status === null) {
    throw fail('idempotency_in_flight', 'The first request with this key is still running.', { retry_after: 1 });
  }
  if (secret && kept.status < 300) {
    throw fail(
      'secret_already_shown',
      'The first answer to this Idempotency-Key held a secret, which is shown once only.',
      {
        hint: 'If it was lost, delete that token and make another.',
      },
    );
  }
  for (const [name, value] of Object.entries(kept.headers ?? {})) if (name !== 'x-trace-id') reply.header(name, value);
  return reply
    .header('Idempotency-Replayed', 'true')
    .status(kept.status)
    .send(kept.body ?? '');
}

async function keepAnswer(db: Db, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> {
  const claim = request.idempotency;
  if (!claim) return;
  request.idempotency = null;
  const { workspace, principal, route, key } = claim;
  const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : Buffer.alloc(0);
  const secret = request.routeOptions.config.idempotent === 'secret' && reply.statusCode < 300;
  if (reply.statusCode >= 500 || reply.statusCode === 429 || body.length > KEPT_BODY) {
    await sql`DELETE FROM idempotency_keys WHERE workspace_id = ${workspace} AND principal = ${principal}
              AND route = ${route} AND key = ${key}`.execute(db);
    return;
  }
  const headers: Record<string, string> = {};
  for (const name of REPLAYED_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) headers[name] = String(value);
  }
  await sql`
    UPDATE idempotency_keys SET status = ${reply.statusCode}, headers = ${JSON.stringify(headers)}::jsonb, body = ${secret ? null : body}
    WHERE workspace_id = ${workspace} AND principal = ${principal} AND route = ${route} AND key = ${key}`.execute(db);
}
