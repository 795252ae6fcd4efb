import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, startedAt } from '#platform/process/processes.ts';

export interface LockHolder {
  pid: number;
  /** With the pid it names one process for ever: pids are used again. */
  started?: string;
  url: string;
}

/** Another supervisor has the data directory. */
export class DataDirectoryInUse extends Error {
  readonly holder: LockHolder;

  constructor(dataDir: string, holder: LockHolder) {
    super(
      `Caudal already runs on ${dataDir}: pid ${holder.pid}, ${holder.url}. ` +
        `Use it, stop it (Ctrl-C in its terminal, or kill ${holder.pid}), or set CAUDAL_DATA_DIR to another directory.`,
    );
    this.name = 'DataDirectoryInUse';
    this.holder = holder;
  }
}

export interface Lock {
  release(): Promise<void>;
}

const lockFile = (dataDir: string) => join(dataDir, 'supervisor.lock');

/** Who holds the directory right now; undefined when nobody does or the holder was killed. */
export async function lockHolder(dataDir: string): Promise<LockHolder | undefined> {
  const holder = await read(lockFile(dataDir));
  return holder && holds(holder) ? holder : undefined;
}

/** @throws DataDirectoryInUse when somebody holds the directory */
export async function refuseSecond(dataDir: string): Promise<void> {
  const holder = await lockHolder(dataDir);
  if (holder) throw new DataDirectoryInUse(dataDir, holder);
}

/**
 * One supervisor per data directory. The file appears whole (link of a written file) or not at
 * all; what a killed supervisor left is recognised by pid and start time and moved away, and
 * moved back when another start was quicker.
 *
 * @throws DataDirectoryInUse
 */
export async function acquireLock(dataDir: string, url: string): Promise<Lock> {
  const file = lockFile(dataDir);
  const started = startedAt(process.pid);
  const own: LockHolder = { pid: process.pid, ...(started ? { started } : {}), url };
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (;;) {
      const linked = await link(draft, file).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false;
          throw error;
        },
      );
      if (linked) return { release: () => release(file, own) };
      await clearStale(dataDir, file);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function clearStale(dataDir: string, file: string): Promise<void> {
  await refuseSecond(dataDir);
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  const moved = await read(aside);
  if (moved && holds(moved)) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

async function release(file: string, own: LockHolder): Promise<void> {
  const holder = await read(file);
  if (holder?.pid === own.pid && holder.started === own.started) await rm(file, { force: true });
}

async function read(file: string): Promise<LockHolder | undefined> {
  try {
    const found = JSON.parse(await readFile(file, 'utf8')) as Partial<LockHolder>;
    return typeof found.pid === 'number' ? { url: '', ...found, pid: found.pid } : undefined;
  } catch {
    return undefined;
  }
}

function holds({ pid, started }: LockHolder): boolean {
  return isAlive(pid) && (started === undefined || startedAt(pid) === started);
}
