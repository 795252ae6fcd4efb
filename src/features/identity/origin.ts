import type { IncomingHttpHeaders } from 'node:http';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** True for methods that change nothing, which need no proof of origin. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method);
}

/**
 * Whether a browser vouches that the request comes from a page of ours: `Sec-Fetch-Site` where it is
 * sent (secure contexts and localhost), else `Origin` against the host that was asked. Neither one
 * means no browser page sent it, or one too old to trust with a cookie.
 * Source: OWASP CSRF Prevention Cheat Sheet, Fetch Metadata with Origin as fallback.
 */
export function fromOurPage(headers: IncomingHttpHeaders, host: string, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return headers.origin !== undefined && isOurs(headers.origin, host, publicUrl);
}

/** True when a browser says that a page of somebody else's sent it; false for programs, which say nothing. */
export function fromForeignPage(headers: IncomingHttpHeaders, host: string, publicUrl: string): boolean {
  const says = headers['sec-fetch-site'] !== undefined || headers.origin !== undefined;
  return says && !fromOurPage(headers, host, publicUrl);
}

/** The host is compared without the scheme: behind a proxy that ends TLS we only see http. */
function isOurs(origin: string, host: string, publicUrl: string): boolean {
  const from = URL.parse(origin);
  if (!from) return false;
  // Through URL, so that a default port that the Host header spells out makes no difference.
  const here = URL.parse(`${from.protocol}//${host}`);
  return from.host === here?.host || from.origin === URL.parse(publicUrl)?.origin;
}
