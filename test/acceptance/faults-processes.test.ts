import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { killHard, reads, startCaudal, until } from './caudal.ts';
import { type Answer, createClient } from './client.ts';
import { holdsExactly, numbersCsv, truthOf } from './numbers.ts';

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);

/** About 20 MB: three parts. */
const ROWS = 250_000;
const CSV = Buffer.from(numbersCsv(ROWS));

/** Asks all the time until told to stop: whatever comes back must be an answer or an honest "not now". */
function ask(path: string) {
  const seen = new Map<number, number>();
  const wrong: Answer[] = [];
  let stopped = false;
  const asking = (async () => {
    while (!stopped) {
      const answer = await client.call('GET', path).catch(() => undefined);
      const status = answer?.status ?? 0;
      seen.set(status, (seen.get(status) ?? 0) + 1);
      if (answer && status !== 200 && !(status === 503 && answer.headers.has('retry-after'))) wrong.push(answer);
      await pause(25);
    }
  })();
  return {
    seen,
    async stop(): Promise<void> {
      stopped = true;
      await asking;
      assert.deepEqual(
        wrong.map(({ status, text }) => `${status} ${text}`),
        [],
      );
    },
  };
}

describe('the gateway dies', () => {
  const points = ['upload.part-written', 'upload.before-rename', 'upload.before-commit'] satisfies FaultPoint[];
  for (const point of points) {
    test(`kill -9 at ${point}: the client goes on, the file is whole`, async () => {
      const dataset = point.replace(/\W/g, '_');
      caudal.layFault(point);
      const { file } = await client.upload('upload.csv', CSV, { dataset }).done;
      await caudal.faultStruck(point);
      const loaded = await client.settled(file.id);
      assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
      assert.equal(loaded.size, CSV.length);
      await holdsExactly(client, dataset, truthOf(ROWS));
    });
  }

  test('kill -9 in the middle of an upload', async () => {
    let sent = 0;
    const upload = client.upload('upload.csv', CSV, {
      dataset: 'killed_gateway',
      parallel: 1,
      onProgress: (progress) => {
        sent = progress.parts_done;
      },
    });
    await until('the first part', () => sent > 0 || undefined);
    await killHard(await caudal.pid('api'));
    const { file } = await upload.done;
    assert.equal((await client.settled(file.id)).state, 'loaded');
    await holdsExactly(client, 'killed_gateway', truthOf(ROWS));
  });
});

describe('the telemetry process dies', () => {
  test('kill -9: what it had acknowledged is there, and what comes later comes in', async () => {
    const { task } = await client.upload('traced.csv', numbersCsv(100), { dataset: 'traced' }).done;
    const spansOf = async () => {
      const answer = await client.call('GET', `/telemetry/traces/${task?.trace_id}`);
      return answer.status === 200 ? (answer.body.spans as { name: string; span_id: string }[]) : [];
    };
    const before = await until('the commit in the trace', async () => {
      const spans = await spansOf();
      return spans.some(({ name }) => name === 'commit') && spans.some(({ name }) => name === 'process load')
        ? spans
        : undefined;
    });
    const telemetry = await caudal.pid('telemetry');
    await killHard(telemetry);
    await caudal.pid('telemetry', (pid) => pid !== telemetry);
    const kept = await until('the trace again', async () => {
      const ids = new Set((await spansOf()).map(({ span_id }) => span_id));
      return before.every(({ span_id }) => ids.has(span_id)) || undefined;
    });
    assert.equal(kept, true);
    const later = await client.upload('later.csv', numbersCsv(10), { dataset: 'traced_later' }).done;
    await until('the trace of a later load', async () => {
      const answer = await client.call('GET', `/telemetry/traces/${later.task?.trace_id}`);
      return answer.body.spans?.some(({ name }: { name: string }) => name === 'process load') || undefined;
    });
  });
});

describe('PostgreSQL dies', () => {
  test('kill -9 of the postmaster while a file loads: 503, then all of it, once', async () => {
    const { file } = await client.upload('during.csv', CSV, { dataset: 'during' }).done;
    await caudal.pid('worker', reads);
    const asking = ask('/datasets');
    const postmaster = caudal.postmaster();
    await killHard(postmaster);
    const upload = client.upload('meanwhile.csv', numbersCsv(500), { dataset: 'meanwhile' });
    const meanwhile = await upload.done;
    assert.equal((await client.settled(file.id)).state, 'loaded');
    assert.equal((await client.settled(meanwhile.file.id)).state, 'loaded');
    await asking.stop();
    await holdsExactly(client, 'during', truthOf(ROWS));
    await holdsExactly(client, 'meanwhile', truthOf(500));
    assert.notEqual(caudal.postmaster(), postmaster);
  });

  test('and its own fast shutdown, as an operator would', async () => {
    const asking = ask('/datasets/during');
    const postmaster = caudal.postmaster();
    process.kill(postmaster, 'SIGINT');
    await until('the next PostgreSQL', async () => {
      const ready = await client.call('GET', '/readyz').catch(() => undefined);
      const now = await Promise.resolve()
        .then(() => caudal.postmaster())
        .catch(() => postmaster);
      return (ready?.status === 200 && now !== postmaster) || undefined;
    });
    const loaded = await client.load('after.csv', numbersCsv(300), { dataset: 'after_restart' });
    assert.equal(loaded.state, 'loaded', JSON.stringify(loaded.error));
    await asking.stop();
    await holdsExactly(client, 'after_restart', truthOf(300));
  });
});

test('the processes that nobody killed are still the same', async () => {
  const { instances } = JSON.parse((await caudal.command(['status', '--json'], { expect: 0 })).stdout);
  const restarts = caudal.output().match(/worker +pid \d+ (was killed|ended)/g) ?? [];
  assert.deepEqual(restarts, [], caudal.output());
  assert.ok(instances.length >= 3);
});
