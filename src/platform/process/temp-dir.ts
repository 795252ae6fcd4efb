import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './processes.ts';

export interface TempDir {
  /** Absolute; this process's own. */
  path: string;
  remove(): Promise<void>;
}

const NAME = /^(.*)\.(\d+)\.[A-Za-z0-9]+$/;

/** A directory of this process's own under `root`. What processes of this machine left that were killed goes first. */
export async function openTempDir(root: string, machine: string = hostname()): Promise<TempDir> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await removeAbandoned(root, machine);
  const path = await mkdtemp(join(root, `${machine}.${process.pid}.`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/**
 * Removes what killed processes of this machine left. A directory says whose it is by its name, since another machine may share
 * the disk. Also for who sees one die: nobody may come in its place.
 */
export async function removeAbandoned(root: string, machine: string = hostname()): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names) {
    const [, owner, pid] = NAME.exec(name) ?? [];
    if (owner === machine && !isAlive(Number(pid))) await rm(join(root, name), { recursive: true, force: true });
  }
}
