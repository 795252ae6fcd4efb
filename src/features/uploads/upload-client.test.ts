import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { suite } from 'node:test';
import { ApiError } from '#contract/retrying-fetch.ts';
import { type SendPart, startUpload, type UploadOptions, type UploadProgress } from '#contract/upload-client.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory } from '../../../test/support/object-store.ts';
import { fetchAs, uploadHouse } from '../../../test/support/uploads.ts';

const MIB = 1 << 20;

suite('the upload client', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const house = await uploadHouse({ settings: { url_lifetime_ms: 3_600_000 } });
  const source = (data: Buffer) => ({
    size: data.length,
    slice: (start: number, end: number) => new Uint8Array(data.subarray(start, end)),
  });
  const options = (data: Buffer, more: Partial<UploadOptions> = {}): UploadOptions => ({
    base_url: house.origin,
    fetch: fetchAs(house),
    filename: 'a.bin',
    source: source(data),
    wait: async () => undefined,
    ...more,
  });
  const stored = async (id: string): Promise<Buffer> =>
    buffer(await house.store.read(`files/${house.principal.workspace_id}/${id}`));
  const plainSend: SendPart = async (url, body, { signal, headers }) => {
    const response = await fetch(url, { method: 'PUT', body, signal, headers });
    if (!response.ok)
      throw new ApiError(response.status, ((await response.json()) as { code: string }).code, 'refused');
    return response.headers.get('etag');
  };

  test('a file on the disk goes up in parallel parts, with progress, and its load is answered', async () => {
    const data = randomBytes(34 * MIB);
    const path = join(await temporaryDirectory(), 'a.csv');
    await writeFile(path, data);
    const seen: UploadProgress[] = [];
    const names: string[] = [];
    const upload = startUpload(
      options(data, {
        filename: 'a.csv',
        source: await openAsBlob(path),
        onProgress: (progress) => seen.push(progress),
        trace: (name, _attributes, call) => {
          names.push(name);
          return call({});
        },
      }),
    );
    const { file, task } = await upload.done;
    assert.equal(task?.kind, 'load');
    assert.ok((await stored(file.id)).equals(data));
    assert.deepEqual(seen[0], { sent: 0, size: data.length, parts_done: 0, part_count: 5 });
    assert.deepEqual(seen.at(-1), { sent: data.length, size: data.length, parts_done: 5, part_count: 5 });
    for (const [at, progress] of seen.entries()) assert.ok(progress.sent >= (seen[at - 1]?.sent ?? 0));
    assert.deepEqual(names, ['begin upload', ...Array(5).fill('put part'), 'complete upload']);
  });

  test('an empty file goes up', async () => {
    const { file } = await startUpload(options(Buffer.alloc(0))).done;
    assert.equal(file.state, 'stored');
  });

  test('more parts than first URLs: the rest are asked for, together', async () => {
    const data = randomBytes(8 * MIB * 18 + 5);
    let signed = 0;
    const upload = startUpload(
      options(data, {
        trace: (name, _attributes, call) => {
          if (name === 'sign parts') signed += 1;
          return call({});
        },
      }),
    );
    const { file } = await upload.done;
    assert.equal(signed, 1);
    assert.equal((await house.store.stat(`files/${house.principal.workspace_id}/${file.id}`)).size, data.length);
  });

  test('parts that fail in passing are sent again, after waiting as long as the server asks', async () => {
    const data = randomBytes(9 * MIB);
    const waits: number[] = [];
    let failures = 0;
    const send: SendPart = async (url, body, how) => {
      failures += 1;
      if (failures === 1) throw new ApiError(0, 'network', 'unplugged');
      if (failures === 2) throw Object.assign(new ApiError(409, 'part_in_flight', 'busy'), { retry_after_ms: 7000 });
      if (failures === 3) throw new ApiError(503, 'not_ready', 'restarting');
      return plainSend(url, body, how);
    };
    const wait = async (ms: number): Promise<void> => {
      waits.push(ms);
    };
    const { file } = await startUpload(options(data, { send, wait, parallel: 1 })).done;
    assert.ok((await stored(file.id)).equals(data));
    assert.equal(waits.length, 3);
    assert.equal(waits[1], 7000);
  });

  test('what will not pass is not tried again, and ends the other parts too', async () => {
    let tries = 0;
    const send: SendPart = async (_url, _body, { signal }) => {
      tries += 1;
      if (tries === 1) throw new ApiError(507, 'storage_full', 'The disk is full.');
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const upload = startUpload(options(randomBytes(20 * MIB), { send }));
    await assert.rejects(upload.done, (error) => error instanceof ApiError && error.code === 'storage_full');
    assert.equal(tries, 3);
  });

  test('after the tries are used up the last error is the answer', async () => {
    const send: SendPart = async () => {
      throw new ApiError(0, 'network', 'unplugged');
    };
    const upload = startUpload(options(randomBytes(10), { send, tries: 3 }));
    await assert.rejects(upload.done, /unplugged/);
  });

  test('a pause stops parts under way; resuming sends them again', async () => {
    const data = randomBytes(20 * MIB);
    let hanging = true;
    const started = Promise.withResolvers<void>();
    const send: SendPart = async (url, body, how) => {
      if (!hanging) return plainSend(url, body, how);
      started.resolve();
      return new Promise((_resolve, reject) => how.signal.addEventListener('abort', () => reject(how.signal.reason)));
    };
    const upload = startUpload(options(data, { send }));
    await started.promise;
    upload.pause();
    upload.pause();
    hanging = false;
    upload.resume();
    const { file } = await upload.done;
    assert.ok((await stored(file.id)).equals(data));
  });

  test('after a reload only what is missing is sent', async () => {
    const data = randomBytes(20 * MIB);
    const leaving = new AbortController();
    let id = '';
    const first = startUpload(
      options(data, {
        parallel: 1,
        signal: leaving.signal,
        onStarted: (status) => {
          id = status.upload_id;
        },
        onProgress: ({ parts_done }) => {
          if (parts_done === 2) leaving.abort(new Error('the page was closed'));
        },
      }),
    );
    await assert.rejects(first.done, /the page was closed/);
    let sent = 0;
    const send: SendPart = (url, body, how) => {
      sent += 1;
      return plainSend(url, body, how);
    };
    const { file } = await startUpload(options(data, { resume: id, send })).done;
    assert.equal(sent, 1);
    assert.ok((await stored(file.id)).equals(data));
    const again = await startUpload(options(data, { resume: id, send })).done;
    assert.equal(again.file.id, file.id);
    assert.equal(sent, 1);
    const other = startUpload(options(randomBytes(5), { resume: id }));
    await assert.rejects(other.done, (error) => error instanceof ApiError && error.code === 'other_file');
  });

  test('an aborted upload leaves nothing on the server', async () => {
    let id = '';
    const started = Promise.withResolvers<void>();
    const upload = startUpload(
      options(randomBytes(20 * MIB), {
        onStarted: (status) => {
          id = status.upload_id;
        },
        send: (_url, _body, { signal }) => {
          started.resolve();
          return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        },
      }),
    );
    await started.promise;
    upload.pause();
    await upload.abort();
    await assert.rejects(upload.done, /cancelled/);
    assert.equal((await house.call('GET', `/uploads/${id}`)).body.state, 'aborted');
  });

  test('an answer that hides its ETag is made good from what the server lists', async () => {
    const data = randomBytes(9 * MIB);
    const send: SendPart = async (url, body, how) => {
      await plainSend(url, body, how);
      return null;
    };
    const { file } = await startUpload(options(data, { send })).done;
    assert.ok((await stored(file.id)).equals(data));
  });

  test('a part that the server lost is sent again before completing', async () => {
    const data = randomBytes(9 * MIB);
    let lied = false;
    const send: SendPart = async (url, body, how) => {
      if (lied) return plainSend(url, body, how);
      lied = true;
      return '"00000000000000000000000000000000"';
    };
    const { file } = await startUpload(options(data, { send, parallel: 1 })).done;
    assert.ok((await stored(file.id)).equals(data));
  });

  test('URLs that have expired are signed anew', async () => {
    const data = randomBytes(9 * MIB);
    let expired = 0;
    const send: SendPart = async (url, body, how) => {
      expired += 1;
      if (expired <= 2) throw new ApiError(403, 'signature_expired', 'too late');
      return plainSend(url, body, how);
    };
    const { file } = await startUpload(options(data, { send })).done;
    assert.ok((await stored(file.id)).equals(data));
  });

  test('the server’s refusal reaches the caller in its own words', async () => {
    const upload = startUpload(options(randomBytes(5), { filename: '' }));
    await assert.rejects(upload.done, (error) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status, 422);
      assert.equal(error.code, 'invalid_input');
      assert.match(error.message, /filename/);
      return true;
    });
  });
});
