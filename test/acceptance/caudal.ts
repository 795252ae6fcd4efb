import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultPoint } from '#kernel/fault-points.ts';
import { endProcesses, isAlive, listProcesses, startedAt, waitForEnd } from '#platform/process/processes.ts';
import type { AdminFile } from '#roles/supervisor/admin-file.ts';

/**
 * A real `./caudal up` with a data directory of its own. What a test may use of it: HTTP, the command
 * line, signals. `CAUDAL_*` of the caller never reach it.
 */
export const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'caudal');
/** A cold start takes 3–6 s; twenty times that on a machine that does other things. */
const START_MS = 240_000;
/** For what takes seconds; long enough that only what never comes fails. */
export const PATIENCE_MS = 180_000;

export type RoleName = 'api' | 'worker' | 'telemetry';

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Caudal {
  readonly directory: string;
  readonly dataDir: string;
  readonly url: string;
  readonly admin: AdminFile;
  /** What the supervisor wrote on its terminal so far. */
  output(): string;
  supervisor(): number;
  /** A living process of a role that fits. @throws after PATIENCE_MS when there is none */
  pid(role: RoleName, fits?: (pid: number) => boolean): Promise<number>;
  postmaster(): number;
  /** Everything that lives because of this installation, PostgreSQL's processes and reader children included. */
  processes(): number[];
  /** SIGKILL for everything at once; resolves when nothing of it lives. */
  killAll(): Promise<void>;
  /** Ctrl-C; resolves with the exit status. @throws when something of it outlives the supervisor */
  stop(): Promise<number | null>;
  start(environment?: Record<string, string>): Promise<void>;
  /** Lays a fault: the first process that comes to this point dies or freezes there. */
  layFault(point: FaultPoint, how?: 'kill' | 'stop'): void;
  faultStruck(point: FaultPoint): Promise<void>;
  command(args: string[], options?: CommandOptions): Promise<CommandResult>;
}

export interface CommandOptions {
  environment?: Record<string, string>;
  /** The `admin.json` of this installation opens the door unless this is false. */
  local?: boolean;
  signal?: AbortSignal;
  /** The exit status that is expected; anything else throws. */
  expect?: number;
}

/** Between two questions: often at first, then seldom enough not to slow down what is waited for on a busy machine. */
const ASK_MS = { first: 50, most: 250 };

