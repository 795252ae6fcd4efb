import { backoffDelay } from '#kernel/backoff.ts';

/** What a server or the network answered that was not success, for a program and for a person. */
export class ApiError extends Error {
  readonly status: number;
  /** The problem document's stable code; `network` when there was no answer. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly trace_id: string | undefined;

  constructor(status: number, code: string, message: string, extras: { hint?: string; trace_id?: string } = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.hint = extras.hint;
    this.trace_id = extras.trace_id;
  }
}

export interface RetryOptions {
  /** Tries in all. */
  tries: number;
  signal: AbortSignal;
  /** Resolves after `ms`, or rejects when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  random?: () => number;
}

const BASE_MS = 300;
const CAP_MS = 15_000;
const PASSING_STATUS = [408, 425, 429, 500, 502, 503, 504];
const PASSING_CODES = ['network', 'part_in_flight', 'length_mismatch', 'idempotency_in_flight'];

/** True for what may be different a moment later: the network, a busy server, a part whose writer just died. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (PASSING_STATUS.includes(error.status) || PASSING_CODES.includes(error.code));
}

/**
 * Calls until it succeeds, an error will not pass, or the tries are used up; between tries it waits as
 * the server says (Retry-After), at least with exponential backoff.
 */
export async function retrying<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    options.signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isPassing(error) || attempt + 1 >= options.tries) throw error;
      const asked = (error as { retry_after_ms?: number }).retry_after_ms ?? 0;
      const backoff = backoffDelay(attempt, {
        base: BASE_MS,
        cap: CAP_MS,
        ...(options.random ? { random: options.random } : {}),
      });
      await options.wait(Math.max(asked, backoff), options.signal);
    }
  }
}

/** One request: anything but success, also no answer at all, becomes an ApiError. */
export async function request(send: typeof fetch, url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await send(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    throw new ApiError(0, 'network', `The server could not be reached: ${(error as Error).message}`);
  }
  if (response.ok) return response;
  throw await toApiError(response);
}

async function toApiError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const problem = readProblem(text);
  const error = new ApiError(
    response.status,
    problem.code ?? `http_${response.status}`,
    problem.detail ?? `The server answered ${response.status}.`,
    {
      ...(problem.hint ? { hint: problem.hint } : {}),
      ...(problem.trace_id ? { trace_id: problem.trace_id } : {}),
    },
  );
  const seconds = Number(response.headers.get('retry-after'));
  return seconds > 0 ? Object.assign(error, { retry_after_ms: seconds * 1000 }) : error;
}

/** A proxy's error page is not a problem document. */
function readProblem(text: string): Partial<Record<'code' | 'detail' | 'hint' | 'trace_id', string>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Waits on a timer; the one thing here that is a side effect, so that tests can hand in another. */
export function waitTimer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
