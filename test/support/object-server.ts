import pino from 'pino';
import { openDatabase } from '#platform/db/db.ts';
import { loadSecretKey } from '#platform/db/secret-key.ts';
import { createServer } from '#platform/http/server.ts';
import { openDiskStore } from '#platform/objects/disk-store.ts';
import { postgresPartLedger } from '#platform/objects/part-ledger.ts';
import { signedObjectRoutes } from '#platform/objects/signed-routes.ts';

/**
 * An instance that serves signed URLs, to be killed: `node object-server.ts DATABASE_URL ROOT LEASE_MS`.
 * Sends its port over IPC.
 */
const [url = '', root = '', leaseMs = ''] = process.argv.slice(2);
const { db } = openDatabase({ url, applicationName: 'object-server', onError: () => undefined });
const store = await openDiskStore({
  root,
  signingKey: await loadSecretKey(db, 'objects.signing_key'),
  ledger: postgresPartLedger(db, { leaseMs: Number(leaseMs) }),
  diskFloor: 0,
});
const app = await createServer({
  log: pino({ level: 'silent' }),
  db,
  version: '0.0.0',
  limits: { workspace: 1e6, anonymous: 1e6 },
  authenticate: async () => null,
});
await app.register(signedObjectRoutes(store));
await app.listen({ port: 0, host: '127.0.0.1' });
const address = app.server.address();
process.send?.({ port: typeof address === 'object' ? address?.port : null, rss: process.memoryUsage().rss });
process.on('message', () => process.send?.({ rss: process.memoryUsage().rss }));
