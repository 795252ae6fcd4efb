import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a sealed text is good for: one that was made for another purpose does not open. */
export type Purpose = 'form' | 'photo' | 'receipt';

/**
 * A small JSON value that we give out and get back unchanged: readable by anybody, made by us alone (HMAC-SHA-256).
 * `at` is when it was sealed, epoch ms.
 */
export function seal(key: Buffer, purpose: Purpose, value: Record<string, string>, at: number): string {
  const text = Buffer.from(JSON.stringify([at, value])).toString('base64url');
  return `${text}.${mac(key, purpose, text)}`;
}

export interface Opened {
  at: number;
  value: Record<string, string>;
}

/** Undefined for what we did not seal for this purpose, and for what is older than `lifetimeMs`. */
export function unseal(
  key: Buffer,
  purpose: Purpose,
  sealed: string,
  now: number,
  lifetimeMs = Number.POSITIVE_INFINITY,
): Opened | undefined {
  const [text = '', given = '', ...rest] = sealed.split('.');
  const expected = Buffer.from(mac(key, purpose, text));
  const actual = Buffer.from(given);
  if (rest.length > 0 || actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
  const [at, value] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [number, Record<string, string>];
  return now - at > lifetimeMs ? undefined : { at, value };
}

function mac(key: Buffer, purpose: Purpose, text: string): string {
  return createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url');
}
