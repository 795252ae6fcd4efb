import { fail } from '#kernel/errors.ts';
import { addressPolicy } from './address-policy.ts';
import { guardedConnector, type Resolve, systemResolve } from './guarded-connector.ts';

export interface PosterOptions {
  /** Networks (CIDR) that may be reached although they are private, on any port. */
  allowPrivate?: readonly string[];
  resolve?: Resolve;
}

export interface Posted {
  status: number;
  /** The first KiB of the answer. */
  body: string;
}

/** Sends a JSON text to an address that a user named. @throws url_refused, download_failed */
export type PostJson = (url: string, body: string, headers: Record<string, string>) => Promise<Posted>;

const TIMEOUT_MS = 10_000;
const KEPT = 1024;

/** Public addresses only, checked as for downloads; no redirects: what is signed is for whom it was signed. */
export function createPoster(options: PosterOptions = {}): PostJson {
  const policy = addressPolicy(options.allowPrivate ?? []);
  return async (text, body, headers) => {
    if (!URL.canParse(text)) throw fail('url_refused', 'The URL is malformed.');
    const url = new URL(text);
    if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
      throw fail('url_refused', 'Only http and https URLs without credentials are called.');
    }
    const { Agent } = await import('undici');
    const agent = new Agent({
      connect: await guardedConnector(policy, options.resolve ?? systemResolve, TIMEOUT_MS),
      pipelining: 0,
    });
    try {
      const response = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'POST',
        headers: { 'user-agent': 'Caudal', 'content-type': 'application/json', ...headers },
        body,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: response.statusCode, body: await beginning(response.body) };
    } finally {
      await agent.destroy();
    }
  };
}

async function beginning(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= KEPT) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, KEPT);
}
