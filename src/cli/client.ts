import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

/** No Caudal answers there. */
export class Unreachable extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Unreachable';
    this.hint = hint;
  }
}

interface ProblemDocument {
  status?: number;
  title?: string;
  detail?: string;
  code?: string;
  hint?: string;
  trace_id?: string;
  errors?: { field: string; code: string; message: string }[];
}

/** The gateway said no: RFC 9457, as it was sent. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly trace_id: string | undefined;
  readonly fields: { field: string; message: string }[];

  constructor(status: number, problem: ProblemDocument) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.name = 'Refused';
    this.status = status;
    this.code = problem.code ?? `http_${status}`;
    this.hint = problem.hint;
    this.trace_id = problem.trace_id;
    this.fields = problem.errors ?? [];
  }
}

export interface Call {
  method?: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON, unless it is bytes. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Client {
  readonly url: string;
  readonly token: string;
  /** @throws Refused, Unreachable */
  get<T>(path: string, query?: Call['query']): Promise<T>;
  post<T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
  delete<T>(path: string): Promise<T>;
  /** The answer as it comes; refused ones throw. */
  call(path: string, call?: Call): Promise<Response>;
}

/** The gateway as any client sees it: a URL and a token. */
export function createClient(url: string, token: string, signal: AbortSignal): Client {
  async function call(path: string, options: Call = {}): Promise<Response> {
    const target = new URL(path, `${url}/`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) target.searchParams.append(name, String(value));
    }
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
    // The token goes to the gateway and nowhere else, such as to a signed URL of S3.
    if (target.origin === new URL(url).origin) headers['authorization'] = `Bearer ${token}`;
    const { body: given } = options;
    const body = given === undefined || given instanceof Uint8Array ? given : JSON.stringify(given);
    if (body !== undefined) headers['content-type'] ??= 'application/json';
    const response = await fetch(target, {
      method: options.method ?? 'GET',
      headers,
      signal: options.signal ? AbortSignal.any([signal, options.signal]) : signal,
      ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
    }).catch((error: Error) => {
      throw error.name === 'AbortError' || signal.aborted ? error : unreachable(url, error);
    });
    if (!response.ok) throw new Refused(response.status, await problemOf(response));
    return response;
  }
  async function json<T>(path: string, options: Call): Promise<T> {
    const response = await call(path, options);
    const text = await response.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  return {
    url,
    token,
    call,
    get: (path, query) => json(path, query ? { query } : {}),
    post: (path, body, headers) => json(path, { method: 'POST', body: body ?? {}, ...(headers ? { headers } : {}) }),
    delete: (path) => json(path, { method: 'DELETE' }),
  };
}

function unreachable(url: string, cause: Error): Unreachable {
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  const code = (inner as NodeJS.ErrnoException).code;
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : (code ?? inner.message);
  return new Unreachable(
    `Caudal does not answer at ${url} (${why}).`,
    'Start it with `make run` or `./caudal up`, or set CAUDAL_URL.',
    cause,
  );
}

async function problemOf(response: Response): Promise<ProblemDocument> {
  const text = await response.text().catch(() => '');
  try {
    return JSON.parse(text) as ProblemDocument;
  } catch {
    return { detail: `HTTP ${response.status}: ${text.slice(0, 200)}` };
  }
}

/** A response's bytes as a Node stream. */
export async function bodyOf(response: Response): Promise<Readable> {
  const { Readable } = await import('node:stream');
  return response.body ? Readable.fromWeb(response.body as ReadableStream) : Readable.from([]);
}

/** An id or a name as one segment of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}
