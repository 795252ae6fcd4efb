import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { readFifo } from '#platform/process/fifo.ts';
import type { FromChild, ToChild } from './protocol.ts';

export interface ChildLimits {
  /** DuckDB's memory limit, and — since scalar functions do not count in that — the process's own limit above its idle size. */
  memory_bytes: number;
  threads: number;
  /** Processor seconds of a user's query; exports of our own SQL may take `MOST_CPU_SECONDS`. */
  cpu_seconds: number;
  /** Directory for the children's FIFOs. */
  directory: string;
}

/** One child: messages in order, its two ways out, and its end. */
export interface ChildSession {
  readonly pid: number;
  send(message: ToChild): void;
  /** The next message. @throws ChildGone */
  receive(): Promise<FromChild>;
  /** Bytes of JSON. */
  readonly bytes: Duplex;
  /** Opens the reading end of the FIFO, which all other formats take; to be called before the child writes to it. */
  openFifo(): Socket;
  /** Lets a long export of our own SQL use more processor time. */
  raiseCpuLimit(): void;
  readonly alive: boolean;
  /** SIGKILL; resolves when the process has ended and its directory is gone. */
  kill(): Promise<void>;
}

/** The child ended by itself or by a limit. */
export class ChildGone extends Error {
  readonly signal: string | null;
  readonly exitCode: number | null;

  constructor(signal: string | null, exitCode: number | null) {
    super(`the query's process ended (${signal ?? `exit ${exitCode}`})`);
    this.name = 'ChildGone';
    this.signal = signal;
    this.exitCode = exitCode;
  }
}

const CHILD = new URL('./child.ts', import.meta.url).pathname;
const MOST_CPU_SECONDS = 7200;
/** An idle child of Node 24 and DuckDB 1.5 has 642 MB of writable mappings (92 MB resident); a little room on top. */
const OVERHEAD_BYTES = 800_000_000;

function onPath(program: string): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

/**
 * The limits' command line; empty where there is no prlimit (macOS): DuckDB's own limits and the
 * time limit remain. `cpu` has a hard limit above the soft one so that an export can be allowed more.
 */
function limited(limits: ChildLimits): string[] {
  const prlimit = onPath('prlimit');
  if (!prlimit) return [];
  return [
    prlimit,
    `--data=${limits.memory_bytes + OVERHEAD_BYTES}`,
    '--fsize=0',
    '--nofile=256',
    `--cpu=${limits.cpu_seconds}:${MOST_CPU_SECONDS}`,
    '--core=0',
  ];
}

/** Starts a child and waits until its DuckDB is open (~110 ms). @throws ChildGone */
export async function startChild(limits: ChildLimits): Promise<ChildSession> {
  const directory = await mkdtemp(join(limits.directory, 'query-'));
  const fifo = join(directory, 'out');
  const command = [
    ...limited(limits),
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    CHILD,
    String(limits.threads),
    `${Math.floor(limits.memory_bytes / 1e6)}MB`,
    fifo,
  ];
  const child = spawn('/bin/sh', ['-c', 'mkfifo -m 600 "$0" "$0.rows" && exec "$@"', fifo, ...command], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'ipc'],
    env: { TZ: 'UTC', PATH: process.env['PATH'] ?? '' },
    serialization: 'json',
  });
  const session = converse(child, fifo, directory);
  try {
    await session.receive();
  } catch (error) {
    await session.kill();
    throw error;
  }
  return session;
}

function converse(child: ChildProcess, fifo: string, directory: string): ChildSession {
  const inbox: FromChild[] = [];
  let waiting: { resolve(message: FromChild): void; reject(error: Error): void } | undefined;
  let gone: ChildGone | undefined;
  let reader: Socket | undefined;
  const bytes = child.stdio[3] as Duplex;
  bytes.on('error', () => undefined);

  const ended = new Promise<void>((resolve) => {
    const end = (code: number | null, signal: string | null): void => {
      gone ??= new ChildGone(signal, code);
      waiting?.reject(gone);
      waiting = undefined;
      rm(directory, { recursive: true, force: true }).then(resolve, resolve);
      closeUnread(reader, gone);
    };
    child.once('exit', end);
    child.once('error', () => end(null, 'error'));
  });
  child.on('message', (message) => {
    if (waiting) waiting.resolve(message as FromChild);
    else inbox.push(message as FromChild);
    waiting = undefined;
  });

  return {
    pid: child.pid ?? 0,
    bytes,
    get alive() {
      return gone === undefined;
    },
    send(message) {
      if (child.connected) child.send(message, () => undefined);
    },
    receive() {
      const message = inbox.shift();
      if (message) return Promise.resolve(message);
      if (gone) return Promise.reject(gone);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    openFifo() {
      reader = readFifo(fifo);
      return reader;
    },
    raiseCpuLimit() {
      const prlimit = onPath('prlimit');
      if (prlimit && child.pid) {
        const raise = spawn(prlimit, ['--pid', String(child.pid), `--cpu=${MOST_CPU_SECONDS}:${MOST_CPU_SECONDS}`], {
          stdio: 'ignore',
        });
        raise.on('error', () => undefined);
      }
    },
    async kill() {
      if (!gone) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A FIFO whose writer died before it opened it never ends by itself. */
function closeUnread(reader: Socket | undefined, gone: ChildGone): void {
  if (!reader || reader.readableEnded) return;
  if (gone.exitCode === 0) return;
  if (reader.bytesRead === 0) reader.destroy(gone);
}
