import test from 'node:test';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import {
  insertUpload,
  insertWorkspace,
  listeningApp,
  signedRoutes,
  temporaryDirectory,
  testDiskStore,
} from '../../../test/support/object-store.ts';
import { conformance } from '../../../test/support/object-store-conformance.ts';

if (needsDatabase) {
  test('disk as an object store', { skip: needsDatabase }, () => undefined);
} else {
  const { db } = await testDatabase();
  const store = await testDiskStore(db);
  const { origin } = await listeningApp(db, signedRoutes(store));
  const workspace = await insertWorkspace(db);
  conformance('disk', {
    store,
    origin,
    directory: await temporaryDirectory(),
    begin: async (key, options) => {
      const upload = await store.beginUpload(key, options);
      await insertUpload(db, workspace, upload);
      return upload;
    },
  });
}
