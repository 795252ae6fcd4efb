import assert from 'node:assert/strict';
import { test } from 'node:test';
import { photo } from '../support/photos.ts';
import { startCaudal, until } from './caudal.ts';
import { type Answer, createClient, problemCode, tokenWith } from './client.ts';

/**
 * System C's registrations as a program sends them, each with a photo. (500 of them without: scenario C of the rows;
 * the form: test/browser.)
 */
const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);
const PEOPLE = 24;
const SECRET = 'taken at 4.60971,-74.08175';
const picture = await photo('jpeg', { width: 320, height: 200, orientation: 6, comment: SECRET });

function register(n: number, options: { key?: string; sent?: Buffer; query?: string } = {}): Promise<Answer> {
  const { key, sent = picture, query = '' } = options;
  const body = new FormData();
  body.append('name', `Persona ${n} "Ñ"`);
  body.append('national_id', String(10_000_000 + n));
  body.append('city', ['Bogotá', 'Cali', 'Pasto'][n % 3] ?? '');
  body.append('id_photo', new Blob([new Uint8Array(sent)], { type: 'image/jpeg' }), `cédula ${n}.jpg`);
  const headers: Record<string, string> = key ? { 'idempotency-key': key } : {};
  return client.call('POST', `/datasets/registrations/rows${query}`, { form: body, headers });
}

async function photos(): Promise<string[]> {
  const { items } = await client.get('/files?photos=true&limit=1000');
  return items.map(({ id }: { id: string }) => id);
}

test('registrations with photos: each once, the photos private and clean', async (t) => {
  const made = await client.call('POST', '/datasets', {
    body: {
      name: 'registrations',
      columns: [
        { name: 'name', type: 'text', required: true },
        { name: 'national_id', type: 'text', required: true, pattern: '[0-9]{6,10}' },
        { name: 'city', type: 'text', required: true },
        { name: 'id_photo', type: 'file', required: true, accept: ['image/jpeg'], max_bytes: 1_000_000 },
      ],
      key: ['national_id'],
    },
  });
  assert.equal(made.status, 201, made.text);

  await t.test('from several clients at once, some of them twice', async () => {
    const numbers = Array.from({ length: PEOPLE }, (_, n) => n);
    const answers: Answer[] = [];
    const clients = Array.from({ length: 4 }, async (_, at) => {
      for (const n of numbers.filter((each) => each % 4 === at)) answers.push(await register(n));
    });
    const again = numbers.filter((n) => n % 6 === 0);
    await Promise.all(clients);
    const repeated = await Promise.all(again.map((n) => register(n)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]), answers[0]?.text);
    for (const answer of repeated) {
      assert.equal(answer.status, 409, answer.text);
      assert.equal(problemCode(answer), 'duplicate_key');
      assert.equal(answer.body.errors[0].field, 'national_id');
    }
  });

  await t.test('all of them can be read, each with its own photo and no photo without a row', async () => {
    const rows = await until('the rows', async () => {
      const found = await client.sql('SELECT national_id, id_photo FROM registrations');
      return found.length < PEOPLE ? undefined : found;
    });
    assert.equal(new Set(rows.map((row) => row['national_id'])).size, PEOPLE);
    const named = new Set(rows.map((row) => row['id_photo']));
    assert.equal(named.size, PEOPLE);
    assert.deepEqual(new Set(await photos()), named);
  });

  await t.test('a retry whose boundary differs gets the first answer; another body does not', async () => {
    const query = '?wait=true';
    const first = await register(100, { key: 'person-100', query });
    assert.equal(first.status, 200, first.text);
    assert.equal(first.body.inserted, 1);
    const before = await photos();
    const repeat = await register(100, { key: 'person-100', query });
    assert.deepEqual([repeat.status, repeat.text], [200, first.text]);
    const other = await register(101, { key: 'person-100', query });
    assert.deepEqual([other.status, problemCode(other)], [422, 'idempotency_key_reused']);
    assert.deepEqual(await photos(), before);
  });

  await t.test('what is wrong is named, and its photo goes', async () => {
    const before = await photos();
    const wrong = await register(200, { sent: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') });
    assert.deepEqual([wrong.status, problemCode(wrong)], [422, 'unsupported_image']);
    assert.equal(wrong.body.errors[0].field, 'id_photo');
    const body = new FormData();
    body.append('national_id', 'x');
    body.append('id_photo', new Blob([new Uint8Array(picture)]), 'x.jpg');
    const all = await client.call('POST', '/datasets/registrations/rows', { form: body });
    assert.equal(all.status, 422, all.text);
    assert.deepEqual(
      all.body.errors.map(({ field, code }: Record<string, string>) => [field, code]),
      [
        ['name', 'required'],
        ['national_id', 'pattern'],
        ['city', 'required'],
      ],
    );
    assert.deepEqual(await photos(), before);
  });

  await t.test('as JSON, a row names an upload, of which a photo is made', async () => {
    const { file } = await client.upload('cédula.jpg', picture).done;
    const person = (n: number, id_photo: string) => ({ name: 'x', national_id: String(n), city: 'Cali', id_photo });
    const rows = '/datasets/registrations/rows';
    const named = await client.call('POST', `${rows}?wait=true`, { body: person(20_000_001, file.id) });
    assert.deepEqual([named.status, named.body.inserted], [200, 1], named.text);
    const [row] = await client.sql("SELECT id_photo FROM registrations WHERE national_id = '20000001'");
    assert.notEqual(row?.['id_photo'], file.id);
    assert.ok((await photos()).includes(String(row?.['id_photo'])));
    const before = await photos();
    const many = [person(20_000_002, file.id), person(20_000_003, '00000000-0000-7000-8000-000000000000')];
    const wrong = await client.call('POST', rows, { body: many });
    assert.equal(wrong.status, 422, wrong.text);
    assert.deepEqual([wrong.body.errors[0].field, wrong.body.errors[0].code], ['1.id_photo', 'file_not_found']);
    assert.deepEqual(await photos(), before);
  });

  await t.test('a photo is seen by who has the right, by a link that expires and cannot be forged', async () => {
    const [id] = await photos();
    const path = `/files/${id}/content`;
    assert.equal((await client.call('GET', path, { token: null })).status, 401);
    const small = await tokenWith(client, ['files:read', 'datasets:read:others']);
    assert.equal((await client.call('GET', path, { token: small })).status, 403);
    const redirect = await client.call('GET', path);
    assert.equal(redirect.status, 302);
    const link = new URL(redirect.headers.get('location') ?? '', caudal.url);
    const seen = await fetch(link);
    assert.equal(seen.headers.get('content-type'), 'image/jpeg');
    assert.ok(!Buffer.from(await seen.arrayBuffer()).includes(SECRET));
    link.searchParams.set('expires', '4102444800');
    assert.equal((await fetch(link)).status, 403);
    const { items } = await client.get('/audit?action=photo.read');
    assert.equal(items[0].target, id);
  });

  await t.test('they go with their dataset', async () => {
    const [id] = await photos();
    assert.equal((await client.call('DELETE', '/datasets/registrations')).status, 204);
    assert.deepEqual(await photos(), []);
    assert.equal((await client.call('GET', `/files/${id}/content`)).status, 404);
  });
});
