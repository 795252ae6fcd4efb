import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { partSpan } from '#platform/objects/parts.ts';
import type { BeginUpload, MultipartUpload, ObjectStore, PartTag } from '#platform/objects/store.ts';
import { sendHalf, untilTaken } from './broken-part.ts';

/** One implementation, ready to be tried. */
export interface StoreUnderTest {
  store: ObjectStore;
  /** Where relative signed URLs are served. */
  origin: string;
  /** Begins an upload with whatever the implementation needs around it. */
  begin(key: string, options: BeginUpload): Promise<MultipartUpload>;
  /** An empty directory for files to be handed over. */
  directory: string;
}

const PART = 5 << 20; // the least that S3 takes
const soon = (): Date => new Date(Date.now() + 60_000);
const md5 = (data: Buffer): string => createHash('md5').update(data).digest('hex');
const isCode =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    error instanceof CaudalError && codes.includes(error.code);

/** The cases that every object store must pass: what callers may rely on, and nothing else. */
export function conformance(name: string, it: StoreUnderTest): void {
  suite(`${name} as an object store`, () => {
    const key = (): string => `files/${newId()}/${newId()}`;
    const begin = (size: number): Promise<MultipartUpload> =>
      it.begin(key(), { id: newId(), size, part_size: PART, part_count: Math.max(1, Math.ceil(size / PART)) });
    const url = async (upload: MultipartUpload, part: number, expires = soon()): Promise<URL> =>
      new URL(await it.store.signPart(upload, part, partSpan(upload, part).length, expires), it.origin);
    const slice = (data: Buffer, upload: MultipartUpload, part: number): Buffer => {
      const { offset, length } = partSpan(upload, part);
      return data.subarray(offset, offset + length);
    };
    const put = async (upload: MultipartUpload, part: number, data: Buffer): Promise<PartTag> => {
      const response = await fetch(await url(upload, part), {
        method: 'PUT',
        body: new Uint8Array(slice(data, upload, part)),
      });
      assert.equal(response.status, 200, await response.text());
      return { part_number: part, etag: response.headers.get('etag') ?? '' };
    };
    const putAll = (upload: MultipartUpload, data: Buffer): Promise<PartTag[]> =>
      Promise.all(Array.from({ length: upload.part_count }, (_, at) => put(upload, at + 1, data)));
    const content = async (objectKey: string): Promise<Buffer> => buffer(await it.store.read(objectKey));

    objects();
    uploads();
    signatures();
    downloads();

    function objects(): void {
      test('an object that was put is there, whole, with its size and a strong ETag', async () => {
        for (const body of [Buffer.alloc(0), randomBytes(10), randomBytes(3 << 20)]) {
          const at = key();
          const info = await it.store.put(at, body);
          assert.equal(info.size, body.length);
          assert.match(info.etag, /^"[^"]+"$/);
          assert.deepEqual(await it.store.stat(at), info);
          assert.deepEqual(await content(at), body);
        }
      });

      test('a stream can be put; one that fails leaves nothing', async () => {
        const data = randomBytes(2 << 20);
        const at = key();
        await it.store.put(at, Readable.from([data.subarray(0, 1000), data.subarray(1000)]));
        assert.deepEqual(await content(at), data);
        const broken = key();
        const failing = Readable.from(
          (async function* () {
            yield data;
            throw new Error('the sender died');
          })(),
        );
        await assert.rejects(it.store.put(broken, failing), /the sender died/);
        await assert.rejects(it.store.stat(broken), isCode('object_not_found'));
      });

      test('a file that was handed over has moved in', async () => {
        const path = `${it.directory}/${newId()}`;
        await writeFile(path, 'rows');
        const at = key();
        const info = await it.store.putFile(at, path);
        assert.equal(info.size, 4);
        assert.equal((await content(at)).toString(), 'rows');
        await assert.rejects(stat(path));
      });

      test('a range is read, and one outside is refused', async () => {
        const at = key();
        await it.store.put(at, Buffer.from('0123456789'));
        const range = async (start: number, end?: number) =>
          (await buffer(await it.store.read(at, end === undefined ? { start } : { start, end }))).toString();
        assert.equal(await range(2, 4), '234');
        assert.equal(await range(7), '789');
        assert.equal(await range(8, 100), '89');
        await assert.rejects(range(10), isCode('range_not_satisfiable'));
      });

      test('what is deleted is gone, and deleting it again is no error', async () => {
        const at = key();
        await it.store.put(at, Buffer.from('x'));
        await it.store.delete(at);
        await it.store.delete(at);
        await assert.rejects(it.store.stat(at), isCode('object_not_found'));
        await assert.rejects(it.store.read(at), isCode('object_not_found'));
        await assert.rejects(it.store.local(at), isCode('object_not_found'));
      });

      test('a prefix lists its objects in order, and no upload under way', async () => {
        const folder = `lake/${newId()}`;
        for (const child of ['b/2.parquet', 'a/1.parquet', 'b/1.parquet']) {
          await it.store.put(`${folder}/${child}`, Buffer.from(child));
        }
        await it.begin(`${folder}/c/1.parquet`, { id: newId(), size: 10, part_size: PART, part_count: 1 });
        const listed = async (prefix: string): Promise<string[]> => {
          const keys: string[] = [];
          for await (const info of it.store.list(prefix)) keys.push(info.key);
          return keys;
        };
        assert.deepEqual(await listed(`${folder}/`), [
          `${folder}/a/1.parquet`,
          `${folder}/b/1.parquet`,
          `${folder}/b/2.parquet`,
        ]);
        assert.deepEqual(await listed(`${folder}/b`), [`${folder}/b/1.parquet`, `${folder}/b/2.parquet`]);
        assert.deepEqual(await listed(`${folder}/nothing/`), []);
      });

      test('a local path holds the object until it is released', async () => {
        const at = key();
        await it.store.put(at, Buffer.from('local'));
        const local = await it.store.local(at);
        assert.equal(await readFile(local.path, 'utf8'), 'local');
        assert.equal(local.size, 5);
        await local.release();
      });
    }

    function uploads(): void {
      test('parts in any order become one object with the ETag of its parts', async () => {
        const data = randomBytes(2 * PART + 12345);
        const upload = await begin(data.length);
        await assert.rejects(it.store.stat(upload.key), isCode('object_not_found'));
        const tags: PartTag[] = [];
        for (const part of [3, 1, 2]) tags.push(await put(upload, part, data));
        assert.equal(tags[0]?.etag, `"${md5(slice(data, upload, 3))}"`);
        const info = await it.store.completeUpload(upload, tags);
        const md5s = [1, 2, 3].map((part) => Buffer.from(md5(slice(data, upload, part)), 'hex'));
        assert.equal(info.etag, `"${md5(Buffer.concat(md5s))}-3"`);
        assert.equal(info.size, data.length);
        assert.deepEqual(await it.store.stat(upload.key), info);
        assert.ok((await content(upload.key)).equals(data));
      });

      test('an empty file is one empty part', async () => {
        const upload = await begin(0);
        const tag = await put(upload, 1, Buffer.alloc(0));
        const info = await it.store.completeUpload(upload, [tag]);
        assert.equal(info.size, 0);
        assert.equal((await content(upload.key)).length, 0);
      });

      test('what has arrived is listed, and a part sent again replaces the first', async () => {
        const data = randomBytes(PART + 10);
        const upload = await begin(data.length);
        assert.deepEqual(await it.store.listParts(upload), []);
        await put(upload, 2, randomBytes(PART + 10));
        const second = await put(upload, 2, data);
        assert.deepEqual(await it.store.listParts(upload), [{ ...second, size: 10 }]);
        const first = await put(upload, 1, data);
        await it.store.completeUpload(upload, [first, second]);
        assert.ok((await content(upload.key)).equals(data));
      });

      test('a missing part, a wrong ETag and an incomplete list are refused by name; then it completes', async () => {
        const data = randomBytes(PART + 1);
        const upload = await begin(data.length);
        const first = await put(upload, 1, data);
        const named = (field: string) => (error: unknown) => {
          assert.ok(isCode('upload_incomplete')(error), String(error));
          assert.equal((error as CaudalError).errors?.[0]?.field, field);
          return true;
        };
        await assert.rejects(it.store.completeUpload(upload, [first]), named('parts.2'));
        const second = await put(upload, 2, data);
        await assert.rejects(it.store.completeUpload(upload, [first]), named('parts.2'));
        const wrong = { part_number: 2, etag: first.etag };
        await assert.rejects(it.store.completeUpload(upload, [first, wrong]), named('parts.2'));
        await assert.rejects(it.store.stat(upload.key), isCode('object_not_found'));
        await it.store.completeUpload(upload, [second, first]);
      });

      test('completing twice, or twice at once, answers the same', async () => {
        const data = randomBytes(100);
        const upload = await begin(data.length);
        const tags = await putAll(upload, data);
        const [one, two] = await Promise.all([
          it.store.completeUpload(upload, tags),
          it.store.completeUpload(upload, tags),
        ]);
        assert.deepEqual(one, two);
        assert.deepEqual(await it.store.completeUpload(upload, tags), one);
      });

      test('the checksum of the whole is checked before the object appears', async () => {
        const data = randomBytes(PART + 3);
        const upload = await begin(data.length);
        const tags = await putAll(upload, data);
        const digest = createHash('sha256').update(data).digest('hex');
        const other = createHash('sha256').update('other').digest('hex');
        await assert.rejects(it.store.completeUpload(upload, tags, { sha256: other }), isCode('checksum_mismatch'));
        await assert.rejects(it.store.stat(upload.key), isCode('object_not_found'));
        await it.store.completeUpload(upload, tags, { sha256: digest.toUpperCase() });
      });

      test('an aborted upload takes nothing more and leaves nothing; aborting again is no error', async () => {
        const data = randomBytes(PART + 1);
        const upload = await begin(data.length);
        const tag = await put(upload, 1, data);
        await it.store.abortUpload(upload);
        await it.store.abortUpload(upload);
        const late = await fetch(await url(upload, 2), { method: 'PUT', body: new Uint8Array(1) });
        assert.ok(late.status >= 400 && late.status < 500, String(late.status));
        await assert.rejects(
          it.store.completeUpload(upload, [tag, tag]),
          isCode('upload_closed', 'upload_incomplete', 'upload_not_found'),
        );
        await assert.rejects(it.store.stat(upload.key), isCode('object_not_found'));
      });

      test('a connection that breaks in the middle of a part records nothing, and the part can be sent again', async () => {
        const data = randomBytes(PART);
        const upload = await begin(data.length);
        const target = await url(upload, 1);
        await sendHalf(target, data);
        assert.deepEqual(await it.store.listParts(upload), []);
        const tag = await untilTaken(() => fetch(target, { method: 'PUT', body: new Uint8Array(data) }));
        await it.store.completeUpload(upload, [{ part_number: 1, etag: tag }]);
        assert.ok((await content(upload.key)).equals(data));
      });
    }

    function signatures(): void {
      const refused = async (target: URL | string, init: RequestInit = {}): Promise<number> => {
        const response = await fetch(target, { method: 'PUT', body: new Uint8Array(10), ...init });
        const text = await response.text();
        assert.ok(response.status >= 400 && response.status < 500, `${response.status} ${text}`);
        return response.status;
      };

      test('an expired, a forged and a bare URL are refused', async () => {
        const upload = await begin(10);
        assert.equal(await refused(await url(upload, 1, new Date(Date.now() - 5000))), 403);
        const good = await url(upload, 1);
        for (const name of [...good.searchParams.keys()]) {
          const forged = new URL(good);
          const value = forged.searchParams.get(name) ?? '';
          forged.searchParams.set(name, /^\d+$/.test(value) ? String(Number(value) + 1) : `${value.slice(0, -2)}AA`);
          await refused(forged);
          forged.searchParams.delete(name);
          await refused(forged);
        }
        await refused(good.origin + good.pathname);
        assert.deepEqual(await it.store.listParts(upload), []);
      });

      test('a URL for one part is not one for another part or upload, nor for another method', async () => {
        const upload = await begin(PART + 10);
        const other = await begin(PART + 10);
        const good = await url(upload, 2);
        const elsewhere = await url(other, 2);
        await refused(new URL(good.search, elsewhere));
        const first = await url(upload, 1);
        await refused(new URL(good.search, first));
        for (const method of ['GET', 'DELETE', 'POST']) await refused(good, { method, body: null });
        await it.store.put(`files/${newId()}/${newId()}`, Buffer.from('x'));
        assert.deepEqual(await it.store.listParts(upload), []);
      });

      test('a body of another length is refused', async () => {
        const upload = await begin(10);
        const good = await url(upload, 1);
        for (const length of [0, 9, 11, 1 << 20]) await refused(good, { body: new Uint8Array(length) });
        assert.deepEqual(await it.store.listParts(upload), []);
      });

      test('a download URL is for its object and for reading only', async () => {
        const mine = key();
        const theirs = key();
        await it.store.put(mine, Buffer.from('mine'));
        await it.store.put(theirs, Buffer.from('theirs'));
        const good = new URL(await it.store.signDownload(mine, { filename: 'a.csv', expires: soon() }), it.origin);
        await refused(good.href.replace(mine, theirs), { method: 'GET', body: null });
        await refused(good.href.replace(mine, `${mine}/../../${theirs}`), { method: 'GET', body: null });
        await refused(good.href.replace(mine, `${mine}%2f..%2f..%2f..%2fetc%2fpasswd`), { method: 'GET', body: null });
        await refused(good, { body: new Uint8Array(4) });
        const expired = await it.store.signDownload(mine, { filename: 'a.csv', expires: new Date(Date.now() - 5000) });
        await refused(new URL(expired, it.origin), { method: 'GET', body: null });
        assert.equal((await content(mine)).toString(), 'mine');
      });
    }

    function downloads(): void {
      const signed = async (at: string, filename = 'a.csv'): Promise<URL> =>
        new URL(await it.store.signDownload(at, { filename, content_type: 'text/csv', expires: soon() }), it.origin);

      test('a signed URL gives the bytes as an attachment; ranges and conditions hold', async () => {
        const at = key();
        const info = await it.store.put(at, Buffer.from('0123456789'));
        const target = await signed(at);
        const get = (headers: Record<string, string>, method = 'GET') => fetch(target, { method, headers });
        const whole = await get({});
        assert.equal(whole.status, 200);
        assert.equal(await whole.text(), '0123456789');
        assert.equal(whole.headers.get('etag'), info.etag);
        assert.equal(whole.headers.get('content-type'), 'text/csv');
        assert.match(whole.headers.get('content-disposition') ?? '', /^attachment; filename="a\.csv"/);
        const part = await get({ range: 'bytes=2-4' });
        assert.equal(part.status, 206);
        assert.equal(part.headers.get('content-range'), 'bytes 2-4/10');
        assert.equal(await part.text(), '234');
        assert.equal(await (await get({ range: 'bytes=-3' })).text(), '789');
        const outside = await get({ range: 'bytes=10-' });
        assert.equal(outside.status, 416);
        assert.equal(outside.headers.get('content-range'), 'bytes */10');
        await outside.body?.cancel();
        assert.equal((await get({ 'if-none-match': info.etag })).status, 304);
      });

      test('names of any script come through, and none breaks the header', async () => {
        const at = key();
        await it.store.put(at, Buffer.from('x'));
        for (const filename of [
          'año "uno" 🌊.csv',
          '../../etc/passwd',
          'a\r\nSet-Cookie: b=c',
          'x'.repeat(10_000),
          '.',
          '%00',
        ]) {
          const response = await fetch(await signed(at, filename));
          assert.equal(response.status, 200, filename.slice(0, 40));
          assert.equal(response.headers.get('set-cookie'), null);
          assert.match(response.headers.get('content-disposition') ?? '', /^attachment; filename="[^"\r\n/]*"/);
          await response.text();
        }
      });
    }
  });
}
