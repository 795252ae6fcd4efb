import { ApiError, type RetryOptions, request, retrying } from './retrying-fetch.ts';
import type { CompletedUpload, NewUpload, PartUrl, PartUrls, StartedUpload, UploadStatus } from './uploads.ts';

/** What a span may wrap: the call gets headers (`traceparent`) to send along. */
export type TraceCall = <T>(
  name: string,
  attributes: Record<string, string | number>,
  call: (headers: Record<string, string>) => Promise<T>,
) => Promise<T>;

export interface UploadCallOptions {
  /** Of the gateway; signed URLs may be relative to it. */
  base_url: string;
  /** Signed in: adds the token or cookie. */
  fetch: typeof fetch;
  trace: TraceCall;
  retry: RetryOptions;
}

export interface UploadCalls {
  begin(input: NewUpload): Promise<{ status: UploadStatus; urls: PartUrl[] }>;
  status(id: string): Promise<UploadStatus>;
  sign(id: string, part_numbers: number[]): Promise<PartUrl[]>;
  complete(id: string, parts: ReadonlyMap<number, string | null>): Promise<CompletedUpload>;
  /** Not stopped by the retry's signal: it is what one calls after stopping. */
  remove(id: string): Promise<void>;
}

/** The calls of an upload, each retried and each in a span of its own. */
export function uploadCalls({ base_url, fetch: send, trace, retry }: UploadCallOptions): UploadCalls {
  const call = <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> =>
    retrying(async () => {
      const response = await request(send, absolute(base_url, path), {
        method,
        signal: retry.signal,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return (await response.json()) as T;
    }, retry);
  return {
    begin: (input) =>
      trace('begin upload', { 'caudal.bytes': input.size }, async (headers) => {
        const key = { ...headers, 'idempotency-key': randomKey() };
        const { urls, ...started } = await call<StartedUpload>('POST', '/uploads', input, key);
        const { filename, size } = input;
        return { urls, status: { ...started, filename, size, state: 'open', parts: [] } };
      }),
    status: (id) => call('GET', `/uploads/${id}`),
    sign: (id, part_numbers) =>
      trace('sign parts', { 'caudal.upload.id': id }, async (headers) => {
        const signed = await call<PartUrls>('POST', `/uploads/${id}/urls`, { part_numbers }, headers);
        return signed.urls;
      }),
    complete: (id, parts) =>
      trace('complete upload', { 'caudal.upload.id': id }, (headers) => {
        const list = [...parts].map(([part_number, etag]) => ({ part_number, etag: etag ?? '' }));
        return call('POST', `/uploads/${id}/complete`, { parts: list }, headers);
      }),
    remove: async (id) => {
      await request(send, absolute(base_url, `/uploads/${id}`), { method: 'DELETE' });
    },
  };
}

export function absolute(base: string, path: string): string {
  return new URL(path, base).href;
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const MOST_URLS = 32;

/**
 * Signed URLs of the parts that are still to be sent. One request signs the next ones for all
 * senders that wait.
 */
export function urlBook(
  known: PartUrl[],
  wanted: (part: number) => boolean,
  sign: (parts: number[]) => Promise<PartUrl[]>,
) {
  const urls = new Map(known.map(({ part_number, url }) => [part_number, url]));
  let signing: Promise<void> | undefined;

  const fill = async (part: number, last: number): Promise<void> => {
    const numbers = [part];
    for (let next = part + 1; next <= last && numbers.length < MOST_URLS; next += 1) {
      if (wanted(next) && !urls.has(next)) numbers.push(next);
    }
    for (const { part_number, url } of await sign(numbers)) urls.set(part_number, url);
    if (!urls.has(part)) throw new ApiError(0, 'no_url', `The server signed no URL for part ${part}.`);
  };
  return {
    forget: (part: number) => urls.delete(part),
    of: async (part: number, last: number): Promise<string> => {
      for (;;) {
        const url = urls.get(part);
        if (url !== undefined) return url;
        if (signing) {
          await signing;
          continue;
        }
        signing = fill(part, last);
        try {
          await signing;
        } finally {
          signing = undefined;
        }
      }
    },
  };
}
