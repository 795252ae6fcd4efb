import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { photo } from '../support/photos.ts';
import { type ReadSheet, readWorkbook, recomputed, withoutOffice, withoutOpenpyxl } from '../support/spreadsheet.ts';
import { startCaudal, until } from './caudal.ts';
import { type Answer, createClient, problemCode, tokenWith } from './client.ts';

/**
 * System C whole, but for nginx: registrations, a report that other programs read, a chart that equals it. Each tenth
 * person sends a photo, which is a process and an encoding of its own; `registry-photos` has what else photos are.
 */
const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);

const PEOPLE = 460;
const REPEATED = 40;
const CLIENTS = 16;
const WITH_PHOTO = 10;
/** As people type them; three cities of unequal size. */
const WRITTEN = ['Bogotá', 'BOGOTA', ' bogotá', 'Bogotá', 'Cali', 'cali', 'Pasto'];
const CITY = ['Bogotá', 'Bogotá', 'Bogotá', 'Bogotá', 'Cali', 'Cali', 'Pasto'];
const picture = await photo('jpeg', { width: 48, height: 30 });

interface Person {
  number: number;
  name: string;
}

const dosesOf = (number: number): number => 1 + (number % 3);

function fieldsOf({ number, name }: Person): Record<string, string> {
  return {
    ...{ national_id: String(1_000_000 + number), name, city: WRITTEN[number % WRITTEN.length] ?? '' },
    doses: String(dosesOf(number)),
  };
}

