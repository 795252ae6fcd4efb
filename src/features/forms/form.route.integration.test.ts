import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { DeclaredColumn } from '#contract/datasets.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { type FormHouse, formHouse, type Visit, visitor } from '../../../test/support/forms.ts';
import { insertWorkspace } from '../../../test/support/object-store.ts';
import { photo } from '../../../test/support/photos.ts';

const COLUMNS: DeclaredColumn[] = [
  { name: 'name', type: 'text', required: true },
  { name: 'national_id', type: 'text', required: true, pattern: '[0-9]{6,10}' },
  { name: 'age', type: 'integer', min: 18 },
  { name: 'id_photo', type: 'file', required: true, accept: ['image/jpeg', 'image/png'], max_bytes: 100_000 },
];
const ANA = { name: 'Ana', national_id: '1020304', age: '' };

async function picture(): Promise<Blob> {
  return new Blob([new Uint8Array(await photo('jpeg', { comment: 'SECRET' }))], { type: 'image/jpeg' });
}

/** Batches that wait in the datasets' streams: what was accepted. */
async function accepted({ database }: FormHouse): Promise<Record<string, unknown>[]> {
  const found = await rows(
    database.db,
    sql<{ payload: Buffer; packed: boolean }>`SELECT payload, packed FROM event_batches ORDER BY id`,
  );
  assert.ok(found.every(({ packed }) => !packed));
  return found.map(({ payload }) => JSON.parse(payload.toString()) as Record<string, unknown>);
}

function photosIn({ database }: FormHouse): Promise<{ id: string; kept: boolean }[]> {
  return rows(
    database.db,
    sql<{ id: string; kept: boolean }>`
      SELECT id, kept_at IS NOT NULL AS kept FROM files WHERE photo_column IS NOT NULL AND deleted_at IS NULL ORDER BY id`,
  );
}

function problem(visit: Visit): { code: string; errors?: { field: string; code: string }[] } {
  assert.match(visit.headers.get('content-type') ?? '', /problem\+json/);
  return JSON.parse(visit.text);
}

