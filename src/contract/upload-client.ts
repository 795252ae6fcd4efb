import { ApiError, type RetryOptions, request, retrying, waitTimer } from './retrying-fetch.ts';
import { absolute, type TraceCall, type UploadCalls, uploadCalls, urlBook } from './upload-calls.ts';
import type { CompletedUpload, NewUpload, PartUrl, UploadStatus } from './uploads.ts';

/** What is uploaded. A browser's File is one; in Node `fs.openAsBlob` makes one that reads as it is sent. */
export interface UploadSource {
  size: number;
  slice(start: number, end: number): Blob | Uint8Array<ArrayBuffer>;
}

export interface UploadProgress {
  /** Bytes that are there or on their way. */
  sent: number;
  size: number;
  parts_done: number;
  part_count: number;
}

/**
 * Sends one part. The default is `fetch`, which cannot say how far it is; a browser hands in one on
 * XMLHttpRequest that calls `onBytes`. Signed URLs need no credentials and must not get any.
 * @returns the ETag, or null where the answer does not show it
 */
export type SendPart = (
  url: string,
  body: Blob | Uint8Array<ArrayBuffer>,
  options: { signal: AbortSignal; headers: Record<string, string>; onBytes(sent: number): void },
) => Promise<string | null>;

export interface UploadOptions extends Omit<NewUpload, 'size'> {
  /** Of the gateway; signed URLs may be relative to it. */
  base_url: string;
  /** Signed in: adds the token or cookie. */
  fetch: typeof fetch;
  source: UploadSource;
  /** Id of an earlier upload of the same file: only what is missing is sent. */
  resume?: string;
  /** Parts at a time. */
  parallel?: number;
  /** Tries per call; with the backoff 10 bridge about a minute without network. */
  tries?: number;
  /** Stops without a word to the server: the upload can be resumed. */
  signal?: AbortSignal;
  /** As soon as the upload has an id: what a later `resume` needs. */
  onStarted?(upload: UploadStatus): void;
  onProgress?(progress: UploadProgress): void;
  send?: SendPart;
  trace?: TraceCall;
  wait?: RetryOptions['wait'];
}

export interface Upload {
  /** Resolves when the file is stored (its load, if any, is `task`); rejects with ApiError or the abort's reason. */
  done: Promise<CompletedUpload>;
  /** Stops sending; parts under way are sent again later. */
  pause(): void;
  resume(): void;
  /** Ends the upload and removes what has arrived. */
  abort(): Promise<void>;
}

class Aborted extends Error {
  override name = 'AbortError';
}

/** Uploads one file in parallel parts, with retries, pause and resume. */
export function startUpload(options: UploadOptions): Upload {
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const retry: RetryOptions = { tries: options.tries ?? 10, signal, wait: options.wait ?? waitTimer };
  const trace: TraceCall = options.trace ?? ((_name, _attributes, call) => call({}));
  const calls = uploadCalls({ base_url: options.base_url, fetch: options.fetch, trace, retry });
  const brake = makeBrake(signal);
  let id: string | undefined;
  const done = run({ options, calls, trace, retry, brake, stop: (error) => stopping.abort(error) }, (status) => {
    id = status.upload_id;
    options.onStarted?.(status);
  });
  return {
    done,
    pause: brake.pause,
    resume: brake.release,
    abort: async () => {
      stopping.abort(new Aborted('The upload was cancelled.'));
      await done.catch(() => undefined);
      if (id !== undefined) await calls.remove(id);
    },
  };
}

interface Run {
  options: UploadOptions;
  calls: UploadCalls;
  trace: TraceCall;
  retry: RetryOptions;
  brake: Brake;
  /** Ends all senders when one has failed for good. */
  stop(error: unknown): void;
}

const ROUNDS = 3;

/** When the server misses a part that we think it has, what arrived is looked up and the rest is sent. */
async function run(it: Run, onStarted: (status: UploadStatus) => void): Promise<CompletedUpload> {
  const { options, calls } = it;
  const { status, urls } = options.resume === undefined ? await begin(it) : await resumed(it, options.resume);
  onStarted(status);
  let arrived = etagsOf(status);
  for (let round = 1; ; round += 1) {
    if (status.state === 'open') await sendMissing(it, status, arrived, round === 1 ? urls : []);
    if ([...arrived.values()].includes(null)) arrived = etagsOf(await calls.status(status.upload_id));
    try {
      return await calls.complete(status.upload_id, arrived);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'upload_incomplete') || round === ROUNDS) throw error;
      arrived = etagsOf(await calls.status(status.upload_id));
    }
  }
}

type Etags = Map<number, string | null>;

