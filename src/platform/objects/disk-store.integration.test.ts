import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import test, { after, suite } from 'node:test';
import { newId } from '#kernel/ids.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { insertUpload, insertWorkspace, temporaryDirectory } from '../../../test/support/object-store.ts';
import { loadSecretKey } from '../db/secret-key.ts';
import { openDiskStore } from './disk-store.ts';
import { postgresPartLedger } from './part-ledger.ts';

const SERVER = new URL('../../../test/support/object-server.ts', import.meta.url).pathname;
const MIB = 1 << 20;

suite('instances that are killed', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const { db, url } = await testDatabase();
  const root = await temporaryDirectory();
  const workspace = await insertWorkspace(db);
  const signingKey = await loadSecretKey(db, 'objects.signing_key');
  const store = await openDiskStore({ root, signingKey, ledger: postgresPartLedger(db), diskFloor: 0 });
  const children = new Set<ChildProcess>();
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await store.close();
  });
  const start = async () => {
    const child = fork(SERVER, [url, root, '300'], { stdio: 'ignore' });
    children.add(child);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const rss = async (): Promise<number> => {
      child.send('rss');
      return ((await once(child, 'message')) as [{ rss: number }])[0].rss;
    };
    return { child, origin: `http://127.0.0.1:${port}`, rss };
  };
  const begin = async (size: number, part_size: number) => {
    const options = { id: newId(), size, part_size, part_count: Math.ceil(size / part_size) };
    const upload = await store.beginUpload(`files/${workspace}/${newId()}`, options);
    await insertUpload(db, workspace, upload);
    const target = async (part: number, origin: string): Promise<URL> => {
      const length = Math.min(part_size, size - (part - 1) * part_size);
      return new URL(await store.signPart(upload, part, length, new Date(Date.now() + 60_000)), origin);
    };
    return { upload, target };
  };

  test('kill -9 in the middle of a part: recorded parts stay, the broken one is sent again elsewhere', async () => {
    const data = randomBytes(3 * MIB);
    const { upload, target } = await begin(data.length, MIB);
    const first = await start();
    const slice = (part: number) => new Uint8Array(data.subarray((part - 1) * MIB, part * MIB));
    const whole = await fetch(await target(1, first.origin), { method: 'PUT', body: slice(1) });
    const parts = [{ part_number: 1, etag: whole.headers.get('etag') ?? '' }];

    const half = http.request(await target(2, first.origin), { method: 'PUT', headers: { 'content-length': MIB } });
    half.on('error', () => undefined);
    await new Promise<void>((resolve) => half.write(slice(2).subarray(0, MIB / 2), () => resolve()));
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    assert.deepEqual(
      (await store.listParts(upload)).map((part) => part.part_number),
      [1],
    );

    const second = await start();
    for (const part_number of [2, 3]) {
      let response = await fetch(await target(part_number, second.origin), { method: 'PUT', body: slice(part_number) });
      while (response.status === 409) {
        await response.text();
        response = await fetch(await target(part_number, second.origin), { method: 'PUT', body: slice(part_number) });
      }
      assert.equal(response.status, 200);
      parts.push({ part_number, etag: response.headers.get('etag') ?? '' });
    }
    await store.completeUpload(upload, parts);
    assert.ok((await buffer(await store.read(upload.key))).equals(data));
  });

  test('a part of 512 MB takes no more memory than a small one', async () => {
    const size = 512 * MIB;
    const { target } = await begin(size, size);
    const { origin, rss } = await start();
    const request = http.request(await target(1, origin), { method: 'PUT', headers: { 'content-length': size } });
    const answer = once(request, 'response');
    const chunk = Buffer.alloc(MIB, 7);
    let most = 0;
    const before = await rss();
    for (let sent = 0; sent < size; sent += MIB) {
      if (!request.write(chunk)) await once(request, 'drain');
      if (sent % (64 * MIB) === 0) most = Math.max(most, await rss());
    }
    request.end();
    const [response] = (await answer) as [http.IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, 200);
    const grown = (Math.max(most, await rss()) - before) / MIB;
    assert.ok(grown < 160, `grew by ${grown.toFixed(0)} MiB`);
  });
});
