import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'cdl_';
const TOKEN = /^cdl_[A-Za-z0-9_-]{43}$/;
/** "cdl_" and the first six characters: enough to recognise a token by, 36 of its 256 bits. */
const SHOWN = PREFIX.length + 6;

/** 256 random bits, base64url. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function newApiToken(): { secret: string; prefix: string } {
  const secret = PREFIX + newSecret();
  return { secret, prefix: secret.slice(0, SHOWN) };
}

export function isApiToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * What is stored of a secret. Plain sha-256 is enough where the secret has 256 bits of its own: there is
 * nothing to guess. A look-up by this hash leaks no timing about the secret.
 */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
