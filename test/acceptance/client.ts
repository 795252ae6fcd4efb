import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import type { File } from '#contract/files.ts';
import type { Task } from '#contract/tasks.ts';
import { startUpload, type Upload, type UploadOptions } from '#contract/upload-client.ts';
import { PATIENCE_MS, until } from './caudal.ts';

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape; the assertions say which
  body: any;
  text: string;
}

export interface CallOptions {
  body?: unknown;
  /** Sent as multipart/form-data instead. */
  form?: FormData;
  headers?: Record<string, string>;
  /** Null: nobody. */
  token?: string | null;
  signal?: AbortSignal;
}

/** HTTP as a program of somebody's would speak it. */
export interface Client {
  url: string;
  token: string;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The body of a 2xx. @throws on any other status */
  // biome-ignore lint/suspicious/noExplicitAny: as in Answer
  get(path: string): Promise<any>;
  /** One value per row, of one column. */
  sql(query: string): Promise<Record<string, unknown>[]>;
  upload(name: string, data: Blob | Buffer | string, options?: Partial<UploadOptions>): Upload;
  uploadPath(path: string, options?: Partial<UploadOptions>): Promise<Upload>;
  /** Waits for the load: `loaded` or `failed`. */
  settled(fileId: string, ms?: number): Promise<File>;
  task(id: string, ms?: number): Promise<Task>;
  /** Uploads and waits for the load. */
  load(name: string, data: Blob | Buffer | string, options?: Partial<UploadOptions>): Promise<File>;
}

/** While a process restarts there is no answer or a 503; whoever waits for something asks again. */
async function patiently<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export function createClient(url: string, token: string): Client {
  async function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body, form, headers = {}, token: as = token, signal } = options;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(new URL(path, url), {
      method,
      redirect: 'manual',
      headers: {
        ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
        ...(as === null ? {} : { authorization: `Bearer ${as}` }),
        ...headers,
      },
      ...(form ? { body: form } : {}),
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: json && text ? JSON.parse(text) : text };
  }
  async function get(path: string): Promise<unknown> {
    const answer = await call('GET', path);
    if (answer.status >= 300) throw new Error(`GET ${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
    return answer.body;
  }
  const authorized: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
  function upload(name: string, data: Blob | Buffer | string, options: Partial<UploadOptions> = {}): Upload {
    const source = data instanceof Blob ? data : new Blob([typeof data === 'string' ? data : new Uint8Array(data)]);
    return startUpload({ base_url: `${url}/`, fetch: authorized, filename: name, source, tries: 30, ...options });
  }
  async function settled(fileId: string, ms = PATIENCE_MS): Promise<File> {
    return until(
      `the load of ${fileId}`,
      async () => {
        const answer = await patiently(() => call('GET', `/files/${fileId}`));
        if (!answer || answer.status === 503) return undefined;
        assert.equal(answer.status, 200, answer.text);
        return ['loaded', 'failed'].includes(answer.body.state) ? answer.body : undefined;
      },
      ms,
    );
  }
  return {
    url,
    token,
    call,
    get,
    async sql(query) {
      const answer = await call('POST', '/sql', { body: { query } });
      assert.equal(answer.status, 200, answer.text);
      return answer.body.rows;
    },
    upload,
    uploadPath: async (path, options) => upload(basename(path), await openAsBlob(path), options),
    settled,
    async task(id, ms = PATIENCE_MS) {
      return until(
        `the end of task ${id}`,
        async () => {
          const answer = await patiently(() => call('GET', `/tasks/${id}`));
          if (!answer || answer.status === 503) return undefined;
          assert.equal(answer.status, 200, answer.text);
          return ['queued', 'running'].includes(answer.body.status) ? undefined : answer.body;
        },
        ms,
      );
    },
    async load(name, data, options) {
      const { file, task } = await upload(name, data, options).done;
      return task ? settled(file.id) : file;
    },
  };
}

/** A user with a workspace of their own, signed in. */
export async function signUp(client: Client, username: string): Promise<Client & { workspace_id: string }> {
  const password = 'Correct-horse-7';
  const email = `${username}@example.com`;
  const made = await client.call('POST', '/auth/signup', {
    token: null,
    body: { username, email, password, password_2: password },
  });
  assert.equal(made.status, 201, made.text);
  const { body } = await client.call('POST', '/auth/login', { token: null, body: { email, password } });
  return { ...createClient(client.url, body.token), workspace_id: made.body.workspace_id };
}

/** A token of the caller's workspace with these scopes only. */
export async function tokenWith(client: Client, scopes: string[]): Promise<string> {
  const made = await client.call('POST', '/tokens', { body: { name: scopes.join(' ') || 'none', scopes } });
  assert.equal(made.status, 201, made.text);
  return made.body.token;
}

/** Of a 4xx: its code, after checking that it is a problem document that does not contradict its status. */
export function problemCode(answer: Answer): string {
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/, answer.text.slice(0, 300));
  assert.equal(answer.body.status, answer.status);
  assert.ok(answer.body.title && answer.body.detail && answer.body.code, answer.text);
  assert.doesNotMatch(answer.text, /\n\s+at |node_modules/);
  return answer.body.code;
}
