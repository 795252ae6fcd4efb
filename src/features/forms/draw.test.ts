import assert from 'node:assert/strict';
import test from 'node:test';
import type { DeclaredColumn } from '#contract/datasets.ts';
import { drawForm, drawReceipt } from './draw.ts';
import { fieldsOf } from './fields.ts';
import type { Form } from './find-form.ts';
import { chooseLanguage, wordsIn } from './language.ts';
import type { OpenedForm } from './post-form.ts';
import { seal, unseal } from './seal.ts';

const LIMITS = { per_address: 10, photo_bytes: 20_000_000, secure: false };
const OPENED: OpenedForm = { token: 'token', values: {}, kept: {}, errors: [], code: null };
const ASSETS = { css: '/form.css', js: '/form.js' };

function formOf(columns: DeclaredColumn[], settings: Form['settings'] = {}): Form {
  return { dataset_id: 'd', workspace_id: 'w', name: 'registrations', slug: 'registrations', columns, settings };
}

function draw(form: Form, opened: Partial<OpenedForm> = {}, language: 'en' | 'es' = 'en'): string {
  return drawForm({ assets: ASSETS, language, asked: undefined }, form, LIMITS, { ...OPENED, ...opened });
}

/** What a column becomes: the kind of its field and some of its attributes. */
const SHAPES: [column: Omit<DeclaredColumn, 'name'>, kind: string, attributes?: Record<string, unknown>][] = [
  [{ type: 'text' }, 'line', { type: 'text' }],
  [{ type: 'text', format: 'email' }, 'line', { type: 'email', autocomplete: 'email' }],
  [{ type: 'text', format: 'multiline' }, 'text'],
  [{ type: 'text', pattern: '[0-9]{6,10}' }, 'line', { pattern: '[0-9]{6,10}', inputmode: 'numeric' }],
  // RE2 knows (?i), a browser does not: the server alone checks it.
  [{ type: 'text', pattern: '(?i)abc' }, 'line', { pattern: undefined }],
  [{ type: 'text', enum: ['a', 'b'] }, 'choice'],
  [{ type: 'text', enum: ['a', 'b', 'c', 'd', 'e', 'f'] }, 'list'],
  [{ type: 'boolean' }, 'choice'],
  [{ type: 'integer', min: 0, max: 120 }, 'line', { type: 'number', step: 1, min: '0', max: '120' }],
  [{ type: 'number' }, 'line', { type: 'number', step: 'any' }],
  [{ type: 'decimal(10,2)' }, 'line', { type: 'number', step: '0.01' }],
  [{ type: 'decimal(10,0)' }, 'line', { type: 'number', step: '1' }],
  [{ type: 'date', min: '1900-01-01' }, 'line', { type: 'date', min: '1900-01-01' }],
  [{ type: 'time' }, 'line', { type: 'time' }],
  [{ type: 'timestamp' }, 'line', { type: 'datetime-local' }],
  [{ type: 'uuid' }, 'line', { type: 'text' }],
  [{ type: 'json' }, 'text'],
  [{ type: 'file', accept: ['image/jpeg', '.png'] }, 'photo', { type: 'file', accept: 'image/jpeg,image/png' }],
  [{ type: 'file', format: 'camera' }, 'photo', { capture: 'environment' }],
];

test('each type becomes the field that fits it', () => {
  for (const [column, kind, wanted = {}] of SHAPES) {
    const [field] = fieldsOf([{ name: 'x', ...column }], {}, 'en', LIMITS.photo_bytes);
    const given = Object.fromEntries(Object.keys(wanted).map((key) => [key, field?.attributes[key]]));
    assert.deepEqual([field?.kind, given], [kind, wanted], JSON.stringify(column));
  }
});

test('nothing that an owner or a visitor writes becomes HTML', () => {
  const evil = `"><script>alert(1)</script>'&`;
  const columns: DeclaredColumn[] = [
    { name: evil, type: 'text', description: evil, default: evil },
    { name: `${evil}2`, type: 'text', enum: [evil, 'b'] },
    { name: `${evil}3`, type: 'text', enum: [evil, 'b', 'c', 'd', 'e', 'f'] },
    { name: `${evil}4`, type: 'text', format: 'multiline' },
    { name: `${evil}5`, type: 'file' },
  ];
  const settings = { title: evil, intro: evil, submit: evil, labels: { [evil]: evil } };
  const values = Object.fromEntries(columns.map(({ name }) => [name, `</textarea>${evil}`]));
  const errors = [...columns.map(({ name }) => name), 'elsewhere'].map((field) => ({
    field,
    code: evil,
    message: evil,
  }));
  const page = draw(formOf(columns, settings), { values, errors, token: evil, kept: { [`${evil}5`]: evil } });
  const tags = [...page.matchAll(/<script\b[^>]*>/g)].map(([tag]) => tag);
  assert.deepEqual(tags, ['<script src="/form.js" defer>']);
  assert.ok(!page.includes('alert(1)</script>'));
  assert.equal(page.match(/<\/textarea>/g)?.length, 1);
  assert.ok(page.includes('&quot;&gt;&lt;script&gt;alert(1)'), 'it is there, as text');
});

