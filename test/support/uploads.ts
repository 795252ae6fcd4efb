import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { after } from 'node:test';
import pino from 'pino';
import { type Principal, ROLE_SCOPES } from '#contract/principal.ts';
import type { StartedUpload } from '#contract/uploads.ts';
import { deleteFile } from '#features/loading/delete-file.handler.ts';
import { getTask, toTask } from '#features/tasks/tasks.ts';
import type { UploadDeps, UploadSettings } from '#features/uploads/deps.ts';
import { fileRoutes } from '#features/uploads/files.route.ts';
import { uploadRoutes } from '#features/uploads/uploads.route.ts';
import { systemClock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import type { App } from '#platform/http/app.ts';
import type { DiskStore, DiskStoreOptions } from '#platform/objects/disk-store.ts';
import { signedObjectRoutes } from '#platform/objects/signed-routes.ts';
import { createEnqueue } from '#platform/queue/enqueue.ts';
import { migrateQueue, openQueue } from '#platform/queue/queue.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { insertWorkspace, listeningApp, testDiskStore } from './object-store.ts';

export interface UploadHouse {
  database: TestDatabase;
  store: DiskStore;
  deps: UploadDeps;
  origin: string;
  principal: Principal;
  /** Calls the API as `as` (default: an editor of the first workspace). */
  call(
    method: string,
    path: string,
    body?: unknown,
    as?: Principal | null,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  stranger(): Promise<Principal>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape; the assertions say which
  body: any;
}

export interface HouseOptions {
  store?: Parameters<typeof testDiskStore>[1] & Partial<DiskStoreOptions>;
  settings?: Partial<UploadSettings>;
  routes?: (app: App) => void;
}

const editorOf = (workspace_id: string): Principal => ({
  kind: 'user',
  user_id: newId(),
  username: 'ana',
  workspace_id,
  role: 'editor',
  scopes: ROLE_SCOPES.editor,
  operator: false,
  credential_id: newId(),
});

const AS = 'x-test-principal';

/** The uploads room behind a real gateway, with a real disk store and a real queue. */
export async function uploadHouse(options: HouseOptions = {}): Promise<UploadHouse> {
  const database = await testDatabase();
  const { db } = database;
  await migrateQueue(database.url);
  const queue = await openQueue({ url: database.url, log: pino({ level: 'silent' }), supervise: false, works: false });
  after(() => queue.stop());
  const store = await testDiskStore(db, options.store);
  const principals = new Map<string, Principal>();
  const enqueue = createEnqueue(queue);
  const tools = { db, objects: store, enqueue, temp_dir: tmpdir(), memory_bytes: 2 ** 28, threads: 1 };
  const deps: UploadDeps = {
    db,
    store,
    enqueue,
    removeStored: (request) => deleteFile(tools, request),
    describeTask: async (workspace, id) => toTask(await getTask(db, workspace, id)),
    settings: { max_bytes: 100e9, retention_ms: 86_400_000, url_lifetime_ms: 3_600_000, ...options.settings },
    clock: systemClock,
  };
  const { origin } = await listeningApp(
    db,
    async (app) => {
      options.routes?.(app);
      await app.register(signedObjectRoutes(store));
      await app.register(uploadRoutes(deps));
      await app.register(fileRoutes(deps));
    },
    (request) => principals.get(String(request.headers[AS])) ?? null,
  );
  const known = (principal: Principal): Principal => {
    principals.set(principal.user_id, principal);
    return principal;
  };
  const principal = known(editorOf(await insertWorkspace(db)));
  return {
    database,
    store,
    deps,
    origin,
    principal,
    stranger: async () => known(editorOf(await insertWorkspace(db))),
    call: async (method, path, body, as = principal, headers = {}) => {
      const response = await fetch(new URL(path, origin), {
        method,
        redirect: 'manual',
        headers: {
          ...headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(as ? { [AS]: known(as).user_id } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = (response.headers.get('content-type') ?? '').includes('json');
      return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
    },
  };
}

/** `fetch` as the first principal, for the upload client. */
export function fetchAs(house: UploadHouse): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set(AS, house.principal.user_id);
    return fetch(input, { ...init, headers });
  };
}

/** Begins, sends every part and returns what `complete` wants. */
export async function sendParts(house: UploadHouse, input: Record<string, unknown>, data: Buffer) {
  const begun = await house.call('POST', '/uploads', { size: data.length, ...input });
  assert.equal(begun.status, 201, JSON.stringify(begun.body));
  const upload = begun.body as StartedUpload;
  const parts = await Promise.all(
    upload.urls.map(async ({ part_number, url }) => {
      const start = (part_number - 1) * upload.part_size;
      const body = new Uint8Array(data.subarray(start, start + upload.part_size));
      const response = await fetch(new URL(url, house.origin), { method: 'PUT', body });
      assert.equal(response.status, 200, await response.text());
      return { part_number, etag: response.headers.get('etag') ?? '' };
    }),
  );
  return { upload, parts };
}

/** The whole way: a stored file. */
export async function uploadWhole(house: UploadHouse, input: Record<string, unknown>, data: Buffer) {
  const { upload, parts } = await sendParts(house, input, data);
  const done = await house.call('POST', `/uploads/${upload.upload_id}/complete`, { parts });
  assert.equal(done.status, 202, JSON.stringify(done.body));
  return { upload, parts, file: done.body.file, task: done.body.task };
}
