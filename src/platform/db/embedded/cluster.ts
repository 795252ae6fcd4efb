import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, lchown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryPort } from '#platform/process/ports.ts';
import { type Account, commandFor } from './account.ts';
import type { Binaries } from './binaries.ts';

export const SUPERUSER = 'caudal';
/** A clean environment: nothing of the caller's locale or PG* variables reaches the server. */
export const SERVER_ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** The data directory below `dir`, made by initdb when there is none; complete or absent, never half. */
export async function ensureCluster(
  dir: string,
  account: Account,
  binaries: Binaries,
  durable: boolean,
): Promise<string> {
  const data = join(dir, 'data');
  if (existsSync(join(data, 'PG_VERSION'))) {
    await checkVersion(data, binaries.major);
    await takeOver(data, account);
    return data;
  }
  const half = join(dir, 'data.init');
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { mode: 0o700 });
  if (account.kind !== 'self') await chown(half, account.uid, account.gid);
  await initdb(dir, half, account, binaries, durable);
  await rename(half, data);
  await syncDirectory(dir);
  return data;
}

async function checkVersion(data: string, ours: string): Promise<void> {
  const theirs = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  if (theirs === ours) return;
  throw new Error(
    `The database in ${data} is of PostgreSQL ${theirs}, this Caudal brings PostgreSQL ${ours}. Run \`caudal backup\` with the Caudal that made it, then \`caudal restore\` into an empty directory.`,
  );
}

/** Root may run it under another account than last time (the path's permissions changed). */
async function takeOver(data: string, account: Account): Promise<void> {
  const { uid } = await stat(data);
  if (account.kind === 'self') {
    if (process.getuid && uid !== process.getuid()) {
      throw new Error(
        `${data} belongs to another user (uid ${uid}). Start Caudal as that user, or with a data directory of your own.`,
      );
    }
    return;
  }
  if (uid === account.uid) return;
  for (const entry of readdirSync(data, { recursive: true })) {
    await lchown(join(data, String(entry)), account.uid, account.gid);
  }
  await lchown(data, account.uid, account.gid);
}

async function initdb(
  dir: string,
  data: string,
  account: Account,
  binaries: Binaries,
  durable: boolean,
): Promise<void> {
  const passwordFile = join(data, '..', 'initdb-password');
  await writeFile(passwordFile, `${await password(dir)}\n`, { mode: 0o600 });
  if (account.kind !== 'self') await chown(passwordFile, account.uid, account.gid);
  const args = [
    ...['-D', data, '-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8'],
    ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ...(durable ? [] : ['--no-sync']),
  ];
  try {
    await run(account, binaries.initdb, args);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function run(account: Account, file: string, args: string[]): Promise<void> {
  const command = commandFor(account, file, args, false);
  const child = spawn(command.file, command.args, {
    cwd: '/',
    env: SERVER_ENV,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid }),
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  });
  if (code !== 0) throw new Error(`initdb failed (${code}): ${output.join('').trim().slice(-2000)}`);
}

/** The superuser's password, made once, readable by the owner of the data directory only. */
export async function password(dir: string): Promise<string> {
  const file = join(dir, 'password');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined) return kept.trim();
  if (existsSync(join(dir, 'data', 'PG_VERSION'))) {
    throw new Error(
      `The password of the database is missing: ${file}. Put it back from a backup of the data directory.`,
    );
  }
  const made = randomBytes(24).toString('base64url');
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(`${made}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return made;
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The port of last time when it is free, else another; kept in a file for tools outside. */
export async function choosePort(dir: string): Promise<number> {
  const file = join(dir, 'port');
  const kept = Number(await readFile(file, 'utf8').catch(() => '0'));
  const port = (kept > 0 && (await tryPort(kept, '127.0.0.1'))) || (await tryPort(0, '127.0.0.1'));
  if (!port) throw new Error('There is no free port on 127.0.0.1 for the embedded PostgreSQL.');
  if (port !== kept) await writeFile(file, `${port}\n`);
  return port;
}

/** The directory itself may be entered by the server's account, but not listed by others. */
export async function openDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o711 });
  await chmod(dir, 0o711);
}
