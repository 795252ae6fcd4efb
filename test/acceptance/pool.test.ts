import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Instance, Pool } from '#contract/instances.ts';
import type { Task } from '#contract/tasks.ts';
import type { VideoOutput } from '#contract/video.ts';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { describeProcess } from '#platform/process/processes.ts';
import { H264, lookAt, makeVideo, needsFfmpeg, picture, tone } from '../support/ffmpeg.ts';
import { startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const TASKS = 20;
const CANCELLED = 2;
/** Frames of the videos that are processed: each result must be its own source's, and no other's. */
const FRAMES = [8, 11, 14];
const RATE = '10';
const SMALL = { height: 64, crf: 40, logo: { at: 'none' } } as const;

if (needsFfmpeg) test('a pool of workers processes videos', { skip: needsFfmpeg }, () => undefined);
else await pooled();

async function pooled(): Promise<void> {
  // One address of the loopback network stands for a public host, all others stay forbidden.
  const caudal = await startCaudal({
    CAUDAL_WORKERS_MIN: '1',
    CAUDAL_WORKERS_MAX: '3',
    CAUDAL_VIDEO_SLOTS: '1',
    CAUDAL_VIDEO_PRESET: 'ultrafast',
    CAUDAL_SCALE_UP_AFTER: '200ms',
    CAUDAL_SCALE_DOWN_AFTER: '5s',
    CAUDAL_FETCH_ALLOW_PRIVATE: '127.9.9.8/32',
  });
  const client = createClient(caudal.url, caudal.admin.token);
  const made = new Map<string, Buffer>();
  const make = async (name: string, args: string[]) => {
    const path = await makeVideo(join(caudal.directory, name), [...args, ...H264, '-c:a', 'aac']);
    made.set(`/${name}`, readFileSync(path));
  };
  for (const [index, frames] of FRAMES.entries()) {
    const seconds = frames / Number(RATE);
    // One of them with sound.
    const sound = index === 0 ? tone(seconds) : [];
    await make(`${frames}.mp4`, [...picture(seconds, { size: '64x36', rate: RATE }), ...sound]);
  }
  await make('long.mp4', picture(60, { size: '64x36' }));
  const host = await serve(made);

  const submit = async (name: string, options: object = SMALL): Promise<Task> => {
    const { status, body, text } = await client.call('POST', '/tasks', { body: { url: `${host}/${name}`, options } });
    assert.equal(status, 202, text);
    return body;
  };
  const cancel = async ({ id }: Task): Promise<void> => {
    const { status, text } = await client.call('DELETE', `/tasks/${id}`);
    assert.equal(status, 200, text);
  };
  const look = (): Promise<{ items: Instance[]; pool: Pool }> => client.get('/instances');
  const workers = async (): Promise<Instance[]> =>
    (await look()).items.filter(({ roles, state }) => state === 'alive' && roles.includes('worker'));
  const metric = async (name: string): Promise<number | undefined> => {
    const { text } = await client.call('GET', '/metrics');
    const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  /** Each object of the store is one file's, each file has its object, and no attempt left a directory or an engine. */
  const nothingLeft = async (): Promise<void> => {
    const files: { id: string; size: number }[] = (await client.get('/files?limit=1000')).items;
    const owned = new Map(files.map(({ id, size }) => [id, size]));
    const stored = filesBelow(join(caudal.dataDir, 'objects', 'files'));
    const found = new Map(stored.map((path) => [basename(path), statSync(path).size]));
    assert.deepEqual([...found].sort(), [...owned].sort());
    await until('an empty temporary directory', () => attempts(caudal.dataDir).length === 0 || undefined);
    assert.deepEqual(engines(caudal.processes()), []);
  };
  /** The clips hold all frames of the source that was asked for, and nothing else. */
  const isRight = ({ id, status, error, output }: Task, frames: number): void => {
    assert.equal(status, 'succeeded', `${id}: ${JSON.stringify(error)}`);
    const { clips, source } = output as unknown as VideoOutput;
    const stored = filesBelow(join(caudal.dataDir, 'objects', 'files'));
    const seen = clips.map(({ file_id }) => lookAt(stored.find((path) => basename(path) === file_id) ?? file_id));
    assert.deepEqual([seen.map(({ video }) => video.frames), source['frames']], [[frames], frames], id);
    assert.deepEqual([seen[0]?.video.codec, seen[0]?.video.height, seen[0]?.fastStart], ['h264', 64, true]);
  };

  describe('twenty at once, one worker killed, two tasks cancelled', () => {
    let most = 0;
    let died: Instance | undefined;

    test('every task ends in the right state, with the right files and no others', async (t) => {
      // Workers join after the gateway is ready.
      await until('the first worker', async () => (await workers()).length === 1 || undefined);
      assert.deepEqual([(await look()).pool.size, await metric('caudal_worker_capacity_ratio')], [1, 0], 'idle');
      const running = await submit('long.mp4', { ...SMALL, height: 1080 });
      // Held in the middle, it is running for certain whenever it is cancelled, and the others need a second worker.
      const engine = await until('its engine', () => engines(caudal.processes())[0]?.pid);
      process.kill(engine, 'SIGSTOP');
      const waiting = await submit('long.mp4');
      await cancel(waiting);
      caudal.layFault('video.before-commit');
      const wanted = await Promise.all(
        Array.from({ length: TASKS - CANCELLED }, async (_, index) => {
          const frames = FRAMES[index % FRAMES.length] ?? 0;
          return { frames, id: (await submit(`${frames}.mp4`)).id };
        }),
      );
      await caudal.faultStruck('video.before-commit');
      const struck = performance.now();
      // The supervisor says it the moment the queue has the task again.
      await until(
        'its task goes to others',
        () => /tasks of who is gone go to others/.test(caudal.output()) || undefined,
      );
      t.diagnostic(`requeued ${Math.round(performance.now() - struck)} ms after the kill (promised: 5 s)`);
      most = await until('a second worker', async () => {
        const { length } = await workers();
        return length > 1 ? length : undefined;
      });
      await cancel(running);
      // Looked at when all have ended: looking blocks the host that they are fetched from.
      for (const { id } of wanted) await client.task(id);
      for (const { id, frames } of wanted) isRight(await client.get(`/tasks/${id}`), frames);
      for (const { id } of [waiting, running]) {
        const { status, output } = await client.task(id);
        assert.deepEqual([status, output], ['cancelled', null]);
      }
      const { items } = await client.get('/tasks?limit=100');
      assert.equal(items.length, TASKS);
      await nothingLeft();
    });

    test('the death is recorded with what the worker was doing, and where that went', async () => {
      const dead = (await look()).items.filter(({ state }) => state === 'dead');
      assert.deepEqual(
        dead.map(({ roles, death }) => [roles, death?.cause, death?.signal]),
        [[['worker'], 'killed', 'SIGKILL']],
      );
      [died] = dead;
      const death = died?.death;
      assert.equal(death?.tasks_lost, 1);
      const [lost] = death?.tasks ?? [];
      assert.deepEqual([lost?.kind, lost?.attempt, lost?.status], ['video', 1, 'succeeded']);
      assert.ok(lost?.instance_id && lost.instance_id !== died?.id, 'another finished it');
      assert.ok(death?.replaced_by, 'its place was taken');
      const task: Task = await client.get(`/tasks/${lost?.task_id}`);
      const times = [lost?.started_at, death?.died_at, task.finished_at].map((at) => Date.parse(at ?? ''));
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
        'started, then its worker died, then another finished it',
      );
      assert.equal(task.attempt, 1, 'a death costs no attempt');
      const { stdout } = await caudal.command(['status'], { expect: 0 });
      assert.match(stdout, /^pool: \d of 1–3 workers/m);
      assert.match(stdout, new RegExp(`^died: worker-\\d .*SIGKILL; 1 tasks: ${lost?.task_id} succeeded`, 'm'));
    });

    test('the pool grew, and shrinks again by letting workers finish', async () => {
      assert.ok(most >= 2, `${most} workers at most`);
      await until('one worker again', async () => ((await workers()).length === 1 ? true : undefined));
      const { items } = await client.get('/audit?limit=100');
      const actions: string[] = items.map(({ action }: { action: string }) => action);
      assert.ok(actions.includes('pool.grown') && actions.includes('pool.shrunk'), actions.join(' '));
      assert.match(caudal.output(), /growing from 1 to 2 workers: /);
      assert.match(caudal.output(), /shrinking from \d to 1 workers: /);
      const { items: instances } = await look();
      assert.equal(instances.filter(({ state }) => state === 'dead').length, 1, 'who retires does not die');
    });

    test('idle, it still tells its measures', async () => {
      const { pool } = await look();
      assert.deepEqual([pool.busy, pool.queued, pool.utilization, pool.capacity], [0, 0, 0, 0]);
      assert.equal(await metric('caudal_worker_capacity_ratio'), 0);
      assert.equal(await metric('caudal_worker_pool_limit'), 3);
      assert.equal(await metric('caudal_worker_pool_target'), 1);
      assert.equal(await metric('caudal_queue_depth'), 0);
    });

    test('its measures and each of its decisions are in the telemetry store', async () => {
      const names = ['slots.total', 'slots.busy', 'utilization', 'capacity', 'pool.size', 'pool.limit'];
      const wanted = names.map((name) => `caudal.worker.${name}`).sort();
      await until('every measure of the pool', async () => {
        const found = await client.sql(
          "SELECT DISTINCT metric FROM telemetry.points WHERE metric LIKE 'caudal.worker.%' ORDER BY metric",
        );
        const stored = new Set(found.map(({ metric: name }) => name));
        return wanted.every((name) => stored.has(name)) || undefined;
      });
      const { items: audit } = await client.get('/audit?limit=100');
      const decided: number[] = audit
        .filter(({ action }: { action: string }) => /^pool\./.test(action))
        .map(({ target }: { target: string }) => Number(target));
      const query = encodeURIComponent('pool: the target changed');
      // At least once each: an answer that was lost makes the sender send again.
      const told = await until('every decision', async () => {
        const { items } = await client.get(`/telemetry/logs?service=caudal-supervisor&query=${query}`);
        const targets = new Set(items.map(({ attributes }: { attributes: { to: number } }) => attributes.to));
        return decided.every((target) => targets.has(target)) ? items : undefined;
      });
      assert.ok(told.every(({ attributes }: { attributes: { reason?: string } }) => attributes.reason));
    });
  });

  // `video.before-commit` is where the worker above dies.
  const points = ['video.after-transcode', 'video.after-commit'] satisfies FaultPoint[];
  for (const point of points) {
    test(`kill -9 at ${point}: all of its files, once`, async () => {
      const [frames = 0] = FRAMES;
      caudal.layFault(point);
      const { id } = await submit(`${frames}.mp4`);
      await caudal.faultStruck(point);
      isRight(await client.task(id), frames);
      await nothingLeft();
    });
  }
}

/** A server of somebody's; it listens on an address of its own so that it alone can be allowed. */
async function serve(videos: ReadonlyMap<string, Buffer>): Promise<string> {
  const server = http.createServer((request, response) => {
    const video = videos.get(request.url ?? '');
    response.writeHead(video ? 200 : 404, { 'content-type': 'video/mp4' }).end(video);
  });
  server.listen(0, '127.9.9.8');
  await new Promise((resolve) => server.once('listening', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.9.9.8:${(server.address() as AddressInfo).port}`;
}

function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Directories of attempts that are still there. */
function attempts(dataDir: string): string[] {
  const entries = readdirSync(join(dataDir, 'tmp'), { recursive: true }) as string[];
  return entries.filter((name) => /(^|\/)video-[^/]+$/.test(name));
}

function engines(pids: readonly number[]): { pid: number; command: string }[] {
  return pids.flatMap((pid) => {
    const command = describeProcess(pid)?.argv.join(' ') ?? '';
    return /ffmpeg.*picture\.graph/.test(command) ? [{ pid, command }] : [];
  });
}
