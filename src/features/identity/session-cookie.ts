import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Session } from './accounts.ts';

const NAME = 'caudal_session';
const HELD = new RegExp(`(?:^|;\\s*)${NAME}=([A-Za-z0-9_.-]+)`);

/** The JWT in a Cookie header, or undefined. */
export function readSessionCookie(header: string | undefined): string | undefined {
  return header === undefined ? undefined : HELD.exec(header)?.[1];
}

/** Behind a proxy that ends TLS the request looks like http; the public address knows better. */
export function isSecure(request: FastifyRequest, publicUrl: string): boolean {
  return request.protocol === 'https' || publicUrl.startsWith('https:');
}

/**
 * Lax rather than Strict: a link to a dataset in a mail opens signed in; what changes anything is
 * guarded by its origin besides (origin.ts).
 */
export function setSessionCookie(reply: FastifyReply, session: Session, secure: boolean): void {
  const { token, expires_in } = session;
  const attributes = `Path=/; Max-Age=${expires_in}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  reply.header('Set-Cookie', `${NAME}=${token}; ${attributes}`);
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.header('Set-Cookie', `${NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax`);
}
