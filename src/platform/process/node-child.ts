import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface NodeChildOptions {
  /** The module that it runs. */
  entry: string;
  /** Left out: Node's own reckoning. */
  heap_mb?: number;
  /** RLIMIT_DATA: what the process may hold, an idle Node's reservation of some 700 MB included. */
  data_bytes: number;
  /** RLIMIT_NOFILE. */
  files: number;
  /** RLIMIT_FSIZE: the largest file it may write. */
  file_bytes?: number;
  /** RLIMIT_CPU. */
  cpu_seconds?: number;
}

export interface HowItEnded {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  stderr: string;
}

export interface NodeChild {
  process: ChildProcess;
  /** Resolves when the process is gone. */
  ended: Promise<HowItEnded>;
  /** The whole group: nothing that it started may outlive it. */
  kill(): void;
}

const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path));
const STDERR_KEPT = 8192;

/**
 * A Node that reads hostile bytes: a group of its own, under limits where the system has them, without our environment; it is
 * spoken to over IPC.
 */
export function startNodeChild(options: NodeChildOptions): NodeChild {
  const node = [
    process.execPath,
    ...(options.heap_mb === undefined ? [] : [`--max-old-space-size=${options.heap_mb}`]),
    '--disable-warning=ExperimentalWarning',
    '--disallow-code-generation-from-strings',
    options.entry,
  ];
  const [command = process.execPath, ...args] = PRLIMIT ? [PRLIMIT, ...limitsOf(options), ...node] : node;
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true,
    env: {
      ...{ PATH: process.env['PATH'] ?? '', TZ: 'UTC', LANG: 'C.UTF-8' },
      // Compiled modules are kept: 0.1 s of CPU instead of 0.3 until it is ready.
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
    },
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-STDERR_KEPT);
  });
  const ended = new Promise<HowItEnded>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    child.once('error', (error) => resolve({ code: null, signal: null, stderr: error.message }));
  });
  return { process: child, ended, kill: () => killGroup(child) };
}

function limitsOf({ data_bytes, files, file_bytes, cpu_seconds }: NodeChildOptions): string[] {
  return [
    ...[`--data=${data_bytes}`, '--core=0', `--nofile=${files}`],
    ...(file_bytes === undefined ? [] : [`--fsize=${file_bytes}`]),
    ...(cpu_seconds === undefined ? [] : [`--cpu=${cpu_seconds}`]),
  ];
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
