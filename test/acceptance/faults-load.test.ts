import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { makeZip } from '../support/zip.ts';
import { frozen, killHard, reads, SOAK, startCaudal, until } from './caudal.ts';
import { createClient, problemCode } from './client.ts';
import { accountsBalance, holdsExactly, numbersCsv, truthOf, writeNumbers } from './numbers.ts';

const BYTES = SOAK ? 400e6 : 60e6;
const KILLS = SOAK ? 10 : 3;
const LONG = 15 * 60_000;

const caudal = await startCaudal({ CAUDAL_WORKERS_MIN: '2', CAUDAL_WORKERS_MAX: '2' });
const client = createClient(caudal.url, caudal.admin.token);

const sourcesOf = async (dataset: string) => (await client.get(`/datasets/${dataset}/sources`)).items;
const versionsOf = async (dataset: string): Promise<string[]> =>
  (await client.get(`/datasets/${dataset}/versions`)).items.map(({ kind }: { kind: string }) => kind);

describe('a worker dies', () => {
  test(`kill -9 at ${KILLS} random moments of a load: the table is right, once`, async () => {
    const path = join(caudal.directory, 'numbers.csv');
    const truth = await writeNumbers(path, BYTES);
    const { file, task } = await (await client.uploadPath(path)).done;
    let current = task?.id ?? '';
    for (let killed = 0; killed < KILLS; ) {
      const reading = caudal.pid('worker', reads);
      const ended = client.task(current, LONG);
      const first = await Promise.race([reading, ended]);
      if (typeof first === 'number') {
        // The moment is what is random here; nothing is waited for.
        await pause(Math.random() * (SOAK ? 4_000 : 900));
        await killHard(first);
        killed += 1;
      } else {
        assert.equal(first.status, 'succeeded', JSON.stringify(first.error));
        const again = await client.call('POST', '/datasets/numbers/load', { body: { file_id: file.id } });
        assert.equal(again.status, 202, again.text);
        current = again.body.id;
      }
    }
    const done = await client.task(current, LONG);
    assert.equal(done.status, 'succeeded', JSON.stringify(done.error));
    await holdsExactly(client, 'numbers', truth);
    await accountsBalance(client, 'numbers');
    assert.equal((await client.get(`/files/${file.id}`)).state, 'loaded');
    const logged = await caudal.command(['logs', 'worker-1', '--lines', '10000', '--json'], { expect: 0 });
    const other = await caudal.command(['logs', 'worker-2', '--lines', '10000', '--json'], { expect: 0 });
    assert.match(logged.stdout + other.stdout, /its worker died, running it again/);
  });

  for (const point of ['load.after-read', 'load.before-commit', 'load.after-commit'] satisfies FaultPoint[]) {
    test(`kill -9 at ${point}`, async () => {
      const dataset = point.replace(/\W/g, '_');
      caudal.layFault(point);
      const { file } = await client.upload('small.csv', numbersCsv(2000), { dataset }).done;
      await caudal.faultStruck(point);
      const loaded = await client.settled(file.id);
      assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
      await holdsExactly(client, dataset, truthOf(2000));
      assert.equal((await sourcesOf(dataset)).length, 1);
      assert.deepEqual(await versionsOf(dataset), ['append', 'create']);
    });
  }

  const freezes: FaultPoint[] = SOAK ? ['load.after-read', 'load.before-commit'] : ['load.after-read'];
  for (const point of freezes) {
    test(`frozen at ${point} until another took over: it wakes up and does not commit`, async () => {
      const dataset = `frozen_${point.replace(/\W/g, '_')}`;
      caudal.layFault(point, 'stop');
      const { file, task } = await client.upload('small.csv', numbersCsv(2000), { dataset }).done;
      await caudal.faultStruck(point);
      const late = await caudal.pid('worker', frozen);
      const loaded = await client.settled(file.id, 180_000);
      assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
      process.kill(late, 'SIGCONT');
      const runs = await until('the end of the late run', async () => {
        const { body } = await client.call('GET', `/telemetry/traces/${task?.trace_id}`);
        const found = body.spans?.filter(({ name }: { name: string }) => name === 'process load') ?? [];
        return found.length === 2 ? found : undefined;
      });
      const instances = new Set(runs.map(({ instance }: { instance: string }) => instance));
      assert.equal(instances.size, 2, 'two workers ran it');
      await holdsExactly(client, dataset, truthOf(2000));
      assert.equal((await sourcesOf(dataset)).length, 1);
      assert.deepEqual(await versionsOf(dataset), ['append', 'create']);
      assert.equal(await caudal.pid('worker', (pid) => pid === late), late, 'the late worker goes on living');
    });
  }
});

describe('a process dies at the last step before a commit', () => {
  test('delete.before-commit: all of it is still there, and the repeat takes all of it', async () => {
    const kept = await client.load('kept.csv', numbersCsv(100), { dataset: 'pruned' });
    const gone = await client.load('gone.csv', numbersCsv(100, 101), { dataset: 'pruned' });
    caudal.layFault('delete.before-commit');
    await assert.rejects(client.call('DELETE', `/files/${gone.id}`), 'the gateway died');
    await caudal.faultStruck('delete.before-commit');
    assert.equal((await client.settled(gone.id)).state, 'loaded');
    await holdsExactly(client, 'pruned', truthOf(200));
    const again = await client.call('DELETE', `/files/${gone.id}`);
    assert.ok(again.status < 300, again.text);
    await holdsExactly(client, 'pruned', truthOf(100));
    assert.equal(problemCode(await client.call('GET', `/files/${gone.id}`)), 'file_not_found');
    assert.equal((await client.get(`/files/${kept.id}`)).state, 'loaded');
  });

  test('compact.before-commit: the segments are merged all the same, no row more or less', async () => {
    const entries = Array.from({ length: 70 }, (_, at) => ({
      name: `part${String(at).padStart(2, '0')}.csv`,
      content: numbersCsv(50, at * 50 + 1),
    }));
    caudal.layFault('compact.before-commit');
    const loaded = await client.load('parts.zip', makeZip(entries), { dataset: 'compacted' });
    assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
    await caudal.faultStruck('compact.before-commit');
    await until('the merged segments', async () => {
      const { segments } = await client.get('/datasets/compacted');
      return segments <= 64 || undefined;
    });
    await holdsExactly(client, 'compacted', truthOf(3500));
    await accountsBalance(client, 'compacted');
  });

  test('replay.before-commit: what was quarantined comes in once', async () => {
    const broken = `${numbersCsv(99)}100,Pasto,1,2026-01-10,"one field",too many\n`;
    const loaded = await client.load('broken.csv', broken, { dataset: 'replayed' });
    assert.equal(loaded.accounting?.quarantined, 1, JSON.stringify(loaded));
    caudal.layFault('replay.before-commit');
    const fix = Object.fromEntries(
      ['id', 'place', 'amount', 'day', 'note'].map((name, at) => [name, `_fields[${at + 1}]`]),
    );
    const begun = await client.call('POST', '/datasets/replayed/quarantine/replay', { body: { all: true, fix } });
    assert.equal(begun.status, 202, begun.text);
    await caudal.faultStruck('replay.before-commit');
    const done = await client.task(begun.body.id);
    assert.equal(done.status, 'succeeded', JSON.stringify(done.error));
    await holdsExactly(client, 'replayed', truthOf(100));
    assert.equal((await client.get('/datasets/replayed/quarantine')).items.length, 0);
  });
});
