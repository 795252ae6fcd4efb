import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '#platform/observe/log.ts';
import { endProcesses } from '#platform/process/processes.ts';
import { type Account, chooseAccount, commandFor, hasSetpriv } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { choosePort, ensureCluster, openDirectory, password, SERVER_ENV, SUPERUSER } from './cluster.ts';
import { endLeftovers, readPostmasterFile } from './leftovers.ts';

export interface PostgresOptions {
  /** Everything of it lives here; its parents must exist. */
  dir: string;
  log: Logger;
  /** Where the server's own log goes; default `<dir>/postgres.log`. */
  logFile?: string;
  /** Further settings of the server (`-c name=value`). */
  settings?: Record<string, string>;
  /** False for tests only: then nothing is synced to disk, not even by initdb. */
  durable?: boolean;
}

export interface RunningPostgres {
  /** Of the database `caudal`, with the password. */
  url: string;
  pid: number;
  port: number;
  /** Settles when the server has ended, for whatever reason. */
  exited: Promise<{ code: number | null; signal: string | null }>;
  /** Fast shutdown, then an immediate one, then SIGKILL. Idempotent. */
  stop(): Promise<void>;
}

const READY_TIMEOUT = 120_000;

/** io_method=sync spares three idle processes: the catalogue is small and lives in memory. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '64MB',
  io_method: 'sync',
  jit: 'off',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
  log_timezone: 'UTC',
  timezone: 'UTC',
  cluster_name: 'caudal',
};
/** synchronous_commit stays on: without it even kill -9 of the server loses acknowledged commits (15 of 50). */
const NOT_DURABLE: Record<string, string> = { fsync: 'off' };

/**
 * Starts PostgreSQL on 127.0.0.1 (TCP only, password, port of its own), making its cluster the
 * first time and ending whatever an earlier run left behind. Resolves when it accepts connections.
 *
 * On Linux with `setpriv` the server shuts down by itself when this process dies, whatever the
 * reason; elsewhere the next start stops it.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { dir, log, durable = true } = options;
  await openDirectory(dir);
  const account = chooseAccount(dir);
  const binaries = await findBinaries(dir, account);
  const data = await ensureCluster(dir, account, binaries, durable);
  const ended = await endLeftovers(data);
  if (ended > 0) log.warn({ processes: ended }, 'ended what an earlier run of PostgreSQL left behind');
  for (let attempt = 1; ; attempt += 1) {
    const port = await choosePort(dir);
    const settings = { ...SETTINGS, ...(durable ? {} : NOT_DURABLE), ...options.settings, port: String(port) };
    const logFile = options.logFile ?? join(dir, 'postgres.log');
    const server = launch(account, binaries, data, settings, logFile);
    try {
      await ready(server, data);
      await ensureDatabase(port, await password(dir));
      return running(server, data, port, await password(dir));
    } catch (error) {
      await stop(server, data);
      // Between choosing a port and binding it another program may take it.
      if (attempt < 3 && /could not bind|Address already in use/.test(tail(logFile))) continue;
      throw new Error(`PostgreSQL did not start: ${(error as Error).message}\n${tail(logFile)}`, { cause: error });
    }
  }
}

interface Server {
  child: ChildProcess;
  exited: RunningPostgres['exited'];
}

function launch(
  account: Account,
  binaries: Binaries,
  data: string,
  settings: Record<string, string>,
  logFile: string,
): Server {
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const command = commandFor(account, binaries.postgres, args, hasSetpriv());
  mkdirSync(dirname(logFile), { recursive: true });
  // A file, not a pipe: the server must not die of SIGPIPE when this process does.
  const output = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(command.file, command.args, {
      cwd: account.kind === 'nobody' ? '/' : data,
      env: SERVER_ENV,
      detached: true, // Ctrl-C in the terminal is for the supervisor: it decides the order.
      stdio: ['ignore', output, output],
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid }),
    });
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('error', () => resolve({ code: 127, signal: null }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    return { child, exited };
  } finally {
    closeSync(output);
  }
}

async function ready({ child, exited }: Server, data: string): Promise<void> {
  let gone: { code: number | null; signal: string | null } | undefined;
  void exited.then((how) => {
    gone = how;
  });
  const until = performance.now() + READY_TIMEOUT;
  while (performance.now() < until) {
    if (gone) throw new Error(`it ended at once (${gone.signal ?? `status ${gone.code}`})`);
    const file = await readPostmasterFile(data);
    if (file?.pid === child.pid && file?.status === 'ready') return;
    await delay(10);
  }
  throw new Error(`it was not ready within ${READY_TIMEOUT / 1000} s`);
}

function urlOf(port: number, secret: string, database: string): string {
  return `postgres://${SUPERUSER}:${secret}@127.0.0.1:${port}/${database}`;
}

async function ensureDatabase(port: number, secret: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(port, secret, 'postgres') });
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', ['caudal']);
    if (found.rowCount === 0) await client.query('CREATE DATABASE caudal');
  } finally {
    await client.end();
  }
}

function running(server: Server, data: string, port: number, secret: string): RunningPostgres {
  let stopping: Promise<void> | undefined;
  return {
    url: urlOf(port, secret, 'caudal'),
    pid: server.child.pid ?? 0,
    port,
    exited: server.exited,
    stop() {
      stopping ??= stop(server, data);
      return stopping;
    },
  };
}

async function stop({ child, exited }: Server, data: string): Promise<void> {
  if (child.pid === undefined) return;
  await endProcesses(child.exitCode === null && child.signalCode === null ? [child.pid] : [], [
    { signal: 'SIGINT', wait: 15_000 },
    { signal: 'SIGQUIT', wait: 5_000 },
    { signal: 'SIGKILL', wait: 5_000 },
  ]);
  await exited;
  await endLeftovers(data);
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-1500).trim();
  } catch {
    return '';
  }
}