suite('forms over HTTP', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const house = await formHouse({ CAUDAL_PHOTO_MAX_BYTES: '200KB' });
  await house.dataset('people', COLUMNS, { public: true, slug: 'registry', title: { en: 'Registry', es: 'Registro' } });
  const path = '/forms/registry';

  test('the page: its language, its policy, its cookie', async () => {
    const ana = visitor(house.origin);
    const page = await ana.get(path, { 'accept-language': 'es-CO' });
    assert.equal(page.status, 200);
    assert.match(page.text, /<html lang="es">/);
    assert.match(page.text, /<h1>Registro<\/h1>/);
    assert.equal(page.headers.get('content-language'), 'es');
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'.*frame-ancestors 'none'/);
    assert.match(page.headers.get('set-cookie') ?? '', /^caudal_form=.*Path=\/forms;.*HttpOnly; SameSite=Lax/);
    assert.equal((await ana.get(path)).headers.get('set-cookie'), null, 'it keeps the one it has');
    for (const asset of page.text.matchAll(/(?:src|href)="(\/forms\/assets\/[^"]+)"/g)) {
      const { status, headers } = await ana.get(asset[1] ?? '');
      assert.deepEqual([status, headers.get('cache-control')], [200, 'public, max-age=31536000, immutable']);
    }
  });

  test('sent once or five times at once, it is one row with its photo, and one receipt', async () => {
    const ana = visitor(house.origin);
    const page = await ana.get(`${path}?lang=es`);
    const fields = { ...ana.hidden(page.text), ...ANA, id_photo: await picture() };
    const before = await accepted(house);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ana.send(`${path}?lang=es`, fields)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([303]));
    const receipts = new Set(answers.map(({ headers }) => headers.get('location')));
    assert.equal(receipts.size, 1);
    const [row, ...others] = (await accepted(house)).slice(before.length);
    assert.deepEqual(others, []);
    assert.deepEqual({ ...row, id_photo: null }, { name: 'Ana', national_id: '1020304', age: null, id_photo: null });
    const kept = (await photosIn(house)).filter((one) => one.kept).map(({ id }) => id);
    assert.deepEqual(kept, [row?.['id_photo']]);

    const receipt = await ana.get([...receipts][0] ?? '');
    assert.match(receipt.text, /<html lang="es">/);
    assert.match(receipt.text, /id="receipt">[0-9a-f-]{36}</);
    assert.equal((await ana.get(`${path}/receipt?r=forged`)).status, 404);

    const changed = await ana.send(path, { ...fields, name: 'Beto' });
    assert.equal(changed.status, 422);
    assert.match(changed.text, /was sent before, with other answers/);
    assert.equal((await accepted(house)).length, before.length + 1);
  });

  test('what is wrong is said beside its field; the photo that was right need not be sent again', async () => {
    const ana = visitor(house.origin);
    const page = await ana.get(path);
    const wrong = { ...ana.hidden(page.text), name: ' ', national_id: '<b>', age: '17', id_photo: await picture() };
    const again = await ana.send(path, wrong);
    assert.equal(again.status, 422);
    for (const said of [
      /Name: Please fill this in\./,
      /id="field-2-error">This does not have the expected form\./,
      /id="field-3-error">Enter 18 or more\./,
      /value="&lt;b&gt;"/,
      /The photo has arrived/,
    ]) {
      assert.match(again.text, said);
    }
    const before = await accepted(house);
    const right = await ana.send(path, { ...ana.hidden(again.text), ...ANA, age: '18' });
    assert.equal(right.status, 303, right.text);
    const [row] = (await accepted(house)).slice(before.length);
    assert.equal(row?.['age'], 18);
    const kept = (await photosIn(house)).find(({ id }) => id === row?.['id_photo']);
    assert.ok(kept?.kept);
  });

  test('photos that are none, and texts where a photo belongs', async () => {
    const ana = visitor(house.origin);
    const { text } = await ana.get(path);
    const before = await photosIn(house);
    const svg = new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], { type: 'image/jpeg' });
    const large = new Blob([new Uint8Array(100_001)], { type: 'image/jpeg' });
    const cases: [field: string | Blob, status: number, said: RegExp][] = [
      [svg, 422, /id="field-4-error">This is not a photo in JPEG or PNG/],
      [large, 413, /id="field-4-error">The photo is too large: at most 100 KB/],
      [before[0]?.id ?? '', 422, /id="field-4-error">Please fill this in/],
    ];
    for (const [id_photo, status, said] of cases) {
      const answer = await ana.send(path, { ...ana.hidden(text), ...ANA, id_photo });
      assert.equal(answer.status, status);
      assert.match(answer.text, said);
    }
    assert.deepEqual(await photosIn(house), before);
  });

  test('posts that did not come from the page are refused and can be sent again from the one that is answered', async () => {
    const ana = visitor(house.origin);
    const stranger = visitor(house.origin);
    await stranger.get(path);
    const { text } = await ana.get(path);
    const hidden = ana.hidden(text);
    const before = await accepted(house);
    const refused: [who: typeof ana, fields: Record<string, string>, said: RegExp][] = [
      [ana, {}, /open for too long/],
      [ana, { ':token': 'forged.forged' }, /open for too long/],
      [stranger, hidden, /open for too long/],
      [ana, { ...hidden, ':website': 'http://spam.example' }, /last field must stay empty/],
    ];
    for (const [who, fields, said] of refused) {
      const answer = await who.send(path, { ...fields, ...ANA });
      assert.equal(answer.status, 403);
      assert.match(answer.text, said);
      assert.match(answer.text, /name="name" value="Ana"/);
    }
    assert.deepEqual(await accepted(house), before);
    const redrawn = await stranger.send(path, { ...hidden, ...ANA });
    const right = await stranger.send(path, { ...stranger.hidden(redrawn.text), ...ANA, id_photo: await picture() });
    assert.equal(right.status, 303);
  });

  test('somebody who is registered already is told so beside the field of the key', async () => {
    const columns = COLUMNS.slice(0, 2);
    await house.dataset('keyed', columns, { public: true }, ['national_id']);
    const ana = visitor(house.origin);
    const send = async (lang: string) => {
      const page = await ana.get(`/forms/keyed?lang=${lang}`);
      return ana.send(`/forms/keyed?lang=${lang}`, { ...ana.hidden(page.text), name: 'Ana', national_id: '1020304' });
    };
    assert.equal((await send('en')).status, 303);
    const again = await send('es');
    assert.equal(again.status, 409);
    assert.match(again.text, /id="field-2-error">Ya está registrado\.</);
    assert.match(again.text, /name="national_id" value="1020304"/);
  });

  test('programs: JSON, or the form’s encoding with a token; problems instead of pages', async () => {
    await house.dataset('notes', [{ name: 'n', type: 'integer', required: true }], { public: true });
    const json = async (body: unknown, headers: Record<string, string> = {}): Promise<Visit> => {
      const response = await fetch(new URL('/forms/notes', house.origin), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      return { status: response.status, headers: response.headers, text: await response.text() };
    };
    const made = await json({ n: 7 }, { 'idempotency-key': 'notes-1' });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get('location'), JSON.parse(made.text).receipt_url);
    assert.equal((await json({ n: 7 }, { 'idempotency-key': 'notes-1' })).text, made.text);
    assert.equal((await json({ n: 8 }, { 'idempotency-key': 'notes-1' })).status, 422);
    const wrong = problem(await json({ n: 'x', other: 1 }));
    assert.deepEqual(
      wrong.errors?.map(({ field, code }) => [field, code]),
      [
        ['other', 'unknown_column'],
        ['n', 'wrong_type'],
      ],
    );
    assert.equal(problem(await json([{ n: 1 }])).code, 'invalid_input');
    const program = visitor(house.origin, { accept: '*/*', authorization: house.credential() });
    const form = await program.send('/forms/notes', { n: '9' });
    assert.equal(form.status, 201, form.text);
    assert.equal(problem(await program.get('/forms/nothing')).code, 'form_not_found');
    const wrongPhoto = await program.send(path, { ...ANA, id_photo: new Blob(['no photo']) });
    assert.equal(problem(wrongPhoto).code, 'unsupported_image');
    const [known] = await photosIn(house);
    assert.equal((await program.send(path, { ...ANA, id_photo: known?.id ?? '' })).status, 201);
    const unknown = problem(await program.send(path, { ...ANA, id_photo: 'x' }));
    assert.deepEqual(unknown.errors, [
      { field: 'id_photo', code: 'file_not_found', message: 'There is no such file.' },
    ]);
  });

  test('a form that is not public: its workspace alone, and who may write', async () => {
    await house.dataset('staff', COLUMNS.slice(0, 1), {});
    const other = await insertWorkspace(house.database.db);
    const cases: [credential: string | null, status: number][] = [
      [null, 404],
      [house.credential(other), 404],
      [house.credential(house.workspace, ['datasets:read']), 403],
      [house.credential(house.workspace, ['datasets:write:others']), 403],
      [house.credential(house.workspace, ['datasets:write:staff']), 200],
      [house.credential(), 200],
    ];
    for (const [session, status] of cases) {
      const somebody = visitor(house.origin, session ? { 'x-session': session } : {});
      const page = await somebody.get('/forms/staff');
      assert.equal(page.status, status);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      if (status !== 200) {
        assert.notEqual((await somebody.send('/forms/staff', { name: 'x' })).status, 303);
        continue;
      }
      // Another of the same browser's sessions is another holder.
      const thief = visitor(house.origin, { 'x-session': house.credential() });
      assert.equal((await thief.send('/forms/staff', { ...somebody.hidden(page.text), name: 'x' })).status, 403);
      assert.equal((await somebody.send('/forms/staff', { ...somebody.hidden(page.text), name: 'x' })).status, 303);
    }
  });

  test('bodies without bounds or without form', async () => {
    const ana = visitor(house.origin);
    const { text } = await ana.get(path);
    const huge = await ana.send(path, { ...ana.hidden(text), id_photo: new Blob([new Uint8Array(200_001)]) });
    assert.equal(huge.status, 413);
    const all = await ana.send(path, { a: new Blob([new Uint8Array(900_000)]) });
    assert.equal(all.status, 413);
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`f${index}`, '']));
    assert.equal((await ana.send(path, many)).status, 413);
    const broken = await fetch(new URL(path, house.origin), {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAna',
    });
    assert.equal(broken.status, 400);
    assert.equal(((await broken.json()) as { code: string }).code, 'bad_request');
  });
});

