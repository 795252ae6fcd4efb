import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import { allows, allowsSome, type Principal, type Scope } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';

/** The application as routes see it: schemas at the edge give type, validation and OpenAPI. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * Who may call a route. Every route says it in `config.access`; one that does not stops the
 * program from starting, so that no door is open by accident.
 */
export type Access =
  /** Anybody: sign-in, health, the console's files. */
  | 'public'
  /** The URL itself is the right (HMAC-signed); checked by the handler. */
  | 'signed'
  /** Anybody who is signed in, whatever the scopes. */
  | 'authenticated'
  | ScopedAccess;

export interface ScopedAccess {
  scope: Scope;
  /** Route parameter that holds the dataset, topic or endpoint name: scopes for that name alone suffice. */
  named?: string;
  /** A list, filtered by the handler: any named scope suffices to call it. */
  some?: boolean;
  /** What is asked for may be open to anybody: the handler looks, and checks the scope where it is not. */
  orPublic?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /**
     * Idempotency-Key is honoured by every POST unless this is false; `secret`: the answer holds a
     * secret, so it is not kept, and a repeat is 409 `secret_already_shown`; `effect`: the handler keeps the
     * answer in the transaction of the effect (`request.effectKey`).
     */
    idempotent?: boolean | 'secret' | 'effect';
    /** Never trace (telemetry intake, health checks). */
    untraced?: boolean;
  }
  interface FastifyRequest {
    principal: Principal | null;
  }
}

/** The caller, on routes that are not public. @throws unauthenticated */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw fail('unauthenticated', 'Sign in, or send a token: Authorization: Bearer …');
  return request.principal;
}

/** @throws unauthenticated, forbidden */
export function checkAccess(access: Access, principal: Principal | null, params: Record<string, string>): void {
  if (access === 'public' || access === 'signed') return;
  if (typeof access === 'object' && access.orPublic) return;
  if (!principal) throw fail('unauthenticated', 'Sign in, or send a token: Authorization: Bearer …');
  if (access === 'authenticated') return;
  const name = access.named === undefined ? undefined : params[access.named];
  const allowed = access.some
    ? allowsSome(principal.scopes, access.scope)
    : allows(principal.scopes, access.scope, name);
  if (!allowed) {
    throw fail('forbidden', `This needs the scope ${access.scope}${name ? ` (or ${access.scope}:${name})` : ''}.`);
  }
}
