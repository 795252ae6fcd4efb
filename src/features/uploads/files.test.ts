import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { FileLoad } from '#contract/files.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql } from '#platform/db/db.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { sendParts, uploadHouse, uploadWhole } from '../../../test/support/uploads.ts';

suite('files', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const house = await uploadHouse();
  const { db } = house.database;
  const ids = (answer: { body: { items: { id: string }[] } }): string[] => answer.body.items.map((item) => item.id);

  const load = (dataset: string, accepted: number, quarantined: number): FileLoad => ({
    table: dataset,
    dataset,
    source_id: newId(),
    version: 1,
    rows: accepted,
    quarantined,
    accounting: {
      read: accepted + quarantined,
      accepted,
      quarantined,
      duplicates: 0,
      skipped: [{ line: 1, why: 'title' }],
    },
    sniffed: { format: 'csv', delimiter: ';', header: true, compression: 'zip', newline: '\n' },
  });

  test('the list is newest first, paged without gaps, filtered by state and dataset', async () => {
    const made: string[] = [];
    for (const dataset of ['a', 'b', 'a', 'b', 'a']) {
      made.unshift((await uploadWhole(house, { filename: `${dataset}.csv`, dataset }, Buffer.from('x\n1\n'))).file.id);
    }
    const all: string[] = [];
    let cursor = '';
    do {
      const page = await house.call('GET', `/files?limit=2${cursor && `&cursor=${cursor}`}`);
      all.push(...ids(page));
      cursor = page.body.next_cursor ?? '';
    } while (cursor);
    assert.deepEqual(all, made);
    assert.deepEqual(ids(await house.call('GET', '/files?dataset=b')), [made[1], made[3]]);
    await sql`UPDATE files SET loads = ${JSON.stringify([load('c', 1, 0), load('b', 1, 0)])}::jsonb WHERE id = ${made[0]}`.execute(
      db,
    );
    assert.deepEqual(ids(await house.call('GET', '/files?dataset=b')), [made[0], made[1], made[3]]);
    assert.deepEqual(ids(await house.call('GET', '/files?state=loaded')), []);
    assert.equal((await house.call('GET', '/files?state=stored')).body.items.length, 5);
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'state=gone']) {
      assert.equal((await house.call('GET', `/files?${query}`)).status, 422, query);
    }
    assert.equal((await house.call('GET', '/files?cursor=x')).body.code, 'bad_cursor');
  });

  test('rows and accounting are the sums over the file’s tables; what was sniffed is said', async () => {
    const { file } = await uploadWhole(house, { filename: 'book.zip' }, Buffer.from('x'));
    const loads = JSON.stringify([load('one', 10, 1), load('two', 5, 2)]);
    await sql`UPDATE files SET state = 'loaded', loads = ${loads}::jsonb WHERE id = ${file.id}`.execute(db);
    const { body } = await house.call('GET', `/files/${file.id}`);
    assert.equal(body.rows, 15);
    assert.equal(body.quarantined, 3);
    assert.equal(body.accounting.read, 18);
    assert.equal(body.accounting.skipped.length, 2);
    assert.deepEqual(body.sniffed, { format: 'csv', delimiter: ';', header: true, compression: 'zip', newline: '\n' });
    assert.deepEqual(body.loads, JSON.parse(loads));
    assert.equal(body.dataset, 'one');
  });

  test('a file without rows is loaded with 0; one that loads has progress; one that failed says why', async () => {
    const { file, task } = await uploadWhole(house, { filename: 'a.csv' }, Buffer.alloc(0));
    await sql`UPDATE files SET state = 'loaded' WHERE id = ${file.id}`.execute(db);
    assert.equal((await house.call('GET', `/files/${file.id}`)).body.rows, 0);
    await sql`UPDATE files SET state = 'loading' WHERE id = ${file.id}`.execute(db);
    await sql`UPDATE tasks SET status = 'running', progress = 41.26 WHERE id = ${task.id}`.execute(db);
    assert.equal((await house.call('GET', `/files/${file.id}`)).body.progress, 41.3);
    const error = { code: 'empty_file', message: 'The file is empty.', hint: 'Send another.' };
    await sql`UPDATE files SET state = 'failed', error = ${JSON.stringify(error)}::jsonb WHERE id = ${file.id}`.execute(
      db,
    );
    assert.deepEqual((await house.call('GET', `/files/${file.id}`)).body.error, error);
  });

  test('content is redirected to a signed URL, for ranges too', async () => {
    const { file } = await uploadWhole(
      house,
      { filename: 'datos año.csv', content_type: 'text/csv' },
      Buffer.from('0123456789'),
    );
    const { status, headers } = await house.call('GET', `/files/${file.id}/content`);
    assert.equal(status, 302);
    assert.match(headers.get('cache-control') ?? '', /no-store/);
    const response = await fetch(new URL(headers.get('location') ?? '', house.origin), {
      headers: { range: 'bytes=3-5' },
    });
    assert.equal(response.status, 206);
    assert.equal(await response.text(), '345');
    assert.match(response.headers.get('content-disposition') ?? '', /filename\*=UTF-8''datos%20a%C3%B1o\.csv/);
  });

  test('a deleted file is gone with its object; a queued load holds it', async () => {
    const { file, task } = await uploadWhole(house, { filename: 'a.csv' }, Buffer.from('x'));
    const busy = await house.call('DELETE', `/files/${file.id}`);
    assert.equal(busy.status, 409);
    assert.equal(busy.body.code, 'file_busy');
    await sql`UPDATE tasks SET status = 'cancelled' WHERE id = ${task.id}`.execute(db);
    assert.equal((await house.call('DELETE', `/files/${file.id}`)).status, 204);
    assert.equal((await house.call('GET', `/files/${file.id}`)).status, 404);
    assert.equal((await house.call('DELETE', `/files/${file.id}`)).status, 404);
    await assert.rejects(house.store.stat(`files/${house.principal.workspace_id}/${file.id}`), /no such object/);
  });

  test('deleting a file that is still arriving aborts its upload', async () => {
    const { upload } = await sendParts(house, { filename: 'a.csv' }, Buffer.from('x'));
    assert.equal((await house.call('DELETE', `/files/${upload.file_id}`)).status, 204);
    assert.equal((await house.call('GET', `/uploads/${upload.upload_id}`)).body.state, 'aborted');
    const left = await first(db, sql`SELECT 1 FROM upload_parts WHERE upload_id = ${upload.upload_id}`);
    assert.equal(left, undefined);
  });
});
