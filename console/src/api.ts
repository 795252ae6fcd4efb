import { ApiError } from '../../src/contract/retrying-fetch.ts';
import { endSession } from './session.ts';

export { ApiError };

/** An answer of the API that is not 2xx, in its own words (problem+json). */
export class Refusal extends ApiError {
  readonly fields: readonly { field: string; code: string; message: string }[];
  /** Character of the query, from 0, where a SQL error is. */
  readonly position: number | undefined;

  constructor(status: number, problem: Record<string, unknown>) {
    super(status, textOf(problem['code']) ?? `http_${status}`, textOf(problem['detail']) ?? `HTTP ${status}`, {
      ...optional('hint', textOf(problem['hint'])),
      ...optional('trace_id', textOf(problem['trace_id'])),
    });
    this.fields = Array.isArray(problem['errors']) ? (problem['errors'] as Refusal['fields']) : [];
    this.position = typeof problem['position'] === 'number' ? problem['position'] : undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, string>>);
}

/** What a wrong password, too, is answered with: there is no session to end. */
const SIGN_IN = '/auth/login';

/** `fetch` with the session's cookie; a 401 ends the session, so that the page asks to sign in. */
export const sessionFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (response.status === 401 && new URL(response.url, location.href).pathname !== SIGN_IN) endSession();
  return response;
};

interface CallOptions {
  body?: unknown;
  signal?: AbortSignal;
  accept?: string;
}

async function answer(method: string, path: string, { body, signal, accept }: CallOptions): Promise<Response> {
  let response: Response;
  try {
    response = await sessionFetch(path, {
      method,
      headers: {
        accept: accept ?? 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ApiError(0, 'network', (error as Error).message);
  }
  if (response.ok) return response;
  throw new Refusal(response.status, await response.json().catch(() => ({})));
}

/** @throws ApiError; code `network` when there was no answer at all */
export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await answer(method, path, { body, ...(signal ? { signal } : {}) });
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>('GET', path, undefined, signal);
}

/** An answer that is a file. @throws ApiError */
export async function download(path: string, body: unknown, accept: string): Promise<Blob> {
  return (await answer('POST', path, { body, accept })).blob();
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface RowsPage {
  columns: { name: string; type: string }[];
  rows: Record<string, unknown>[];
  next_cursor: string | null;
  version: number;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: Record<string, unknown>[];
  truncated: boolean;
}

/** `/files?limit=50`, and further pages of it. */
export function pagePath(path: string, cursor: string): string {
  return cursor === '' ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
}

export function datasetPath(name: string): string {
  return `/datasets/${encodeURIComponent(name)}`;
}
