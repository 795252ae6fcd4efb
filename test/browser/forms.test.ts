import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Page } from 'playwright-core';
import { needsBrowser, openPage, startBrowser, violations } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { photo } from '../support/photos.ts';

const REGISTRY = {
  name: 'registrations',
  columns: [
    { name: 'name', type: 'text', required: true },
    { name: 'national_id', type: 'text', required: true, pattern: '[0-9]{6,10}', description: '6–10' },
    { name: 'city', type: 'text', required: true },
    { name: 'age', type: 'integer', min: 18 },
    { name: 'dose', type: 'text', enum: ['1', '2'], required: true },
    { name: 'vaccine', type: 'text', enum: ['Abdala', 'Janssen', 'Moderna', 'Pfizer', 'Sinovac', 'Soberana'] },
    { name: 'allergies', type: 'boolean' },
    { name: 'born', type: 'date', max: '2020-01-01' },
    { name: 'notes', type: 'text', format: 'multiline' },
    { name: 'id_photo', type: 'file', required: true, accept: ['image/jpeg'], max_bytes: 2_000_000 },
  ],
  form: {
    public: true,
    slug: 'vaccination',
    title: { en: 'Vaccination registry', es: 'Registro de vacunación' },
    intro: { en: 'It takes two minutes.', es: 'Toma dos minutos.' },
    labels: {
      name: { en: 'Full name', es: 'Nombre completo' },
      national_id: { en: 'National id', es: 'Cédula' },
      city: { en: 'City', es: 'Ciudad' },
      dose: { en: 'Dose', es: 'Dosis' },
      id_photo: { en: 'Photo of your id', es: 'Foto de tu cédula' },
    },
  },
};

interface Row {
  name: string;
  city: string;
  age: number | null;
  dose: string;
  id_photo: string;
}

async function receiptOf(page: Page): Promise<string> {
  await page.waitForURL(/\/receipt\?/);
  const number = (await page.locator('#receipt').textContent()) ?? '';
  assert.match(number, /^[0-9a-f-]{36}$/);
  return number;
}

async function fits(page: Page): Promise<void> {
  assert.deepEqual(await violations(page), []);
  const beyond = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  assert.ok(beyond <= 0, `${page.url()} is ${beyond} px wider than the window`);
}

function rowsOf(instance: Instance): Promise<Row[]> {
  return instance.call<{ rows: Row[] }>('GET', '/datasets/registrations/rows').then(({ rows }) => rows);
}