function send(person: Person, key: string): Promise<Answer> {
  const fields = fieldsOf(person);
  const headers = { 'idempotency-key': key };
  const path = '/datasets/registrations/rows';
  if (person.number % WITH_PHOTO !== 0) {
    return client.call('POST', path, { body: { ...fields, doses: Number(fields['doses']) }, headers });
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('id_photo', new Blob([new Uint8Array(picture)], { type: 'image/jpeg' }), 'id.jpg');
  return client.call('POST', path, { form, headers });
}

/** As a careful program sends: the same key until there is an answer. */
async function register(person: Person): Promise<Answer> {
  const key = randomUUID();
  for (;;) {
    const answer = await send(person, key);
    if (answer.status < 500 && answer.status !== 429) return answer;
    await pause(100);
  }
}

const expected = [...new Set(CITY)].map((city) => {
  const numbers = Array.from({ length: PEOPLE }, (_, number) => number).filter((n) => CITY[n % CITY.length] === city);
  return [city, numbers.length, numbers.reduce((sum, number) => sum + dosesOf(number), 0)] as const;
});
const doses = expected.reduce((sum, [, , each]) => sum + each, 0);

function sheet(sheets: readonly ReadSheet[], name: string): ReadSheet {
  return sheets.find((each) => each.name === name) ?? assert.fail(`no sheet ${name}`);
}

async function workbook(query: string): Promise<Buffer> {
  const response = await fetch(`${caudal.url}/datasets/registrations/report.xlsx?${query}`, {
    headers: { authorization: `Bearer ${caudal.admin.token}` },
  });
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

test('C: five hundred registrations, their report and their chart', async (t) => {
  const made = await client.call('POST', '/datasets', {
    body: {
      name: 'registrations',
      columns: [
        { name: 'national_id', type: 'text', required: true, pattern: '[0-9]{6,10}' },
        { name: 'name', type: 'text', required: true },
        { name: 'city', type: 'text', required: true },
        { name: 'doses', type: 'integer' },
        { name: 'id_photo', type: 'file', accept: ['image/jpeg'] },
      ],
      key: ['national_id'],
    },
  });
  assert.equal(made.status, 201, made.text);

  await t.test('from concurrent clients, 40 of them of somebody who is registered', async () => {
    const people = Array.from({ length: PEOPLE }, (_, number) => ({ number, name: `Persona ${number}` }));
    const twice = Array.from({ length: REPEATED }, (_, number) => ({ number: number * 11 + 1, name: 'Otra' }));
    const waiting = [...people, ...twice].sort((a, b) => (a.number % 7) - (b.number % 7));
    const answers: Answer[] = [];
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (let person = waiting.pop(); person; person = waiting.pop()) answers.push(await register(person));
      }),
    );
    const refused = answers.filter(({ status }) => status !== 202);
    assert.equal(answers.length - refused.length, PEOPLE);
    assert.deepEqual(
      refused.map((answer) => [answer.status, problemCode(answer), answer.body.errors[0].field]),
      Array.from({ length: REPEATED }, () => [409, 'duplicate_key', 'national_id']),
    );
    await until('every row', async () => {
      const answer = await client.call('GET', '/datasets/registrations');
      return answer.body.rows >= PEOPLE ? true : undefined;
    });
    const [found] = await client.sql('SELECT count(*) AS n, count(DISTINCT national_id) AS keys FROM registrations');
    assert.deepEqual([Number(found?.['n']), Number(found?.['keys'])], [PEOPLE, PEOPLE]);
  });

  await t.test('the report has the true groups and totals, and the chart equals it', async (report) => {
    const before = await client.call('GET', '/datasets/registrations/chart.json?x=city&y=sum(doses)');
    assert.equal(before.headers.get('x-cache'), 'MISS');
    const bytes = await workbook('group_by=city&totals=doses');
    const chart = await client.call('GET', '/datasets/registrations/chart.json?x=city&y=sum(doses)');
    assert.equal(chart.headers.get('x-cache'), 'MISS', 'a report refreshes it');
    assert.deepEqual(
      chart.body.points.map(({ label, rows, y }: Record<string, unknown>) => [label, rows, y]),
      [...expected].sort((a, b) => b[2] - a[2]).map((group) => [...group]),
    );
    assert.deepEqual(chart.body.points, before.body.points);

    await report.test('read by openpyxl', { skip: withoutOpenpyxl }, () => {
      const sheets = readWorkbook(bytes);
      const summary = sheet(sheets, 'Summary');
      const groups = [...expected].sort(([a], [b]) => a.localeCompare(b));
      assert.deepEqual(summary.rows, [
        ['city', 'Count', 'Total doses'],
        ...groups.map((group) => [...group]),
        ['Total', PEOPLE, doses],
      ]);
      assert.equal(Object.keys(summary.formulas).length, 2 * (groups.length + 1), 'all of them are formulas');
      const [header = [], ...rows] = sheet(sheets, 'Detail').rows;
      const at = (name: string) => header.indexOf(name);
      const ids = rows.map((row) => String(row[at('national_id')]));
      assert.equal(new Set(ids).size, PEOPLE);
      // Group after group, each person as typed.
      const cities = rows.map((row) => CITY[WRITTEN.indexOf(String(row[at('city')]))]);
      assert.deepEqual(
        cities,
        groups.flatMap(([city, count]) => Array.from({ length: count }, () => city)),
      );
      const sum = rows.reduce((total, row) => total + Number(row[at('doses')]), 0);
      assert.equal(sum, doses);
    });

    await report.test('computed by LibreOffice', { skip: withoutOpenpyxl || withoutOffice }, () => {
      assert.deepEqual(sheet(recomputed(bytes), 'Summary').rows, sheet(readWorkbook(bytes), 'Summary').rows);
    });
  });

  await t.test('photos are out of reach without right', async () => {
    const { items } = await client.get('/files?photos=true&limit=1000');
    assert.equal(items.length, Math.ceil(PEOPLE / WITH_PHOTO));
    const path = `/files/${items[0].id}/content`;
    assert.equal((await client.call('GET', path, { token: null })).status, 401);
    const reader = await tokenWith(client, ['datasets:read:registrations']);
    assert.equal((await client.call('GET', path, { token: reader })).status, 403);
    assert.equal((await client.call('GET', path)).status, 302);
  });

  await t.test('as a task: a file with a link that expires', async () => {
    const path = '/datasets/registrations/report.xlsx?async=true&group_by=city&totals=doses';
    const begun = await client.call('GET', path);
    assert.deepEqual([begun.status, begun.headers.get('location')], [202, `/tasks/${begun.body.id}`], begun.text);
    const task = await client.task(begun.body.id);
    assert.deepEqual([task.status, task.progress], ['succeeded', 100], JSON.stringify(task.error));
    const output = task.output as Record<string, unknown>;
    assert.deepEqual(
      [output['rows'], output['groups'], output['truncated'], output['dataset']],
      [PEOPLE, expected.length, false, 'registrations'],
    );
    const content = String(output['url']);
    assert.equal((await client.call('GET', content, { token: null })).status, 401);
    const redirect = await client.call('GET', content);
    const link = new URL(redirect.headers.get('location') ?? '', caudal.url);
    const kept = Buffer.from(await (await fetch(link)).arrayBuffer());
    assert.equal(kept.subarray(0, 2).toString(), 'PK');
    const file = await client.get(`/files/${output['file_id']}`);
    assert.deepEqual([file.size, file.filename], [kept.length, output['filename']]);
    link.searchParams.set('expires', '1');
    assert.equal((await fetch(link)).status, 403, 'a link of another time is none');
    assert.equal((await client.call('DELETE', `/files/${output['file_id']}`)).status, 204);
    assert.equal((await client.call('GET', content)).status, 404);
  });

  await t.test('a task whose question turns out to be wrong ends saying so, at its first attempt', async () => {
    const report = '/datasets/registrations/report.xlsx?async=true';
    const wrong = await client.call('GET', `${report}&group_by=town`);
    assert.deepEqual(
      [wrong.status, problemCode(wrong)],
      [422, 'column_not_found'],
      'what can be known is said at once',
    );
    const late = await client.call('GET', `${report}&group_by=national_id&detail=sheets`);
    assert.equal(late.status, 202, late.text);
    const failed = await client.task(late.body.id);
    assert.deepEqual([failed.status, failed.error?.code, failed.attempt], ['failed', 'invalid_input', 1]);
    assert.match(failed.error?.message ?? '', /460 groups/);
  });
});