function etagsOf(status: UploadStatus): Etags {
  return new Map(status.parts.map(({ part_number, etag }) => [part_number, etag]));
}

interface Begun {
  status: UploadStatus;
  urls: PartUrl[];
}

function begin({ options, calls }: Run): Promise<Begun> {
  const { filename, content_type, sha256, dataset, load, source } = options;
  return calls.begin({ filename, size: source.size, content_type, sha256, dataset, load });
}

async function resumed({ options, calls }: Run, id: string): Promise<Begun> {
  const status = await calls.status(id);
  if (status.size !== options.source.size || status.filename !== options.filename) {
    throw new ApiError(409, 'other_file', 'This is not the file that the upload was begun with.');
  }
  if (status.state === 'aborted') throw new ApiError(409, 'upload_closed', 'The upload was aborted.');
  return { status, urls: [] };
}

async function sendMissing(it: Run, status: UploadStatus, arrived: Etags, urls: PartUrl[]): Promise<void> {
  const underway = new Map<number, number>();
  const book = urlBook(
    urls,
    (part) => !arrived.has(part),
    (parts) => it.calls.sign(status.upload_id, parts),
  );
  const report = (): void => {
    let sent = 0;
    for (const part of arrived.keys()) sent += lengthOf(status, part);
    for (const bytes of underway.values()) sent += bytes;
    it.options.onProgress?.({ sent, size: status.size, parts_done: arrived.size, part_count: status.part_count });
  };
  const onBytes = (part: number, sent: number | undefined): void => {
    if (sent === undefined) underway.delete(part);
    else underway.set(part, sent);
    report();
  };
  let next = 1;
  const sender = async (): Promise<void> => {
    for (let part = next++; part <= status.part_count; part = next++) {
      if (arrived.has(part)) continue;
      const etag = await sendPart(it, status, part, book, (sent) => onBytes(part, sent));
      underway.delete(part);
      arrived.set(part, etag);
      report();
    }
  };
  report();
  try {
    await Promise.all(Array.from({ length: it.options.parallel ?? 4 }, sender));
  } catch (error) {
    it.stop(error);
    throw error;
  }
}

/** A pause is no failure, and a URL that grew old while it lasted is signed anew. */
async function sendPart(
  it: Run,
  status: UploadStatus,
  part: number,
  book: ReturnType<typeof urlBook>,
  onBytes: (sent: number | undefined) => void,
): Promise<string | null> {
  const { options, retry, brake } = it;
  const send = options.send ?? sendByFetch;
  const start = (part - 1) * status.part_size;
  const attributes = { 'caudal.upload.id': status.upload_id, 'caudal.part.number': part };
  for (;;) {
    await brake.released();
    const url = absolute(options.base_url, await book.of(part, status.part_count));
    const signal = brake.signal();
    const body = options.source.slice(start, start + lengthOf(status, part));
    const attempt = (): Promise<string | null> =>
      it.trace('put part', attributes, (headers) => send(url, body, { headers, signal, onBytes }));
    try {
      return await retrying(attempt, { ...retry, signal });
    } catch (error) {
      retry.signal.throwIfAborted();
      onBytes(undefined);
      if (signal.aborted) continue;
      if (!(error instanceof ApiError && error.code === 'signature_expired')) throw error;
      book.forget(part);
    }
  }
}

type Brake = ReturnType<typeof makeBrake>;

/** `signal` is that of the parts under way: aborted by a pause, and with everything else. */
function makeBrake(whole: AbortSignal) {
  let pausing = new AbortController();
  let signal = AbortSignal.any([whole, pausing.signal]);
  let gate: PromiseWithResolvers<void> | undefined;
  whole.addEventListener('abort', () => gate?.reject(whole.reason), { once: true });
  return {
    signal: () => signal,
    released: async (): Promise<void> => {
      whole.throwIfAborted();
      await gate?.promise;
    },
    pause: (): void => {
      if (gate) return;
      gate = Promise.withResolvers<void>();
      gate.promise.catch(() => undefined);
      pausing.abort(new Aborted('paused'));
    },
    release: (): void => {
      pausing = new AbortController();
      signal = AbortSignal.any([whole, pausing.signal]);
      gate?.resolve();
      gate = undefined;
    },
  };
}

function lengthOf(upload: UploadStatus, part: number): number {
  return Math.min(upload.part_size, upload.size - (part - 1) * upload.part_size);
}

async function sendByFetch(...[url, body, { signal, headers }]: Parameters<SendPart>): Promise<string | null> {
  const response = await request(fetch, url, { method: 'PUT', body, signal, headers });
  await response.text();
  return response.headers.get('etag');
}
