import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { after } from 'node:test';
import pino from 'pino';
import { newId } from '#kernel/ids.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory } from '../../../test/support/object-store.ts';
import { photo } from '../../../test/support/photos.ts';
import { uploadHouse, uploadWhole } from '../../../test/support/uploads.ts';
import { adoptFile } from './adopt.ts';
import { discardPhotos, keepPhotos, type PhotoDeps, storePhoto, sweepPhotos } from './photos.ts';
import { createImagePool } from './pool.ts';

test('photos of rows', { skip: needsDatabase }, async (t) => {
  const house = await uploadHouse({ settings: { url_lifetime_ms: 60_000 } });
  const { store, database, principal, call, origin } = house;
  const { db } = database;
  const { workspace_id } = principal;
  const temp_dir = await temporaryDirectory();
  const pool = createImagePool({ log: pino({ level: 'silent' }), slots: 2, timeout_ms: 60_000 });
  after(() => pool.close());
  const deps: PhotoDeps = { db, store, pool, temp_dir, max_bytes: 1_000_000 };
  const dataset = await transaction(db, (tx) => createDataset(tx, { workspace_id, name: 'registrations' }));

  const send = async (bytes: Buffer, rules: { accept?: string[]; max_bytes?: number } = {}) => {
    const path = join(temp_dir, newId());
    await writeFile(path, bytes);
    const column = { name: 'id_photo', ...rules };
    const { file_id } = await storePhoto(deps, { workspace_id, dataset_id: dataset.id, column, path, user_id: null });
    return file_id;
  };
  const keep = (id: string) => transaction(db, (tx) => keepPhotos(tx, workspace_id, [id]));
  const objects = async (): Promise<number> => {
    let count = 0;
    for await (const _ of store.list('files/')) count += 1;
    return count;
  };

  await t.test('only who may read files and the dataset sees it, by a URL that expires; the log knows', async () => {
    const id = await send(await photo('jpeg', { comment: 'SECRET' }));
    await keep(id);
    const limited = (scopes: string[]) => ({ ...principal, user_id: newId(), scopes });
    const path = `/files/${id}/content`;
    const refused: [who: Parameters<typeof call>[3], status: number][] = [
      [null, 401],
      [await house.stranger(), 404],
      [limited(['datasets:read']), 403],
      [limited(['files:read']), 403],
      [limited(['files:read', 'datasets:read:others']), 403],
    ];
    for (const [who, status] of refused) assert.equal((await call('GET', path, undefined, who)).status, status);
    const allowed = await call('GET', path, undefined, limited(['files:read', 'datasets:read:registrations']));
    assert.equal(allowed.status, 302);

    const url = new URL(allowed.headers.get('location') ?? '', origin);
    const seen = await fetch(url);
    assert.equal(seen.headers.get('content-type'), 'image/jpeg');
    assert.match(seen.headers.get('content-disposition') ?? '', /^inline; filename="id_photo-[0-9a-f]{12}\.jpeg"$/);
    const bytes = Buffer.from(await seen.arrayBuffer());
    assert.ok(bytes.length > 0 && !bytes.includes('SECRET'));

    for (const [name, value] of [
      ['signature', 'A'.repeat(43)],
      ['expires', '9999999999'],
    ] as const) {
      const forged = new URL(url);
      forged.searchParams.set(name, value);
      const answer = await fetch(forged);
      assert.equal(answer.status, 403);
      assert.equal(((await answer.json()) as { code: string }).code, 'signature_invalid');
    }
    assert.equal((await fetch(new URL(url.pathname, origin))).status, 422);
    const log = await sql<{
      actor: string;
    }>`SELECT actor FROM audit_log WHERE action = 'photo.read' AND target = ${id}`.execute(db);
    assert.deepEqual(log.rows, [{ actor: 'ana' }]);
  });

  await t.test('uploads are listed without them', async () => {
    const uploads = await call('GET', '/files');
    assert.deepEqual(uploads.body.items, []);
    const photos = await call('GET', '/files?photos=true&dataset=registrations');
    assert.deepEqual(
      photos.body.items.map((item: Record<string, unknown>) => [item['dataset'], item['photo_column'], item['state']]),
      [['registrations', 'id_photo', 'stored']],
    );
  });

  await t.test('what breaks a rule names its column and leaves nothing', async () => {
    const before = await objects();
    const png = await photo('png', { width: 600, height: 600 });
    const cases: [bytes: Buffer, rules: Parameters<typeof send>[1], code: string][] = [
      [png, { accept: ['image/jpeg'] }, 'unsupported_image'],
      [png, { max_bytes: 100 }, 'image_too_large'],
      [Buffer.concat([png, Buffer.alloc(1_000_001)]), { max_bytes: 50_000_000 }, 'image_too_large'],
      [png.subarray(0, png.length - 40), {}, 'image_damaged'],
    ];
    for (const [bytes, rules, code] of cases) {
      await assert.rejects(send(bytes, rules), (error: { code?: string; errors?: { field: string }[] }) => {
        assert.equal(error.code, code);
        assert.deepEqual(
          error.errors?.map(({ field }) => field),
          ['id_photo'],
        );
        return true;
      });
    }
    assert.equal(await objects(), before);
  });

  await t.test('an upload that a row names becomes a photo; what is no file of the workspace does not', async () => {
    const bytes = await photo('jpeg', { comment: 'SECRET' });
    const { file } = await uploadWhole(house, { filename: 'id.jpg' }, bytes);
    const column = { name: 'id_photo' };
    const adopt = (file_id: string, workspace = workspace_id) =>
      adoptFile(deps, { workspace_id: workspace, dataset_id: dataset.id, column, user_id: null, file_id });
    const made = await adopt(file.id);
    assert.notEqual(made, file.id);
    assert.equal(await adopt(made), made, 'a photo of the dataset stays what it is');
    const key = `files/${workspace_id}/${made}`;
    assert.ok(!(await buffer(await store.read(key))).includes('SECRET'));
    const other = (await house.stranger()).workspace_id;
    for (const [id, workspace] of [[newId()], ['../x'], [file.id, other]] as [string, string?][]) {
      await assert.rejects(adopt(id, workspace), (error: { errors?: { field: string; code: string }[] }) => {
        assert.deepEqual(
          error.errors?.map(({ field, code }) => [field, code]),
          [['id_photo', 'file_not_found']],
        );
        return true;
      });
    }
    const { file: text } = await uploadWhole(house, { filename: 'id.jpg' }, Buffer.from('no photo'));
    await assert.rejects(adopt(text.id), { code: 'unsupported_image' });
    await discardPhotos(deps, [made]);
    for (const id of [file.id, text.id]) await sql`DELETE FROM uploads WHERE file_id = ${id}`.execute(db);
    for (const id of [file.id, text.id]) await store.delete(`files/${workspace_id}/${id}`);
  });

  await t.test('one whose row was refused goes; one that was kept stays, until its dataset goes', async () => {
    const before = await objects();
    const [kept, refused, forgotten, fresh] = await Promise.all(
      Array.from({ length: 4 }, async () => send(await photo('png'))) as Promise<string>[],
    );
    await keep(kept as string);
    await discardPhotos(deps, [kept as string, refused as string]);
    assert.equal(await objects(), before + 3);
    await assert.rejects(keep(refused as string), { code: 'file_not_found' });

    await sql`UPDATE files SET created_at = now() - interval '61 minutes' WHERE id = ${forgotten}`.execute(db);
    assert.equal(await sweepPhotos(deps), 1);
    await assert.rejects(keep(forgotten as string), { code: 'file_not_found' });
    await keep(fresh as string);

    await sql`UPDATE datasets SET deleted_at = now() WHERE id = ${dataset.id}`.execute(db);
    assert.equal(await sweepPhotos(deps), 3);
    assert.equal(await objects(), 0);
  });
});
