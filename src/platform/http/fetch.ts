import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent, Dispatcher } from 'undici';
import { backoffDelay } from '#kernel/backoff.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { CaudalError, type ErrorCode, fail } from '#kernel/errors.ts';
import { addressPolicy, literalAddress } from './address-policy.ts';
import { guardedConnector, type Resolve, refused, systemResolve } from './guarded-connector.ts';

export interface FetcherOptions {
  /** Networks (CIDR) that may be reached although they are private, on any port. */
  allowPrivate?: readonly string[];
  resolve?: Resolve;
}

export interface FetchLimits {
  max_bytes: number;
  /** What a larger file is called; download_failed when nothing is said. */
  too_large?: ErrorCode;
  /** From the first connection to the last byte, redirects included. */
  timeout_ms: number;
  /** Longest silence: connecting, waiting for the answer, between two chunks. */
  idle_ms: number;
}

export interface FetchOptions {
  limits: FetchLimits;
  signal?: AbortSignal;
  /** `total` is undefined when the server does not say. */
  onProgress?: (bytes: number, total: number | undefined) => void;
}

export interface Fetched {
  bytes: number;
  content_type: string | undefined;
  final_url: string;
  /** What the server or the URL calls it; a hint, never a path. */
  filename: string | undefined;
}

export type FetchToFile = (url: string, path: string, options: FetchOptions) => Promise<Fetched>;

const MOST_REDIRECTS = 3;
/** How often in all a broken download is taken up again where it broke off. */
const MOST_RESUMES = 8;
const REDIRECTS = [301, 302, 303, 307, 308];
const WHOLE = [200, 204];

/**
 * Fetches what users name, and nothing of what lies behind our own walls: http and https only, no
 * credentials, addresses by policy at every hop, limits on size and time, streamed to a file. A download
 * that breaks off goes on where it was, if the server can (Range) and still has the same file. The file
 * is gone when it fails.
 * @throws url_refused, download_failed, or the signal's reason
 */
export function createFetcher(options: FetcherOptions = {}): FetchToFile {
  const policy = addressPolicy(options.allowPrivate ?? []);
  return async (url, path, request) => {
    const connect = await guardedConnector(policy, options.resolve ?? systemResolve, request.limits.idle_ms);
    const undici = await import('undici');
    const agent = new undici.Agent({ connect, connections: 1, pipelining: 0 });
    const deadline = AbortSignal.timeout(request.limits.timeout_ms);
    const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline;
    try {
      const { target, response } = await follow(agent, checkUrl(url), request.limits, signal);
      return {
        bytes: await saveAll(agent, { target, response }, path, request, signal),
        content_type: header(response, 'content-type'),
        final_url: target.href,
        filename: filenameOf(header(response, 'content-disposition'), target),
      };
    } catch (error) {
      await rm(path, { force: true });
      request.signal?.throwIfAborted();
      throw failure(error, deadline.aborted, request.limits);
    } finally {
      await agent.destroy();
    }
  };
}

/**
 * For a request that is fetched later: refuses at once what no look-up can change.
 * @throws url_refused
 */
export function refuseObviousUrl(text: string, allowPrivate: readonly string[]): void {
  const url = checkUrl(text);
  const literal = literalAddress(url.hostname);
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  if (literal !== undefined && !addressPolicy(allowPrivate)(literal, port)) throw refused(url.hostname);
}