test('what is wrong stands beside its field and in the summary, and what was typed is still there', () => {
  const columns: DeclaredColumn[] = [
    { name: 'name', type: 'text', required: true },
    { name: 'age', type: 'integer', min: 18, required: true },
    { name: 'city', type: 'text' },
  ];
  const opened = {
    values: { name: 'Ana', age: '12' },
    errors: [
      { field: 'age', code: 'min', message: 'below 18' },
      { field: 'nothing', code: 'unknown_column', message: '"nothing" is not declared.' },
    ],
  };
  const page = draw(formOf(columns, { labels: { age: { es: 'Edad' } } }), opened, 'es');
  assert.match(page, /<html lang="es">/);
  assert.match(page, /<a href="#field-2">Edad: Escribe 18 o más\.<\/a>/);
  assert.match(page, /id="field-2-error">Escribe 18 o más\.</);
  assert.match(
    page,
    /<input id="field-2" name="age" value="12"[^>]* aria-invalid="true" aria-describedby="field-2-error">/,
  );
  assert.match(page, /<input id="field-1" name="name" value="Ana"/);
  assert.match(page, /&quot;nothing&quot; is not declared\./);
  assert.match(page, /City <span class="optional">\(opcional\)/);
});

test('a photo that has arrived need not be sent again', () => {
  const columns: DeclaredColumn[] = [{ name: 'id_photo', type: 'file', required: true }];
  assert.match(draw(formOf(columns)), /name="id_photo"[^>]* required/);
  const page = draw(formOf(columns), { kept: { id_photo: 'sealed' } });
  assert.match(page, /<input type="hidden" name=":photo:id_photo" value="sealed">/);
  assert.doesNotMatch(page, /name="id_photo"[^>]* required/);
});

test('the reader’s language: asked for, else accepted, else English', () => {
  const cases: [asked: string | undefined, accepted: string | undefined, expected: string][] = [
    [undefined, undefined, 'en'],
    [undefined, 'es-CO,es;q=0.9,en;q=0.8', 'es'],
    [undefined, 'fr, en;q=0.5, es;q=0.7', 'es'],
    [undefined, 'es;q=0, en;q=0.1', 'en'],
    [undefined, 'de', 'en'],
    ['es', 'en', 'es'],
    ['ES-mx', 'en', 'es'],
    ['xx', 'es', 'es'],
  ];
  for (const [asked, accepted, expected] of cases) assert.equal(chooseLanguage(asked, accepted), expected);
  assert.equal(wordsIn({ es: 'Hola' }, 'en'), 'Hola');
  assert.equal(wordsIn({ es: 'Hola', en: 'Hello' }, 'en'), 'Hello');
});

test('what is sealed opens unchanged, for its purpose and in its time only', () => {
  const key = Buffer.alloc(32, 1);
  const sealed = seal(key, 'form', { d: 'x' }, 1000);
  assert.deepEqual(unseal(key, 'form', sealed, 2000, 1000), { at: 1000, value: { d: 'x' } });
  assert.equal(unseal(key, 'form', sealed, 2001, 1000), undefined);
  assert.equal(unseal(key, 'photo', sealed, 1000), undefined);
  assert.equal(unseal(Buffer.alloc(32, 2), 'form', sealed, 1000), undefined);
  const [text = '', mac = ''] = sealed.split('.');
  const other = Buffer.from(JSON.stringify([1000, { d: 'y' }])).toString('base64url');
  for (const forged of ['', '.', text, `${other}.${mac}`, `${sealed}.x`, `${text}.${mac}A`]) {
    assert.equal(unseal(key, 'form', forged, 1000), undefined, forged);
  }
});

test('a receipt that we did not write is not shown', () => {
  const key = Buffer.alloc(32, 1);
  const now = new Date('2026-11-28T14:05:00Z');
  const deps = { key, clock: { now: () => now, monotonic: () => 0 } };
  const drawn = { assets: ASSETS, language: 'en', asked: undefined } as const;
  const form = formOf([]);
  const page = drawReceipt(drawn, form, deps, seal(key, 'receipt', { d: 'd', i: 'number-7' }, now.getTime()));
  assert.match(page, /number-7/);
  assert.match(page, /28 November 2026|November 28, 2026/);
  for (const wrong of [
    'x',
    seal(key, 'receipt', { d: 'other', i: 'number-7' }, 0),
    seal(key, 'form', { d: 'd', i: '7' }, 0),
  ]) {
    assert.throws(() => drawReceipt(drawn, form, deps, wrong), { code: 'not_found' });
  }
});
