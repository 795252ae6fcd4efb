import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { File } from '#contract/files.ts';
import { ERRORS, isErrorCode } from '#kernel/errors.ts';
import { startCaudal } from './caudal.ts';
import { createClient, problemCode } from './client.ts';
import { HOSTILE_FILES, type HostileFile } from './hostile-files.ts';
import { accountsBalance, holdsExactly, numbersCsv, truthOf } from './numbers.ts';

/** Peak of the trusted processes after everything below; readers live in children with limits of their own. */
const MOST_MB = { api: 450, worker: 450, telemetry: 450 } as const;
const ROLES = ['api', 'worker', 'telemetry'] as const;

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);
const control = await client.load('control.csv', numbersCsv(1000), { dataset: 'control' });
const pids = await Promise.all(ROLES.map((role) => caudal.pid(role)));

/** The same processes, and every other dataset answers. */
async function unharmed(): Promise<void> {
  assert.deepEqual(await Promise.all(ROLES.map((role) => caudal.pid(role))), pids, caudal.output());
  const { rows } = await client.get('/datasets/control/rows?limit=1');
  assert.equal(rows.length, 1);
}

function balanced(file: File): void {
  for (const { accounting, rows } of file.loads ?? []) {
    assert.equal(accounting.read, accounting.accepted + accounting.quarantined + accounting.duplicates);
    assert.equal(accounting.accepted, rows);
  }
}

async function judged(hostile: HostileFile, file: File): Promise<void> {
  if (file.state === 'failed') {
    const { code = '', message = '' } = file.error ?? {};
    assert.ok(isErrorCode(code) && ERRORS[code][0] < 500, `${code}: ${message}`);
    assert.ok(hostile.refused?.includes(code), `refused: ${code}: ${message}`);
    assert.doesNotMatch(message, /\n\s+at |node_modules|\/tmp\/|undefined/);
    return;
  }
  assert.equal(hostile.refused, undefined, `loaded: ${JSON.stringify(file.accounting)}`);
  balanced(file);
  assert.deepEqual([file.rows, file.quarantined], [hostile.rows, hostile.quarantined ?? 0], JSON.stringify(file));
  if (!file.loads?.length) return;
  const { dataset } = file.loads[0] ?? {};
  const { rows, columns } = await client.get(`/datasets/${encodeURIComponent(dataset ?? '')}/rows?limit=1000`);
  assert.equal(rows.length, hostile.rows);
  const names = columns.map(({ name }: { name: string }) => name);
  assert.equal(new Set(names).size, names.length, 'column names are unique');
  for (const [name, value] of Object.entries(hostile.holds ?? {})) assert.deepEqual(rows[0][name], value);
}

describe('hostile files', { concurrency: 3 }, () => {
  assert.equal(control.state, 'loaded');
  for (const hostile of HOSTILE_FILES) {
    test(hostile.what, async () => {
      const file = await client.load(hostile.filename, hostile.data());
      assert.equal(file.filename, hostile.filename.toWellFormed());
      const settled = file.task_id ? await client.settled(file.id) : file;
      await judged(hostile, settled);
      await unharmed();
    });
  }
});

describe('hostile files, afterwards', () => {
  test('every one of them can be listed, downloaded and deleted', async () => {
    const { items } = await client.get('/files?limit=1000');
    assert.ok(items.length > HOSTILE_FILES.length);
    for (const { id, filename } of items as File[]) {
      if (filename === 'control.csv') continue;
      const content = await client.call('GET', `/files/${id}/content`);
      assert.equal(content.status, 302, content.text);
      const head = await fetch(new URL(content.headers.get('location') ?? '', caudal.url), { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.match(head.headers.get('content-disposition') ?? '', /^attachment/);
      assert.equal(head.headers.get('set-cookie'), null);
      const gone = await client.call('DELETE', `/files/${id}`);
      assert.ok(gone.status < 300, gone.text);
    }
    await holdsExactly(client, 'control', truthOf(1000));
    await accountsBalance(client, 'control');
    await unharmed();
  });
});

describe('memory', () => {
  test('of the trusted processes stays bounded', (t) => {
    for (const [at, role] of ROLES.entries()) {
      const status = readFileSync(`/proc/${pids[at]}/status`, 'utf8');
      const peak = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
      t.diagnostic(`${role}: peak ${Math.round(peak)} MB`);
      assert.ok(peak < MOST_MB[role], `${role}: ${peak} MB`);
    }
  });
});

test('a refusal is a problem document here, too', async () => {
  assert.equal(problemCode(await client.call('GET', '/datasets/none')), 'dataset_not_found');
});
