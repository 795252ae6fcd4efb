import { openAsBlob } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../../src/cli/client.ts';
import { followTask } from '../../src/cli/follow.ts';
import type { Task } from '../../src/contract/tasks.ts';
import type { CompletedUpload, PartUrls, StartedUpload } from '../../src/contract/uploads.ts';
import { type Installation, installation, type Running } from '../../test/support/caudal.ts';
import { type Cost, costOf } from './process-tree.ts';

/** A private Caudal: data directory in the system's temporary directory, a free port, nothing shared. */
export interface Caudal {
  client: Client;
  /** The supervisor: the root of the process tree. */
  pid: number;
  dir: string;
  /** Stops it and starts it again on the same data. @returns ms from the command to "ready" */
  restart(): Promise<number>;
  stop(): Promise<void>;
}

/** What is on while measuring: a workspace may ask as often as the machine allows. */
const SETTINGS = { CAUDAL_RATE_LIMIT_WORKSPACE: '1000000/s', CAUDAL_LOG_LEVEL: 'warn', DATABASE_URL: '' };

export async function startCaudal(settings: Record<string, string> = {}): Promise<Caudal> {
  const here: Installation = installation({ ...SETTINGS, ...settings });
  let running: Running | undefined = await here.up().catch((error: unknown) => {
    here.remove();
    throw error;
  });
  const client = () => createClient(here.admin().url, here.admin().token, new AbortController().signal);
  const caudal: Caudal = {
    client: client(),
    pid: running.pid,
    dir: here.dir,
    async restart() {
      await running?.stop();
      running = undefined;
      const began = performance.now();
      running = await here.up();
      const ms = performance.now() - began;
      Object.assign(caudal, { client: client(), pid: running.pid });
      return ms;
    },
    async stop() {
      const ended = running?.stop();
      running = undefined;
      await ended;
      here.remove();
    },
  };
  return caudal;
}

export interface Arrived {
  upload_id: string;
  file_id: string;
  parts: { part_number: number; etag: string }[];
}

const PARALLEL = 4;

/** Sends a file's parts and stops before `complete`. */
export async function sendParts(client: Client, path: string, filename: string): Promise<Arrived> {
  const blob = await openAsBlob(path);
  const started = await client.post<StartedUpload>('uploads', { filename, size: blob.size });
  const { upload_id, file_id, part_size, part_count } = started;
  const parts: Arrived['parts'] = [];
  let next = 1;
  const sender = async (): Promise<void> => {
    for (let part_number = next++; part_number <= part_count; part_number = next++) {
      const { urls } = await client.post<PartUrls>(`uploads/${upload_id}/urls`, { part_numbers: [part_number] });
      const body = blob.slice((part_number - 1) * part_size, Math.min(blob.size, part_number * part_size));
      const answer = await fetch(new URL(urls[0]?.url ?? '', `${client.url}/`), { method: 'PUT', body });
      if (!answer.ok) throw new Error(`part ${part_number}: ${answer.status} ${await answer.text()}`);
      parts.push({ part_number, etag: answer.headers.get('etag') ?? '' });
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, part_count) }, sender));
  return { upload_id, file_id, parts: parts.sort((a, b) => a.part_number - b.part_number) };
}

/** From here on the load is Caudal's own affair. */
export async function complete(client: Client, arrived: Arrived): Promise<Task> {
  const done = await client.post<CompletedUpload>(`uploads/${arrived.upload_id}/complete`, { parts: arrived.parts });
  if (!done.task) throw new Error('the upload started no load');
  return done.task;
}

/** Waits for a task to succeed. */
export async function succeeded(client: Client, task: Task): Promise<Task> {
  const ended = await followTask(client, task.id, AbortSignal.timeout(600_000), () => undefined);
  if (ended.status !== 'succeeded')
    throw new Error(`task ${task.kind} ${ended.status}: ${JSON.stringify(ended.error)}`);
  return ended;
}

/** A file's load from "upload complete" to the first answered question about it. */
export async function loadFile(caudal: Caudal, path: string, filename: string): Promise<Cost> {
  const arrived = await sendParts(caudal.client, path, filename);
  const dataset = filename.replace(/\.csv$/, '');
  const { cost } = await costOf(caudal.pid, async () => {
    await succeeded(caudal.client, await complete(caudal.client, arrived));
    await caudal.client.get(`datasets/${dataset}/rows`, { limit: 1 });
  });
  return cost;
}

/** Waits until nothing is queued or running, so that one row's leftovers do not disturb the next. */
export async function idle(client: Client): Promise<void> {
  for (;;) {
    const busy = await Promise.all(
      ['queued', 'running'].map((status) => client.get<{ items: Task[] }>('tasks', { status, limit: 1 })),
    );
    if (busy.every(({ items }) => items.length === 0)) return;
    await delay(100);
  }
}