/** @throws url_refused */
function checkUrl(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw fail('url_refused', 'The URL is malformed.');
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw fail('url_refused', `Only http and https URLs are fetched, not ${url.protocol.slice(0, 20)}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw fail('url_refused', 'The URL holds a user name or password.', {
      hint: 'Use a URL that needs none, such as a signed one.',
    });
  }
  return url;
}

interface Opened {
  target: URL;
  response: Dispatcher.ResponseData;
}

async function follow(
  agent: Agent,
  from: URL,
  limits: FetchLimits,
  signal: AbortSignal,
  more: Record<string, string> = {},
): Promise<Opened> {
  let target = from;
  for (let hop = 0; hop <= MOST_REDIRECTS; hop += 1) {
    const response = await agent.request({
      origin: target.origin,
      path: target.pathname + target.search,
      method: 'GET',
      headers: { 'user-agent': 'Caudal', accept: '*/*', 'accept-encoding': 'identity', ...more },
      headersTimeout: limits.idle_ms,
      bodyTimeout: limits.idle_ms,
      signal,
    });
    const location = header(response, 'location');
    if (REDIRECTS.includes(response.statusCode) && location !== undefined) {
      response.body.on('error', () => undefined).destroy();
      target = checkUrl(location, target);
      continue;
    }
    if (WHOLE.includes(response.statusCode) || (more['range'] && response.statusCode === 206))
      return { target, response };
    response.body.on('error', () => undefined).destroy();
    throw fail('download_failed', `The server answered ${response.statusCode}.`, {
      hint: 'Open the URL in a browser without signing in: it must give the file itself.',
    });
  }
  throw fail('download_failed', `The URL redirects more than ${MOST_REDIRECTS} times.`);
}

/** How far a download has come; it grows while bytes arrive. */
interface Saved {
  bytes: number;
  total: number | undefined;
}

async function saveAll(
  agent: Agent,
  { target, response }: Opened,
  path: string,
  request: FetchOptions,
  signal: AbortSignal,
): Promise<number> {
  const announced = header(response, 'content-length');
  const saved: Saved = { bytes: 0, total: announced === undefined ? undefined : Number(announced) };
  const validator = validatorOf(response);
  let next = response;
  for (let resumes = 0; ; resumes += 1) {
    const before = saved.bytes;
    try {
      await save(next, path, saved, request, signal);
      return saved.bytes;
    } catch (error) {
      const goesOn = saved.bytes > before && resumes < MOST_RESUMES && validator !== undefined;
      if (signal.aborted || !goesOn || !brokeOff(error)) throw error;
      await delay(backoffDelay(resumes, { base: 100, cap: 5_000 }), undefined, { signal });
      next = await resume(agent, target, saved, validator, request.limits, signal).catch(() => {
        throw error;
      });
    }
  }
}

/** What says that it is still the same file: a strong ETag, else when it was changed. RFC 9110 §13.1.5. */
function validatorOf(response: Dispatcher.ResponseData): string | undefined {
  const etag = header(response, 'etag');
  return etag?.startsWith('"') ? etag : header(response, 'last-modified');
}

/** @throws whatever keeps the server from going on exactly where it broke off */
async function resume(
  agent: Agent,
  target: URL,
  saved: Saved,
  validator: string,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const asked = { range: `bytes=${saved.bytes}-`, 'if-range': validator };
  const { response } = await follow(agent, target, limits, signal, asked);
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header(response, 'content-range') ?? '') ?? [];
  const same = Number(start) === saved.bytes && (total === '*' || !saved.total || Number(total) === saved.total);
  if (response.statusCode === 206 && same) return response;
  response.body.on('error', () => undefined).destroy();
  throw new Error('the server does not go on where it broke off');
}

function brokeOff(error: unknown): boolean {
  const codes = [
    'ECONNRESET',
    'EPIPE',
    'UND_ERR_SOCKET',
    'UND_ERR_BODY_TIMEOUT',
    'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  ];
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

async function save(
  response: Dispatcher.ResponseData,
  path: string,
  saved: Saved,
  { limits, onProgress }: FetchOptions,
  signal: AbortSignal,
): Promise<void> {
  if (saved.total !== undefined && saved.total > limits.max_bytes) {
    response.body.on('error', () => undefined).destroy();
    throw tooLarge(limits);
  }
  const from = saved.bytes;
  let received = from;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      if (received > limits.max_bytes) return done(tooLarge(limits));
      onProgress?.(received, saved.total);
      return done(null, chunk);
    },
  });
  const file = createWriteStream(path, { mode: 0o600, flags: from === 0 ? 'w' : 'r+', start: from });
  let broken: { error: unknown } | undefined;
  // What has arrived is written to the end before the break is told: it need not be sent again.
  const arriving = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* response.body as AsyncIterable<Buffer>;
    } catch (error) {
      broken = { error };
    }
  };
  try {
    await pipeline(arriving, meter, file, { signal });
  } finally {
    saved.bytes = from + file.bytesWritten;
  }
  if (broken) throw broken.error;
}

function tooLarge(limits: FetchLimits): CaudalError {
  return fail(limits.too_large ?? 'download_failed', `The file is larger than ${formatBytes(limits.max_bytes)}.`);
}

function header(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const REASONS: Record<string, string> = {
  ENOTFOUND: 'The host could not be found.',
  EAI_AGAIN: 'The host could not be looked up at the moment.',
  ECONNREFUSED: 'The host refused the connection.',
  ECONNRESET: 'The connection broke.',
  EHOSTUNREACH: 'The host cannot be reached.',
  ENETUNREACH: 'The host cannot be reached.',
  ETIMEDOUT: 'The host did not answer in time.',
  UND_ERR_CONNECT_TIMEOUT: 'The host did not answer in time.',
  UND_ERR_HEADERS_TIMEOUT: 'The host did not answer in time.',
  UND_ERR_BODY_TIMEOUT: 'The host stopped sending.',
  UND_ERR_SOCKET: 'The connection broke before the file was complete.',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'The file is not as long as the server said.',
};

/** A refusal inside of the connector may come wrapped; what is the disk's or ours stays what it is. */
function failure(error: unknown, overdue: boolean, limits: FetchLimits): unknown {
  const chain: unknown[] = [];
  for (let each = error; each instanceof Error && chain.length < 5; each = each.cause) {
    chain.push(each, ...(each instanceof AggregateError ? each.errors : []));
  }
  const ours = chain.find((each) => each instanceof CaudalError);
  if (ours) return ours;
  if (overdue)
    return fail('download_failed', `The download took longer than ${Math.round(limits.timeout_ms / 1000)} s.`);
  const codes = chain.map((each) => (each as NodeJS.ErrnoException).code ?? '');
  if (codes.includes('ENOSPC')) return fail('storage_full', 'The disk is full.', { cause: error });
  const known = codes.find((code) => Object.hasOwn(REASONS, code));
  if (known !== undefined) return fail('download_failed', REASONS[known] ?? '', { cause: error });
  const tls = codes.find((code) => /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code));
  if (tls) return fail('download_failed', `The host's TLS certificate is not accepted (${tls}).`, { cause: error });
  if (codes.some((code) => code.startsWith('HPE_') || code.startsWith('UND_ERR'))) {
    return fail('download_failed', 'The host does not speak proper HTTP.', { cause: error });
  }
  return error;
}

const EXTENDED = /filename\*\s*=\s*UTF-8''([^;\s]+)/i;
const PLAIN = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i;

/** RFC 6266: the extended name first; else the last step of the path. Directories are cut off. */
function filenameOf(disposition: string | undefined, url: URL): string | undefined {
  const text = disposition ?? '';
  const extended = EXTENDED.exec(text)?.[1];
  const plain = PLAIN.exec(text);
  const named = (extended && decoded(extended)) || plain?.[1]?.replaceAll(/\\(.)/g, '$1') || plain?.[2];
  const name = (named || decoded(url.pathname)).replaceAll('\u0000', '').split(/[/\\]/).at(-1)?.trim();
  return name ? name.slice(0, 1000).toWellFormed() : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
