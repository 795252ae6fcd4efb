import type { FastifyReply, FastifyRequest } from 'fastify';
import { fail } from '#kernel/errors.ts';
import type { App } from './app.ts';

export interface RateLimits {
  /** Requests per second and workspace. */
  workspace: number;
  /** Requests per second and address, for callers who are not signed in. */
  anonymous: number;
}

/**
 * Limits per process, in memory: a limit shared over replicas would cost a round trip per request to
 * guard against what is already bounded by the number of replicas.
 * Headers: draft-ietf-httpapi-ratelimit-headers-10.
 */
export function registerRateLimits(app: App, limits: RateLimits): void {
  const workspaces = countPerSecond();
  const addresses = countPerSecond();
  app.addHook('preValidation', (request, reply, done) => {
    const { access, unlimited } = request.routeOptions.config;
    if (access === 'signed' || unlimited) return done();
    const workspace = request.principal?.workspace_id;
    if (workspace) take('workspace', limits.workspace, workspaces(workspace), request, reply);
    else take('address', limits.anonymous, addresses(request.ip), request, reply);
    done();
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Health, static files: not counted against the caller. */
    unlimited?: boolean;
  }
}

const SECOND = 1000;

interface Count {
  /** Requests of this caller in this second, this one included. */
  used: number;
  ms_left: number;
}

/**
 * One window for all callers, so that forgetting them is one assignment however many addresses came. Not
 * rate-limiter-flexible, which sign-in uses: its promise and timer per request cost 5 µs on the hot path.
 */
function countPerSecond(): (caller: string) => Count {
  let began = performance.now();
  let counts = new Map<string, number>();
  return (caller) => {
    const now = performance.now();
    if (now - began >= SECOND) {
      began = now;
      counts = new Map();
    }
    const used = (counts.get(caller) ?? 0) + 1;
    counts.set(caller, used);
    return { used, ms_left: SECOND - (now - began) };
  };
}

/** @throws rate_limited */
function take(
  name: string,
  points: number,
  { used, ms_left }: Count,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const wait = Math.max(1, Math.ceil(ms_left / SECOND));
  reply.header('RateLimit-Policy', `"${name}";q=${points};w=1`);
  reply.header('RateLimit', `"${name}";r=${Math.max(0, points - used)};t=${wait}`);
  if (used <= points) return;
  request.log.debug({ name }, 'rate limit');
  throw fail('rate_limited', `More than ${points} requests a second.`, { retry_after: wait });
}
