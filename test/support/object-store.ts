import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { FastifyRequest } from 'fastify';
import pino from 'pino';
import type { Principal } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { createServer } from '#platform/http/server.ts';
import { type DiskStore, type DiskStoreOptions, openDiskStore } from '#platform/objects/disk-store.ts';
import { type LedgerOptions, postgresPartLedger } from '#platform/objects/part-ledger.ts';
import { type SignedRouteOptions, signedObjectRoutes } from '#platform/objects/signed-routes.ts';
import type { MultipartUpload } from '#platform/objects/store.ts';
import { tracePlugin } from '#platform/observe/plugin.ts';

/** A directory that goes when the test file ends. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'caudal-test-'));
  after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A disk store in a directory of its own; what differs from the defaults is the test's. */
export async function testDiskStore(
  db: Db,
  options: Partial<DiskStoreOptions> & { lease?: LedgerOptions } = {},
): Promise<DiskStore> {
  const { lease, ...rest } = options;
  const store = await openDiskStore({
    root: rest.root ?? (await temporaryDirectory()),
    signingKey: randomBytes(32),
    ledger: postgresPartLedger(db, lease),
    diskFloor: 0,
    ...rest,
  });
  after(() => store.close());
  return store;
}

export async function insertWorkspace(db: Db): Promise<string> {
  const id = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${id}, 'test')`.execute(db);
  return id;
}

/** The rows that `POST /uploads` would have written, for tests of what lies below it. */
export async function insertUpload(db: Db, workspace: string, upload: MultipartUpload): Promise<void> {
  const file = newId();
  await sql`INSERT INTO files (id, workspace_id, filename, size, object_key, state)
            VALUES (${file}, ${workspace}, 'test.bin', ${upload.size}, ${upload.key}, 'pending')`.execute(db);
  await sql`INSERT INTO uploads (id, workspace_id, file_id, state, size, part_size, part_count, expires_at)
            VALUES (${upload.id}, ${workspace}, ${file}, 'open', ${upload.size}, ${upload.part_size},
                    ${upload.part_count}, now() + interval '1 day')`.execute(db);
}

/** A gateway on a free port with the given routes; closed when the test file ends. */
export async function listeningApp(
  db: Db,
  routes: (app: App) => void | Promise<void>,
  principal: (request: FastifyRequest) => Principal | null = () => null,
): Promise<{ app: App; origin: string }> {
  const app = await createServer({
    log: pino({ level: 'silent' }),
    db,
    version: '0.0.0',
    limits: { workspace: 1e6, anonymous: 1e6 },
    authenticate: async (request) => principal(request),
    trace: tracePlugin,
  });
  await routes(app);
  await app.listen({ port: 0, host: '127.0.0.1' });
  after(async () => {
    app.server.closeAllConnections();
    await app.close();
  });
  return { app, origin: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` };
}

export const signedRoutes =
  (store: DiskStore, options?: SignedRouteOptions) =>
  async (app: App): Promise<void> => {
    await app.register(signedObjectRoutes(store, options));
  };
