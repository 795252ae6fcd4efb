import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { backoffDelay } from '#kernel/backoff.ts';
import { onLines } from '#kernel/lines.ts';

/** Tells a process to finish what it runs, however long that takes, and to end. */
export const RETIRE = 'SIGUSR2';

export interface ChildSpec {
  /** Such as `worker` or `worker-2`. */
  name: string;
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string | undefined>;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  pid: number;
  /** How long it lived, in ms. */
  lived: number;
  /** Deaths in a row, this one included. */
  deaths: number;
  /** When it will be started again, in ms; null for one that was retiring. */
  again: number | null;
}

export interface ChildHooks {
  started(pid: number): void;
  /** It died without having been told to. */
  died(how: Ended): void;
  line(line: string, stream: 'stdout' | 'stderr'): void;
}

export interface SupervisedChild {
  readonly name: string;
  readonly pid: number | undefined;
  /** Deaths in a row that nobody asked for. */
  readonly deaths: number;
  /** Lets it finish what it runs and end; it is not started again. Resolves when it has ended. */
  retire(): Promise<void>;
  /** SIGTERM, and SIGKILL for its whole group when it takes longer than `limit` ms. Idempotent. */
  stop(limit: number): Promise<void>;
  /** SIGKILL now, for those who cannot wait. */
  kill(): void;
}

const BACKOFF = { base: 200, cap: 10_000 };
/** Whoever lived this long starts again without a wait. */
const HEALTHY_MS = 30_000;

/** Starts a process and starts it again whenever it dies, waiting longer each time, until it is stopped. */
export function superviseChild(spec: ChildSpec, hooks: ChildHooks): SupervisedChild {
  let child: ChildProcess | undefined;
  let deaths = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let retiring = false;
  let gone: PromiseWithResolvers<void> = Promise.withResolvers();
  gone.resolve();

  function start(): void {
    gone = Promise.withResolvers();
    const begun = performance.now();
    const running = spawn(spec.file, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      // A session of its own: Ctrl-C in the terminal is for the supervisor, which decides the order.
      detached: true,
      // The IPC channel closes when the supervisor dies, whatever the reason and the platform.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = running;
    readLines(running.stdout, (line) => hooks.line(line, 'stdout'));
    readLines(running.stderr, (line) => hooks.line(line, 'stderr'));
    if (running.pid !== undefined) hooks.started(running.pid);
    running.once('error', (error) => {
      hooks.line(`could not be started: ${error.message}`, 'stderr');
      if (running.pid === undefined) ended(running, null, null, 0);
    });
    // Not `close`: that waits for grandchildren which hold the pipes, and they are ended next.
    running.once('exit', (code, signal) => ended(running, code, signal, performance.now() - begun));
  }

  function ended(dead: ChildProcess, code: number | null, signal: NodeJS.Signals | null, lived: number): void {
    endGroup(dead.pid);
    child = undefined;
    gone.resolve();
    if (stopping) return;
    if (retiring) {
      if (code !== 0) hooks.died({ code, signal, pid: dead.pid ?? 0, lived, deaths: deaths + 1, again: null });
      return;
    }
    deaths = lived > HEALTHY_MS ? 1 : deaths + 1;
    const again = deaths === 1 ? 0 : backoffDelay(deaths - 2, BACKOFF);
    hooks.died({ code, signal, pid: dead.pid ?? 0, lived, deaths, again });
    timer = setTimeout(start, again);
  }

  start();
  return {
    name: spec.name,
    get pid() {
      return child?.pid;
    },
    get deaths() {
      return deaths;
    },
    async retire() {
      retiring = true;
      clearTimeout(timer);
      child?.kill(RETIRE);
      await gone.promise;
    },
    async stop(limit) {
      stopping = true;
      clearTimeout(timer);
      if (!child) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => endGroup(child?.pid), limit);
      await gone.promise;
      clearTimeout(late);
    },
    kill() {
      stopping = true;
      clearTimeout(timer);
      endGroup(child?.pid);
    },
  };
}

/** What it had started itself goes with it. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readLines(stream: Readable | null, line: (text: string) => void): void {
  if (stream) onLines(stream, line);
}
