import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export interface Finished {
  code: number | null;
  out: string;
  err: string;
}

export interface Admin {
  url: string;
  username: string;
  email: string;
  password: string;
  token: string;
}

/** Caudal as a person has it: a data directory and the command line, each command a process. */
export interface Installation {
  dir: string;
  env: Record<string, string | undefined>;
  admin(): Admin;
  /** Runs one command to its end. */
  caudal(...args: string[]): Promise<Finished>;
  /** `caudal up`; resolves when it says that it is ready. */
  up(...args: string[]): Promise<Running>;
  remove(): void;
}

export interface Running {
  child: ChildProcess;
  pid: number;
  /** All that it printed so far. */
  printed(): string;
  /** Resolves when a line that matches was printed (also in the past). */
  says(pattern: RegExp): Promise<void>;
  /** SIGINT, as Ctrl-C does it; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** `env` overrides settings, e.g. DATABASE_URL. The port is a free one. */
export function installation(env: Record<string, string> = {}): Installation {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-up-'));
  chmodSync(dir, 0o711);
  const settings = { ...process.env, CAUDAL_DATA_DIR: dir, CAUDAL_PORT: '0', NO_COLOR: '1', ...env };
  return {
    dir,
    env: settings,
    admin: () => JSON.parse(readFileSync(join(dir, 'admin.json'), 'utf8')) as Admin,
    caudal: (...args) => finish(args, settings),
    up: (...args) => start(['up', ...args], settings),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

async function finish(args: string[], env: Installation['env']): Promise<Finished> {
  const child = spawn(join(ROOT, 'caudal'), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...written };
}

async function start(args: string[], env: Installation['env']): Promise<Running> {
  const child = spawn(join(ROOT, 'caudal'), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let changed: () => void = () => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      changed();
    });
  }
  const ended = once(child, 'close').then(([code]) => {
    changed();
    return code as number | null;
  });
  const says = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      changed = () => {
        if (pattern.test(text)) resolve();
        else if (child.exitCode !== null) reject(new Error(`it ended without saying ${pattern}:\n${text}`));
      };
      changed();
    });
  await says(/^ {2}ready /m);
  return {
    child,
    pid: child.pid ?? 0,
    printed: () => text,
    says,
    stop() {
      child.kill('SIGINT');
      return ended;
    },
  };
}
