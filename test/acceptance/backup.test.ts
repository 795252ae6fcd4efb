import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, run, startCaudal } from './caudal.ts';
import { type Client, createClient } from './client.ts';
import { numbersCsv } from './numbers.ts';

const BROKEN = `${numbersCsv(500)}501,Pasto,1,2026-01-10,"x",too,many\n`;

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);
const backup = join(caudal.directory, 'backup');

/** Everything that must be the same afterwards. */
async function picture(of: Client) {
  const datasets = (await of.get('/datasets?limit=1000')).items as { name: string }[];
  const files = (await of.get('/files?limit=1000')).items as { id: string; state: string }[];
  const tables: Record<string, unknown> = {};
  for (const { name } of datasets) {
    const versions = (await of.get(`/datasets/${name}/versions?limit=1000`)).items;
    const rows: unknown[] = [];
    for (const { version, readable } of versions) {
      if (!readable) continue;
      const answer = await of.call('GET', `/datasets/${name}/rows?limit=200&order=id&version=${version}`);
      rows.push([version, answer.status, answer.body.rows]);
    }
    const [sum] = name === 'people' ? await of.sql('SELECT count(*) AS n, sum(id) AS s FROM people') : [];
    const sources = (await of.get(`/datasets/${name}/sources?limit=1000`)).items;
    const waiting = (await of.get(`/datasets/${name}/quarantine?limit=1000`)).items;
    tables[name] = { description: await of.get(`/datasets/${name}`), versions, rows, sum, sources, waiting };
  }
  const contents: [string, string][] = [];
  for (const { id } of files) {
    const signed = await of.call('GET', `/files/${id}/content`);
    const bytes = await fetch(new URL(signed.headers.get('location') ?? '', of.url));
    contents.push([
      id,
      Buffer.from(await bytes.arrayBuffer())
        .toString('base64')
        .slice(0, 10_000),
    ]);
  }
  return { datasets, files, tables, contents };
}

test('restoring into an empty directory gives the same answers, versions and files', async () => {
  await client.load('people.csv', BROKEN, { dataset: 'people' });
  await client.load('people.csv', numbersCsv(40, 2000), { dataset: 'people' });
  const gone = await client.load('gone.csv', numbersCsv(5), { dataset: 'gone' });
  await client.call('DELETE', `/files/${gone.id}`);
  await client.load('more.csv', numbersCsv(50, 1000), { dataset: 'people', load: { mode: 'replace' } });
  await client.load('others.csv', BROKEN, { dataset: 'others' });
  const before = await picture(client);
  assert.ok(before.datasets.length >= 2 && before.files.length >= 3);
  const made = JSON.parse((await caudal.command(['backup', backup, '--json'], { expect: 0 })).stdout);
  assert.ok(made.objects > 0 && made.missing.length === 0);
  assert.equal((await caudal.command(['backup', backup])).code, 1, 'never over another backup');
  assert.equal((await caudal.command(['restore', backup])).code, 2, 'never into one that runs');

  let result: CommandResult | undefined;
  const other = await startCaudal({}, async (environment) => {
    result = await run(['restore', backup, '--json'], environment);
    assert.equal(result.code, 0, result.stderr);
  });
  assert.ok(existsSync(join(other.dataDir, 'admin.json')));
  const restored = createClient(other.url, other.admin.token);
  assert.deepEqual(await picture(restored), before);
  const fresh = await restored.load('fresh.csv', numbersCsv(10), { dataset: 'fresh' });
  assert.equal(fresh.state, 'loaded', 'it goes on from there');
  await other.stop();
  const again = await other.command(['restore', backup]);
  assert.equal(again.code, 1, 'never over what is there');
});
