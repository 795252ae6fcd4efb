import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { onLines } from '#kernel/lines.ts';

export interface LimitedRun {
  command: string;
  args: readonly string[];
  /** Where it works; all files it is given are named relative to it. */
  cwd: string;
  signal: AbortSignal;
  timeout_ms: number;
  /** RLIMIT_DATA: what it may allocate. */
  memory_bytes: number;
  /** RLIMIT_FSIZE: the largest file it may write. */
  file_bytes?: number;
  /** Each line of its standard output as it comes. */
  onLine?(line: string): void;
  /** Higher: less often chosen by the scheduler than what answers people. */
  nice?: number;
}

export interface EndedRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  stderr: string;
  /** It was ended because its time was up. */
  overdue: boolean;
  ms: number;
}

const found = (name: string) => [`/usr/bin/${name}`, `/bin/${name}`].find((path) => existsSync(path));
const PRLIMIT = found('prlimit');
/** Ends it when this process dies, however it dies: nobody else would know of it. */
const SETPRIV = found('setpriv');
const NICE = found('nice');
const STDERR_KEPT = 8192;

/**
 * Runs a program that reads hostile bytes to its end: a process group of its own, a bare environment,
 * limits where the system has them (prlimit). Resolves however it ended; the group is gone by then.
 * @throws the signal's reason, once the group has been killed
 */
export async function runLimited(run: LimitedRun): Promise<EndedRun> {
  run.signal.throwIfAborted();
  const started = performance.now();
  const [command, ...args] = limitedCommand(run);
  const child = spawn(command as string, args, {
    cwd: run.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', LANG: 'C.UTF-8', AV_LOG_FORCE_NOCOLOR: '1' },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-STDERR_KEPT);
  });
  const { onLine } = run;
  if (onLine) onLines(child.stdout, onLine);
  else child.stdout.resume();
  let overdue = false;
  const kill = () => killGroup(child);
  const deadline = setTimeout(() => {
    overdue = true;
    kill();
  }, run.timeout_ms);
  run.signal.addEventListener('abort', kill, { once: true });
  try {
    const [code, signal] = await ended(child);
    run.signal.throwIfAborted();
    return { code, signal, stderr, overdue, ms: performance.now() - started };
  } finally {
    clearTimeout(deadline);
    run.signal.removeEventListener('abort', kill);
    // What it may have started itself.
    kill();
  }
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
}

function limitedCommand(run: LimitedRun): string[] {
  const { memory_bytes, file_bytes, nice } = run;
  return [
    ...(SETPRIV ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []),
    ...(NICE && nice ? [NICE, '-n', String(nice)] : []),
    ...(PRLIMIT
      ? [
          ...[PRLIMIT, `--data=${memory_bytes}`, '--core=0', '--nofile=1024'],
          ...(file_bytes === undefined ? [] : [`--fsize=${file_bytes}`]),
        ]
      : []),
    run.command,
    ...run.args,
  ];
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
