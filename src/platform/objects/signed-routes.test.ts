import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { suite } from 'node:test';
import { newId } from '#kernel/ids.ts';
import { sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import {
  insertUpload,
  insertWorkspace,
  listeningApp,
  signedRoutes,
  temporaryDirectory,
  testDiskStore,
} from '../../../test/support/object-store.ts';
import type { DiskStore } from './disk-store.ts';
import { postgresPartLedger } from './part-ledger.ts';
import type { MultipartUpload } from './store.ts';

suite('signed URLs of the disk store', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const { db } = await testDatabase();
  const workspace = await insertWorkspace(db);
  const root = await temporaryDirectory();
  const signingKey = randomBytes(32);
  const console = 'https://console.example';
  const store = await testDiskStore(db, { root, signingKey, leaseRenewMs: 20 });
  const { origin } = await listeningApp(db, signedRoutes(store, { origins: [console] }));
  const other = await testDiskStore(db, { root, signingKey });
  const elsewhere = await listeningApp(db, signedRoutes(other));
  const impatient = await testDiskStore(db, { root, signingKey, bodyIdleMs: 300, lease: { leaseMs: 1000 } });
  const hurried = await listeningApp(db, signedRoutes(impatient));

  const begin = async (size: number, part_size = size): Promise<MultipartUpload> => {
    const part_count = Math.max(1, Math.ceil(size / part_size));
    const options = { id: newId(), size, part_size, part_count };
    const upload = await store.beginUpload(`files/${workspace}/${newId()}`, options);
    await insertUpload(db, workspace, upload);
    return upload;
  };
  const sign = async (upload: MultipartUpload, part = 1, at = origin, by: DiskStore = store): Promise<URL> => {
    const length = Math.min(upload.part_size, upload.size - (part - 1) * upload.part_size);
    return new URL(await by.signPart(upload, part, length, new Date(Date.now() + 60_000)), at);
  };
  const put = (target: URL, data: Buffer, headers: Record<string, string> = {}) =>
    fetch(target, { method: 'PUT', body: new Uint8Array(data), headers });

  /** A request whose body the test sends piece by piece; resolves `answer` with the response. */
  const open = (target: URL, length: number) => {
    const request = http.request(target, { method: 'PUT', headers: { 'content-length': length } });
    request.on('error', () => undefined);
    const answer = once(request, 'response').then(async ([response]: http.IncomingMessage[]) => {
      assert.ok(response);
      const body = (await buffer(response)).toString();
      return { status: response.statusCode, headers: response.headers, body };
    });
    answer.catch(() => undefined);
    request.flushHeaders();
    return { request, answer };
  };
  const leased = async (upload: MultipartUpload): Promise<void> => {
    const held = sql`SELECT 1 FROM upload_parts WHERE upload_id = ${upload.id} AND lease IS NOT NULL`;
    while ((await held.execute(db)).rows.length === 0);
  };

  test('one writer per part: the second is told to wait, the first is not disturbed', async () => {
    const data = randomBytes(1000);
    const upload = await begin(1000);
    const target = await sign(upload);
    const first = open(target, 1000);
    first.request.write(data.subarray(0, 500));
    await leased(upload);
    const second = await put(target, Buffer.alloc(1000));
    assert.equal(second.status, 409);
    assert.equal(((await second.json()) as { code: string }).code, 'part_in_flight');
    assert.ok(Number(second.headers.get('retry-after')) >= 1);
    await assert.rejects(store.completeUpload(upload, [{ part_number: 1, etag: 'x' }]), /Parts are missing/);
    first.request.end(data.subarray(500));
    const { status, headers } = await first.answer;
    assert.equal(status, 200);
    await store.completeUpload(upload, [{ part_number: 1, etag: headers.etag ?? '' }]);
    assert.ok((await buffer(await store.read(upload.key))).equals(data));
  });

  test('the lease of a writer that was killed runs out, and the part can be sent again', async () => {
    const data = randomBytes(1000);
    const upload = await begin(1000);
    await postgresPartLedger(db, { leaseMs: 1500 }).lease(upload.id, 1, 1000);
    const target = await sign(upload, 1, hurried.origin, impatient);
    let refused = 0;
    for (;;) {
      const response = await put(target, data);
      await response.text();
      if (response.status === 200) break;
      // On a busy machine the impatient store may also find the body too slow: then the part is free for the next try.
      assert.ok(response.status === 409 || response.status === 408, String(response.status));
      if (response.status === 409) refused += 1;
    }
    assert.ok(refused > 0);
  });

  test('parts of one upload may go to different instances on the same disk', async () => {
    const data = randomBytes(3000);
    const upload = await begin(3000, 1000);
    const parts = await Promise.all(
      [1, 2, 3].map(async (part_number) => {
        const at = part_number === 2 ? elsewhere.origin : origin;
        const response = await put(
          await sign(upload, part_number, at),
          data.subarray((part_number - 1) * 1000, part_number * 1000),
        );
        return { part_number, etag: response.headers.get('etag') ?? '' };
      }),
    );
    await other.completeUpload(upload, parts);
    assert.ok((await buffer(await store.read(upload.key))).equals(data));
  });

  test('a body that stalls is given up in words; the part is free at once', async () => {
    const upload = await begin(1000);
    const target = await sign(upload, 1, hurried.origin, impatient);
    const slow = open(target, 1000);
    slow.request.write(Buffer.alloc(10));
    const { status, body, headers } = await slow.answer;
    assert.equal(status, 408);
    assert.equal(JSON.parse(body).code, 'request_timeout');
    assert.equal(headers.connection, 'close');
    assert.deepEqual(await store.listParts(upload), []);
    assert.equal((await put(await sign(upload), Buffer.alloc(1000))).status, 200);
  });

  test('a body that trickles for ever is given up too', async () => {
    const trickling = await testDiskStore(db, { root, signingKey, bodyIdleMs: 100, minBytesPerSecond: 1e6 });
    const served = await listeningApp(db, signedRoutes(trickling));
    const upload = await begin(10_000);
    const slow = open(await sign(upload, 1, served.origin, trickling), 10_000);
    const drip = setInterval(() => slow.request.write('x'), 10);
    const { status, body } = await slow.answer;
    clearInterval(drip);
    slow.request.destroy();
    assert.equal(status, 408);
    assert.match(JSON.parse(body).detail, /bytes per second/);
  });

  test('wrong lengths are refused before a byte of the body is read', async () => {
    const upload = await begin(1000);
    const target = await sign(upload);
    const heads = [
      'Content-Length: 1000000000000',
      'Content-Length: 999',
      'Content-Length: 0',
      'Transfer-Encoding: chunked',
    ];
    for (const head of heads) {
      const socket = connect(Number(target.port), target.hostname);
      socket.write(`PUT ${target.pathname}${target.search} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      assert.match(answer.toString(), /^HTTP\/1\.1 400 /, head);
      assert.match(answer.toString(), /length_mismatch/, head);
    }
    assert.deepEqual(await store.listParts(upload), []);
  });

  test('bytes beyond the signed length never reach the file', async () => {
    const data = randomBytes(2000);
    const upload = await begin(2000, 1000);
    const second = await put(await sign(upload, 2), data.subarray(1000));
    const target = await sign(upload, 1);
    const socket = connect(Number(target.port), target.hostname);
    socket.write(`PUT ${target.pathname}${target.search} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`);
    socket.write(Buffer.concat([data.subarray(0, 1000), Buffer.alloc(1000)]));
    await once(socket, 'data');
    socket.destroy();
    let first = await put(target, data.subarray(0, 1000));
    while (first.status === 409) first = await put(target, data.subarray(0, 1000));
    const parts = [first, second].map((part, at) => ({ part_number: at + 1, etag: part.headers.get('etag') ?? '' }));
    await store.completeUpload(upload, parts);
    assert.ok((await buffer(await store.read(upload.key))).equals(data));
  });

  test('an upload that ends while a part is being written stops that writer, and keeps no byte', async () => {
    const upload = await begin(1000);
    const writer = open(await sign(upload), 1000);
    writer.request.write(Buffer.alloc(500));
    await leased(upload);
    await sql`UPDATE uploads SET state = 'aborted' WHERE id = ${upload.id}`.execute(db);
    await sql`DELETE FROM upload_parts WHERE upload_id = ${upload.id}`.execute(db);
    await store.abortUpload(upload);
    const { status, body } = await writer.answer;
    writer.request.destroy();
    assert.equal(status, 409);
    assert.equal(JSON.parse(body).code, 'upload_closed');
    assert.ok(!(await readdir(join(root, '.uploads'))).includes(upload.id));
  });

  test('bodies of any declared type are bytes', async () => {
    for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/html', 'image/png']) {
      const upload = await begin(5);
      const response = await put(await sign(upload), Buffer.from('{"a":'), { 'content-type': type });
      assert.equal(response.status, 200, `${type}: ${await response.text()}`);
    }
  });

  test('below the floor of free disk nothing new is accepted', async () => {
    const full = await testDiskStore(db, { root, signingKey, diskFloor: 1e18 });
    const served = await listeningApp(db, signedRoutes(full));
    const options = { id: newId(), size: 10, part_size: 10, part_count: 1 };
    await assert.rejects(full.beginUpload(`files/${workspace}/${newId()}`, options), /not enough free disk/);
    const upload = await begin(10);
    const target = await sign(upload, 1, served.origin, full);
    const response = await put(target, Buffer.alloc(10));
    assert.equal(response.status, 507);
    assert.equal(((await response.json()) as { code: string }).code, 'storage_full');
    assert.equal((await put(await sign(upload), Buffer.alloc(10))).status, 200);
  });

  test('the console’s origin may PUT and read ETags; another may not', async () => {
    const upload = await begin(1);
    const target = await sign(upload);
    const preflight = (from: string) =>
      fetch(target, { method: 'OPTIONS', headers: { origin: from, 'access-control-request-method': 'PUT' } });
    const allowed = await preflight(console);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), console);
    assert.match(allowed.headers.get('access-control-allow-methods') ?? '', /PUT/);
    assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /traceparent/);
    const refused = await preflight('https://elsewhere.example');
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get('access-control-allow-origin'), null);
    const sent = await put(target, Buffer.from('x'), { origin: console });
    assert.match(sent.headers.get('access-control-expose-headers') ?? '', /ETag/);
    assert.equal(sent.headers.get('vary'), 'Origin');
  });

  test('HEAD says what GET would, without the bytes; nothing a browser could run comes out', async () => {
    const key = `files/${workspace}/${newId()}`;
    await store.put(key, Buffer.from('<script>alert(1)</script>'));
    const options = { filename: 'x.html', content_type: 'text/html', expires: new Date(Date.now() + 60_000) };
    const target = new URL(await store.signDownload(key, options), origin);
    const head = await fetch(target, { method: 'HEAD' });
    const get = await fetch(target);
    for (const name of [
      'content-length',
      'etag',
      'content-type',
      'content-disposition',
      'accept-ranges',
      'last-modified',
    ]) {
      assert.equal(head.headers.get(name), get.headers.get(name), name);
      assert.notEqual(head.headers.get(name), null, name);
    }
    assert.equal(await head.text(), '');
    assert.equal(get.headers.get('x-content-type-options'), 'nosniff');
    assert.match(get.headers.get('content-disposition') ?? '', /^attachment/);
    assert.match(get.headers.get('content-security-policy') ?? '', /sandbox/);
    const stale = await fetch(target, { headers: { range: 'bytes=0-1', 'if-range': '"other"' } });
    assert.equal(stale.status, 200);
    const fresh = await fetch(target, { headers: { range: 'bytes=0-1', 'if-range': get.headers.get('etag') ?? '' } });
    assert.equal(fresh.status, 206);
  });
});