test('one address sends so many forms and no more; who is signed in is counted elsewhere', {
  skip: needsDatabase,
}, async () => {
  const house = await formHouse({ CAUDAL_FORM_LIMIT: '3', CAUDAL_PUBLIC_URL: 'https://forms.example.org' });
  await house.dataset('notes', [{ name: 'n', type: 'integer' }], { public: true });
  const ana = visitor(house.origin);
  const { text, headers: given } = await ana.get('/forms/notes');
  assert.match(given.get('set-cookie') ?? '', /; Secure$/);
  const send = (who = ana, headers = {}) => who.send('/forms/notes', { ...ana.hidden(text), n: '1' }, headers);
  for (let n = 0; n < 3; n += 1) assert.equal((await send()).status, 303);
  const page = await send(ana, { 'accept-language': 'es' });
  assert.equal(page.status, 429);
  assert.ok(Number(page.headers.get('retry-after')) > 0);
  assert.match(page.text, /Demasiados formularios/);
  assert.equal(problem(await send(ana, { accept: 'application/json' })).code, 'rate_limited');
  const member = visitor(house.origin, { 'x-session': house.credential() });
  assert.equal(
    (await member.send('/forms/notes', { ...member.hidden((await member.get('/forms/notes')).text), n: '2' })).status,
    303,
  );
});
