import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { suite } from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { first, rows, sql } from '#platform/db/db.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory } from '../../../test/support/object-store.ts';
import { sendParts, uploadHouse, uploadWhole } from '../../../test/support/uploads.ts';
import { sweepUploads } from './sweep.ts';

const MIB = 1 << 20;

suite('uploads', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const root = await temporaryDirectory();
  const house = await uploadHouse({ store: { root }, settings: { max_bytes: 1e12 } });
  const { db } = house.database;
  const codes = (answer: { body: { errors?: { field: string; code: string }[] } }): string[] =>
    (answer.body.errors ?? []).map((error) => error.field);

  test('a file goes up in parts, is stored once, and its load is enqueued with it', async () => {
    const data = randomBytes(17 * MIB);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const input = { filename: 'ventas.csv', dataset: 'ventas', sha256, load: { delimiter: ';', mode: 'replace' } };
    const { upload, parts } = await sendParts(house, input, data);
    assert.equal(upload.part_count, 3);
    const pending = await house.call('GET', `/files/${upload.file_id}`);
    assert.equal(pending.body.state, 'pending');
    assert.equal((await house.call('GET', `/files/${upload.file_id}/content`)).body.code, 'file_not_stored');

    const path = `/uploads/${upload.upload_id}/complete`;
    const done = await house.call('POST', path, { parts });
    assert.equal(done.status, 202);
    const { file, task } = done.body;
    assert.equal(file.state, 'stored');
    assert.equal(file.sha256, sha256);
    assert.equal(done.headers.get('location'), `/tasks/${task.id}`);
    assert.deepEqual(task.input, {
      file_id: file.id,
      dataset: 'ventas',
      mode: 'replace',
      options: { delimiter: ';' },
    });
    const jobs = await rows(db, sql`SELECT id FROM pgboss.job WHERE name = 'load' AND data->>'task_id' = ${task.id}`);
    assert.equal(jobs.length, 1);
    assert.deepEqual((await house.call('POST', path, { parts })).body, done.body);
    const tasks = await rows(db, sql`SELECT 1 FROM tasks WHERE input->>'file_id' = ${file.id}`);
    assert.equal(tasks.length, 1);
  });

  test('two completions at once make one task and answer the same', async () => {
    const { upload, parts } = await sendParts(house, { filename: 'a.csv' }, randomBytes(10));
    const path = `/uploads/${upload.upload_id}/complete`;
    const answers = await Promise.all([1, 2, 3, 4].map(() => house.call('POST', path, { parts })));
    for (const answer of answers) {
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      assert.deepEqual(answer.body, answers[0]?.body);
    }
    const tasks = await rows(db, sql`SELECT 1 FROM tasks WHERE input->>'file_id' = ${upload.file_id}`);
    assert.equal(tasks.length, 1);
  });

  test('what holds no table is stored without a task; naming a dataset asks for one', async () => {
    const photo = await uploadWhole(house, { filename: 'foto.jpg', content_type: 'image/jpeg' }, Buffer.from('x'));
    assert.equal(photo.task, undefined);
    const asked = await uploadWhole(house, { filename: 'export', dataset: 'export' }, Buffer.from('a\n1\n'));
    assert.equal(asked.task.kind, 'load');
    const empty = await uploadWhole(house, { filename: 'nothing.csv' }, Buffer.alloc(0));
    assert.equal(empty.file.size, 0);
    assert.equal(empty.task.kind, 'load');
  });

  test('names are kept as given and never become paths', async () => {
    const names = [
      '../../../etc/passwd',
      '/etc/shadow',
      'C:\\x.csv',
      '🌊'.repeat(10_000),
      'a\nb.csv',
      '.',
      '%2e%2e%2f',
      'a"b',
    ];
    for (const filename of names) {
      const { file } = await uploadWhole(house, { filename }, Buffer.from('x'));
      assert.equal(file.filename, filename);
      const content = await house.call('GET', `/files/${file.id}/content`);
      assert.equal(content.status, 302);
      const bytes = await fetch(new URL(content.headers.get('location') ?? '', house.origin));
      assert.equal(await bytes.text(), 'x');
    }
    for (const name of await readdir(root)) assert.match(name, /^(files|\.uploads|\.tmp|\.etags)$/);
  });

  test('what cannot be accepted is refused, naming the field', async () => {
    const good = { filename: 'a.csv', size: 10 };
    const cases: [input: Record<string, unknown>, field: string][] = [
      [{ size: 10 }, 'filename'],
      [{ ...good, filename: '' }, 'filename'],
      [{ ...good, filename: 'x'.repeat(10_001) }, 'filename'],
      [{ ...good, filename: 'a\u0000.csv' }, 'filename'],
      [{ ...good, filename: 'a\ud800.csv' }, 'filename'],
      [{ ...good, filename: 7 }, 'filename'],
      [{ filename: 'a.csv' }, 'size'],
      [{ ...good, size: -1 }, 'size'],
      [{ ...good, size: 1.5 }, 'size'],
      [{ ...good, size: '10' }, 'size'],
      [{ ...good, size: 2 ** 60 }, ''],
      [{ ...good, sha256: 'abc' }, 'sha256'],
      [{ ...good, dataset: '../x' }, 'dataset'],
      [{ ...good, dataset: '' }, 'dataset'],
      [{ ...good, load: { delimiter: 'toolong' } }, 'load.delimiter'],
      [{ ...good, load: { unknown: true } }, 'load.unknown'],
      [{ ...good, datset: 'typo' }, 'datset'],
      [{ ...good, content_type: 'text/csv\r\nx: y' }, 'content_type'],
      [{ ...good, content_type: 'a\u0000' }, 'content_type'],
    ];
    const before = await readdir(join(root, '.uploads'));
    for (const [input, field] of cases) {
      const answer = await house.call('POST', '/uploads', input);
      const what = JSON.stringify(input).slice(0, 80);
      if (field === '') assert.equal(answer.body.code, 'upload_too_large', what);
      else {
        assert.equal(answer.status, 422, what);
        assert.deepEqual(codes(answer), [field], what);
      }
    }
    assert.deepEqual(await readdir(join(root, '.uploads')), before);
  });

  test('an upload is resumed from what has arrived, with URLs asked for', async () => {
    const data = randomBytes(20 * MIB);
    const begun = await house.call('POST', '/uploads', { filename: 'a.bin', size: data.length });
    const { upload_id, part_size, urls } = begun.body;
    const send = async (url: string, part: number) => {
      const body = new Uint8Array(data.subarray((part - 1) * part_size, part * part_size));
      return (await fetch(new URL(url, house.origin), { method: 'PUT', body })).headers.get('etag');
    };
    const etag = await send(urls[1].url, 2);
    const status = await house.call('GET', `/uploads/${upload_id}`);
    assert.equal(status.body.state, 'open');
    assert.deepEqual(status.body.parts, [{ part_number: 2, size: part_size, etag }]);
    const more = await house.call('POST', `/uploads/${upload_id}/urls`, { part_numbers: [3, 1, 3] });
    const parts = [{ part_number: 2, etag }];
    for (const { part_number, url } of more.body.urls) parts.push({ part_number, etag: await send(url, part_number) });
    assert.equal(parts.length, 3);
    const done = await house.call('POST', `/uploads/${upload_id}/complete`, { parts });
    assert.equal(done.body.file.state, 'stored');
    const beyond = await house.call('POST', `/uploads/${upload_id}/urls`, { part_numbers: [1] });
    assert.equal(beyond.body.code, 'upload_closed');
  });

  test('a NUL among the reader options is no fault of ours', async () => {
    const input = { filename: 'a.csv', size: 1, load: { null_values: ['\u0000', '\ud800'] } };
    assert.equal((await house.call('POST', '/uploads', input)).status, 201);
  });

  test('part numbers outside of the upload are refused', async () => {
    const { body } = await house.call('POST', '/uploads', { filename: 'a.bin', size: 10 });
    for (const part_numbers of [[2], [0], [-1], [1.5], [], ['1'], Array(1001).fill(1)]) {
      const answer = await house.call('POST', `/uploads/${body.upload_id}/urls`, { part_numbers });
      assert.equal(answer.status, 422, JSON.stringify(part_numbers).slice(0, 50));
    }
  });

  test('a wrong list of parts changes nothing: the upload stays open and can be put right', async () => {
    const { upload, parts } = await sendParts(house, { filename: 'a.bin' }, randomBytes(9 * MIB));
    const path = `/uploads/${upload.upload_id}/complete`;
    const wrong = [parts.slice(1), [parts[0], { part_number: 2, etag: '"0"' }], [], [...parts, ...parts]];
    for (const list of wrong) {
      const answer = await house.call('POST', path, { parts: list });
      assert.equal(answer.body.code, 'upload_incomplete');
      assert.equal((await house.call('GET', `/uploads/${upload.upload_id}`)).body.state, 'open');
    }
    assert.equal((await house.call('POST', path, { parts })).status, 202);
  });

  test('a wrong checksum is said, and the upload stays open for the parts to be sent again', async () => {
    const data = randomBytes(100);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const { upload, parts } = await sendParts(house, { filename: 'a.csv', sha256 }, Buffer.alloc(100));
    const path = `/uploads/${upload.upload_id}/complete`;
    const refused = await house.call('POST', path, { parts });
    assert.equal(refused.status, 422);
    assert.equal(refused.body.code, 'checksum_mismatch');
    const [url] = (await house.call('POST', `/uploads/${upload.upload_id}/urls`, { part_numbers: [1] })).body.urls;
    const again = await fetch(new URL(url.url, house.origin), { method: 'PUT', body: new Uint8Array(data) });
    const done = await house.call('POST', path, { parts: [{ part_number: 1, etag: again.headers.get('etag') }] });
    assert.equal(done.status, 202);
  });

  test('an aborted upload is gone with its bytes; a completed one cannot be aborted', async () => {
    const { upload } = await sendParts(house, { filename: 'a.csv' }, randomBytes(100));
    const path = `/uploads/${upload.upload_id}`;
    assert.equal((await house.call('DELETE', path)).status, 204);
    assert.equal((await house.call('DELETE', path)).status, 204);
    assert.equal((await house.call('GET', path)).body.state, 'aborted');
    assert.equal((await house.call('GET', `/files/${upload.file_id}`)).status, 404);
    assert.ok(!(await readdir(join(root, '.uploads'))).includes(upload.upload_id));
    const done = await uploadWhole(house, { filename: 'a.jpg' }, Buffer.from('x'));
    const refused = await house.call('DELETE', `/uploads/${done.upload.upload_id}`);
    assert.equal(refused.body.code, 'upload_closed');
  });

  test('another workspace sees none of it, and a viewer changes nothing', async () => {
    const { upload, parts, file } = await uploadWhole(house, { filename: 'a.jpg' }, Buffer.from('x'));
    const stranger = await house.stranger();
    const viewer = { ...house.principal, user_id: newId(), scopes: ['files:read'] };
    const calls: [method: string, path: string, body: unknown, viewer: number][] = [
      ['GET', `/uploads/${upload.upload_id}`, undefined, 403],
      ['POST', `/uploads/${upload.upload_id}/urls`, { part_numbers: [1] }, 403],
      ['POST', `/uploads/${upload.upload_id}/complete`, { parts }, 403],
      ['DELETE', `/uploads/${upload.upload_id}`, undefined, 403],
      ['GET', `/files/${file.id}`, undefined, 200],
      ['GET', `/files/${file.id}/content`, undefined, 302],
      ['DELETE', `/files/${file.id}`, undefined, 403],
    ];
    for (const [method, path, body, status] of calls) {
      assert.equal((await house.call(method, path, body, stranger)).status, 404, `${method} ${path}`);
      assert.equal((await house.call(method, path, body, null)).status, 401, `${method} ${path}`);
      assert.equal((await house.call(method, path, body, viewer)).status, status, `${method} ${path}`);
    }
    assert.deepEqual((await house.call('GET', '/files', undefined, stranger)).body, { items: [], next_cursor: null });
    for (const id of ['x', newId(), '../..', '%00']) {
      assert.equal((await house.call('GET', `/uploads/${encodeURIComponent(id)}`)).status, 404, id);
      assert.equal((await house.call('GET', `/files/${encodeURIComponent(id)}`)).status, 404, id);
    }
  });

  test('the sweeper takes what nobody finished, leaves what lives, and finishes half-done aborts', async () => {
    const log = pino({ level: 'silent' });
    const sweep = () => sweepUploads({ ...house.deps, log, retention_ms: 86_400_000 });
    await sweep();
    const { upload: abandoned } = await sendParts(house, { filename: 'a.csv' }, randomBytes(10));
    const { upload: halfAborted } = await sendParts(house, { filename: 'b.csv' }, randomBytes(10));
    const { upload: alive } = await sendParts(house, { filename: 'c.csv' }, randomBytes(10));
    await sql`UPDATE uploads SET expires_at = now() - interval '1 second' WHERE id = ${abandoned.upload_id}`.execute(
      db,
    );
    await sql`UPDATE uploads SET state = 'aborted' WHERE id = ${halfAborted.upload_id}`.execute(db);
    assert.equal(await sweep(), 2);
    assert.equal(await sweep(), 0);
    const left = await readdir(join(root, '.uploads'));
    assert.ok(left.includes(alive.upload_id));
    assert.ok(!left.includes(abandoned.upload_id) && !left.includes(halfAborted.upload_id));
    assert.equal((await house.call('GET', `/uploads/${abandoned.upload_id}`)).body.state, 'aborted');
    const parts = await first(db, sql`SELECT 1 FROM upload_parts WHERE upload_id = ${abandoned.upload_id}`);
    assert.equal(parts, undefined);
  });

  test('a part that arrives late in its upload’s life extends it', async () => {
    const begun = await house.call('POST', '/uploads', { filename: 'a.bin', size: 1 });
    const id = begun.body.upload_id;
    await sql`UPDATE uploads SET expires_at = now() + interval '1 minute' WHERE id = ${id}`.execute(db);
    await fetch(new URL(begun.body.urls[0].url, house.origin), { method: 'PUT', body: 'x' });
    const row = await first(
      db,
      sql<{ left: number }>`SELECT extract(epoch FROM expires_at - now())::int AS left FROM uploads WHERE id = ${id}`,
    );
    assert.ok((row?.left ?? 0) > 80_000, String(row?.left));
  });
});