/** Asks until there is an answer. @throws after `ms`, saying what was waited for */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, ms = PATIENCE_MS) {
  const began = performance.now();
  const deadline = began + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${ms / 1000} s`);
    await pause(Math.min(ASK_MS.most, Math.max(ASK_MS.first, (performance.now() - began) / 20)));
  }
}

/** A directory that is removed when the test file ends; the user `nobody` can pass through it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-acceptance-'));
  chmodSync(directory, 0o711);
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function environmentOf(dataDir: string, faults: string, more: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(CAUDAL_|OTEL_|NODE_TEST|NODE_CHANNEL|DATABASE_URL)/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    CAUDAL_DATA_DIR: dataDir,
    CAUDAL_FAULT_DIR: faults,
    ...more,
  };
}

/** Runs a command line to its end. */
export function run(args: string[], environment: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<CommandResult> {
  const child = spawn(PROGRAM, args, {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal ? { signal } : {}),
  });
  const result: CommandResult = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...result, code }));
  });
}

/**
 * Starts an installation that is stopped and removed when the test file ends, whatever happened. To be
 * called at the top of a file: `after` inside of another hook would run with that hook.
 */
export async function startCaudal(
  settings: Record<string, string> = {},
  /** Runs before the first start, with the environment that it will have. */
  before?: (environment: NodeJS.ProcessEnv) => Promise<void>,
): Promise<Caudal> {
  // Before the directory's own hook: what still writes there ends first.
  after(() => killAll());
  const directory = temporaryDirectory();
  const dataDir = join(directory, 'data');
  const faults = join(directory, 'faults');
  mkdirSync(faults);
  const given: Record<string, string> = { CAUDAL_PORT: '0', CAUDAL_LOG_LEVEL: 'info', ...settings };
  const environment = (more: Record<string, string> = {}) => environmentOf(dataDir, faults, { ...given, ...more });
  let child: ChildProcess | undefined;
  let output = '';

  async function start(more: Record<string, string> = {}): Promise<void> {
    output = '';
    const supervisor = spawn(PROGRAM, ['up'], { env: environment(more), stdio: ['ignore', 'pipe', 'pipe'] });
    child = supervisor;
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    await until(
      `caudal up\n${output}`,
      () => {
        if (supervisor.exitCode !== null || supervisor.signalCode !== null) {
          throw new Error(`caudal up ended with ${supervisor.exitCode ?? supervisor.signalCode}:\n${output}`);
        }
        return /^\s+ready\s/m.test(output) || undefined;
      },
      START_MS,
    );
    // Clients that wait for a restart must find it where it was.
    given['CAUDAL_PORT'] = new URL(admin().url).port;
  }

  const admin = () => JSON.parse(readFileSync(join(dataDir, 'admin.json'), 'utf8')) as AdminFile;
  const supervisor = () => {
    if (child?.pid === undefined) throw new Error('caudal was not started');
    return child.pid;
  };
  const ofRole = (role: RoleName) =>
    livingOf(dataDir).filter(({ argv }) => argv.includes('serve') && argv.includes(role) && !argv.includes('setpriv'));

  async function killAll(): Promise<void> {
    const all = family(dataDir, child?.pid);
    for (const { pid } of all) kill(pid, 'SIGKILL');
    await ended(all);
  }

  const caudal: Caudal = {
    directory,
    dataDir,
    get url() {
      return admin().url;
    },
    get admin() {
      return admin();
    },
    output: () => output,
    supervisor,
    pid: (role, fits = () => true) =>
      until(`a living ${role} that fits`, () => ofRole(role).find(({ pid }) => fits(pid))?.pid),
    postmaster: () => Number(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]),
    processes: () => family(dataDir, child?.pid).map(({ pid }) => pid),
    killAll,
    async stop() {
      const all = family(dataDir, child?.pid);
      const running = child;
      if (!running) throw new Error('caudal was not started');
      const closed = new Promise<number | null>((resolve) => running.once('close', resolve));
      kill(supervisor(), 'SIGINT');
      const code = await Promise.race([closed, pause(PATIENCE_MS, 'late' as const, { ref: false })]);
      if (code === 'late') throw new Error(`Ctrl-C did not end it:\n${output}`);
      const left = all.filter(({ pid, started }) => isAlive(pid) && startedAt(pid) === started);
      if (left.length > 0) throw new Error(`left running: ${left.map(({ argv }) => argv.join(' ')).join('; ')}`);
      return code;
    },
    start,
    layFault: (point, how = 'kill') => writeFileSync(join(faults, point), how),
    async faultStruck(point) {
      await until(`the fault at ${point}`, () => !existsSync(join(faults, point)) || undefined);
    },
    async command(args, { environment: more = {}, local = true, signal, expect } = {}) {
      const elsewhere: Record<string, string> = local ? {} : { CAUDAL_DATA_DIR: join(directory, 'nowhere') };
      const late = AbortSignal.timeout(PATIENCE_MS);
      const result = await run(
        args,
        environment({ ...elsewhere, ...more }),
        signal ? AbortSignal.any([signal, late]) : late,
      );
      if (expect !== undefined && result.code !== expect) {
        throw new Error(`caudal ${args.join(' ')} ended with ${result.code}:\n${result.stdout}\n${result.stderr}`);
      }
      return result;
    },
  };
  try {
    await before?.(environment());
    await start();
  } catch (error) {
    await killAll();
    throw error;
  }
  return caudal;
}

/** A worker keeps one reader child warm and has one more for each file that it reads. */
export function reads(worker: number): boolean {
  const readers = listProcesses().filter(
    ({ parent, argv }) => parent === worker && argv.some((arg) => /read.child\.ts$/.test(arg)),
  );
  return readers.length > 1;
}

/** Stopped by SIGSTOP. */
export function frozen(pid: number): boolean {
  try {
    return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** SIGKILL to one process; resolves when it is gone. @throws when it lives on */
export async function killHard(pid: number): Promise<void> {
  const left = await endProcesses([pid], [{ signal: 'SIGKILL', wait: 15_000 }]);
  if (left.length > 0) throw new Error(`pid ${pid} outlived SIGKILL`);
}

interface Living {
  pid: number;
  started: string | undefined;
  argv: string[];
  parent: number;
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Processes that carry this data directory in their environment, or work in it (PostgreSQL's). */
function livingOf(dataDir: string): Living[] {
  return listProcesses()
    .filter(({ pid, cwd }) => pid !== process.pid && (cwd.startsWith(`${dataDir}/`) || environmentNames(pid, dataDir)))
    .map(({ pid, argv, parent }) => ({ pid, argv, parent, started: startedAt(pid) }));
}

function environmentNames(pid: number, dataDir: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`CAUDAL_DATA_DIR=${dataDir}`);
  } catch {
    return false;
  }
}

/** Those, the supervisor and all that descend from them: reader and SQL children have a bare environment. */
function family(dataDir: string, supervisor: number | undefined): Living[] {
  const everybody = listProcesses();
  const members = new Map(livingOf(dataDir).map((living) => [living.pid, living]));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, argv } of everybody) {
      if (members.has(pid) || !(members.has(parent) || pid === supervisor)) continue;
      members.set(pid, { pid, parent, argv, started: startedAt(pid) });
      grown = true;
    }
  }
  return [...members.values()];
}

/** @throws when one of them lives on */
async function ended(all: Living[]): Promise<void> {
  const same = all.filter(({ pid, started }) => startedAt(pid) === started).map(({ pid }) => pid);
  const left = await waitForEnd(same, 60_000);
  if (left.length === 0) return;
  await endProcesses(left, [{ signal: 'SIGKILL', wait: 5_000 }]);
  throw new Error(`these outlived a kill of everything: ${left.join(', ')}`);
}

/** `make soak`: the long forms of the fault tests. */
export const SOAK = process.env['CAUDAL_SOAK'] === '1';
