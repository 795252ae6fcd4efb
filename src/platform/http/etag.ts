import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CachedAnswer } from './answer-cache.ts';

/** A strong entity tag: the key names everything that the answer depends on. */
export function etagOf(key: string): string {
  return `"${createHash('sha256').update(key).digest('base64url').slice(0, 27)}"`;
}

/** Sends a finished answer, or 304 to who has it already. */
export function sendKept(request: FastifyRequest, reply: FastifyReply, { headers, body }: CachedAnswer): FastifyReply {
  reply.headers(headers);
  const known = request.headers['if-none-match'];
  const etag = headers['ETag'];
  if (known !== undefined && etag !== undefined && matches(known, etag)) return reply.code(304).send();
  return reply.send(body);
}

function matches(known: string, etag: string): boolean {
  return known === '*' || known.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}