test('a form is filled in with a photo', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance();
  await instance.call('POST', '/datasets', REGISTRY);
  const browser = await startBrowser();
  const right = join(instance.dir, 'id.jpg');
  const wrong = join(instance.dir, 'wrong.jpg');
  writeFileSync(right, await photo('jpeg', { width: 800, height: 600, orientation: 6, comment: 'SECRET' }));
  writeFileSync(wrong, '<script>alert(1)</script>');

  await t.test('in English, with a script: what is missing is said before anything is sent', async (t) => {
    const page = await openPage(t, browser, instance, { width: 390, scheme: 'dark', signedIn: false });
    await page.goto('/forms/vaccination');
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    assert.equal(await page.title(), 'Vaccination registry · Caudal');
    await fits(page);

    await page.getByRole('spinbutton', { name: /^Age/ }).fill('17');
    await page.getByLabel('National id').fill('12x');
    let posts = 0;
    page.on('request', (request) => (posts += request.method() === 'POST' ? 1 : 0));
    await page.getByRole('button', { name: 'Send' }).click();
    const summary = page.locator('#summary');
    await summary.getByRole('link').first().waitFor();
    assert.deepEqual(await summary.getByRole('link').allTextContents(), [
      'Full name: Please fill this in.',
      'National id: This does not have the expected form.',
      'City: Please fill this in.',
      'Age: Enter 18 or more.',
      'Dose: Please fill this in.',
      'Photo of your id: Please fill this in.',
    ]);
    assert.equal(posts, 0);
    assert.equal(await page.evaluate('document.activeElement.id'), 'summary');
    await summary.getByRole('link', { name: 'City' }).click();
    assert.equal(await page.evaluate('document.activeElement.name'), 'city');
    assert.equal(await page.getByLabel('City').getAttribute('aria-invalid'), 'true');
    await fits(page);

    await page.getByLabel('Full name').fill('José "Pepe" <b>Ñ</b>');
    await page.getByLabel('National id').fill('1020304050');
    await page.getByLabel('City').fill('Bogotá');
    await page.getByRole('spinbutton', { name: /^Age/ }).fill('41');
    await page.getByRole('group', { name: 'Dose' }).getByLabel('2').check();
    await page.getByLabel('Photo of your id').setInputFiles(right);
    await page.locator('img.preview').waitFor();
    await page.getByRole('button', { name: 'Send' }).dblclick();
    await receiptOf(page);
    await fits(page);
    await page.reload();
    await receiptOf(page);
    assert.equal(posts, 1);
  });

  await t.test(
    'in Spanish: what only the server sees stands beside its field, and what was typed is kept',
    async (t) => {
      const page = await openPage(t, browser, instance, { locale: 'es-ES', signedIn: false });
      await page.goto('/forms/vaccination');
      assert.equal(await page.locator('html').getAttribute('lang'), 'es');
      await page.getByLabel('Nombre completo').fill('María Pérez');
      await page.getByLabel('Cédula').first().fill('20304050');
      await page.getByLabel('Ciudad').fill('Cúcuta');
      await page.getByRole('group', { name: 'Dosis' }).getByLabel('1').check();
      await page.getByLabel('Foto de tu cédula').setInputFiles(wrong);
      await page.getByRole('button', { name: 'Enviar' }).click();
      await page.getByText(/^No es una foto en JPEG\./).waitFor();
      assert.equal(await page.evaluate('document.activeElement.id'), 'summary');
      assert.equal(await page.getByLabel('Nombre completo').inputValue(), 'María Pérez');
      assert.ok(await page.getByRole('group', { name: 'Dosis' }).getByLabel('1').isChecked());
      await fits(page);
      await page.getByLabel('Foto de tu cédula').setInputFiles(right);
      await page.getByRole('button', { name: 'Enviar' }).click();
      await receiptOf(page);
      await page.getByText('Lo hemos recibido').waitFor();
      await fits(page);
    },
  );

  await t.test('without a script, the language chosen by hand', async (t) => {
    const page = await openPage(t, browser, instance, { scripts: false, signedIn: false });
    await page.goto('/forms/vaccination');
    await page.getByRole('link', { name: 'Español' }).click();
    await page.getByRole('heading', { name: 'Registro de vacunación' }).waitFor();
    await page.getByLabel('Nombre completo').fill('Ana');
    await page.getByLabel('Cédula').first().fill('3040506');
    await page.getByLabel('Ciudad').fill('Pasto');
    await page.getByRole('group', { name: 'Dosis' }).getByLabel('1').check();
    await page.getByLabel('Foto de tu cédula').setInputFiles(wrong);
    await page.getByRole('button', { name: 'Enviar' }).click();
    await page.getByRole('link', { name: /^Foto de tu cédula: No es una foto/ }).waitFor();
    assert.equal(await page.getByLabel('Ciudad').inputValue(), 'Pasto');
    await page.getByLabel('Foto de tu cédula').setInputFiles(right);
    await page.getByRole('button', { name: 'Enviar' }).click();
    await receiptOf(page);
    await page.getByRole('link', { name: 'Llenarlo otra vez' }).click();
    await page.getByRole('heading', { name: 'Registro de vacunación' }).waitFor();
  });

  await t.test('three rows, each with a photo that only who has the right can see', async () => {
    const rows = await eventually(async () => {
      const found = await rowsOf(instance);
      return found.length < 3 ? undefined : found;
    });
    assert.deepEqual(
      rows.map(({ name, city, age, dose }) => [name, city, age, dose]),
      [
        ['José "Pepe" <b>Ñ</b>', 'Bogotá', 41, '2'],
        ['María Pérez', 'Cúcuta', null, '1'],
        ['Ana', 'Pasto', null, '1'],
      ],
    );
    for (const { id_photo } of rows) {
      const url = `${instance.url}/files/${id_photo}/content`;
      assert.equal((await fetch(url)).status, 401);
      const seen = await fetch(url, { headers: { authorization: `Bearer ${instance.admin.token}` } });
      assert.equal(seen.headers.get('content-type'), 'image/jpeg');
      assert.ok(!Buffer.from(await seen.arrayBuffer()).includes('SECRET'));
    }
  });

  await t.test('the console leads to it', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/data/registrations');
    const link = page.getByRole('link', { name: 'Form', exact: true });
    assert.equal(await link.getAttribute('href'), '/forms/vaccination');
  });
});
