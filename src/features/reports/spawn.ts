import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type CaudalError, fail, invalid } from '#kernel/errors.ts';
import type { FromReportChild, ReportQuestion, ToReportChild } from './report-plan.ts';

export type ReportDone = Extract<FromReportChild, { type: 'done' }>;

export interface RunningReport {
  /** The workbook's bytes; ends only when it is whole, otherwise it is destroyed with an error. */
  body: Readable;
  /** Settles with the body. */
  done: Promise<ReportDone>;
}

export interface MakeOptions {
  signal: AbortSignal;
  /** Existing directory for what does not fit into memory. */
  tempDir: string;
  onProgress?(rows: number, all: number): void;
}

/** How a plan becomes a workbook; what the engine needs is added here. */
export type MakeReport = (plan: ReportQuestion, options: MakeOptions) => Promise<RunningReport>;

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** Groups, of which there may be 100,000; rows never enter the heap. */
const HEAP_MB = 192;
/** A generation of 16 MB, the default, only keeps buffers that were read long ago. */
const YOUNG_MB = 2;

/**
 * Starts a process for one workbook and waits for its first bytes: what is wrong with the question is thrown here, before
 * anything was answered. @throws invalid_input, sql_too_greedy; the signal's reason
 */
export const makeInChild: MakeReport = async (plan, { signal, tempDir, onProgress }) => {
  signal.throwIfAborted();
  const directory = await mkdtemp(join(tempDir, 'report-'));
  const pipe = join(directory, 'rows');
  const child = start(pipe);
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  const done = outcome(child, onProgress);
  done.catch(() => undefined);
  const message: ToReportChild = {
    type: 'make',
    plan: { ...plan, pipe, engine: { temp_directory: join(directory, 'spill') } },
  };
  child.send(message, () => undefined);
  const settle = async (): Promise<void> => {
    signal.removeEventListener('abort', kill);
    kill();
    await rm(directory, { recursive: true, force: true });
  };
  const source = child.stdio[3] as Readable;
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = chunks.next();
  const first = await Promise.race([next, done.then(() => next)]).catch(async (error: unknown) => {
    await settle();
    throw signal.aborted ? signal.reason : error;
  });
  async function* all(): AsyncGenerator<Buffer> {
    try {
      for (let chunk = first; !chunk.done; chunk = await chunks.next()) yield chunk.value;
      await done;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      await settle();
    }
  }
  const body = Readable.from(all(), { objectMode: false });
  // One that is destroyed before it was read never enters the generator.
  body.once('close', () => void settle());
  return { body, done };
};

function start(pipe: string): ChildProcess {
  const heap = [`--max-old-space-size=${HEAP_MB}`, `--max-semi-space-size=${YOUNG_MB}`];
  const command = [process.execPath, ...heap, '--disable-warning=ExperimentalWarning', CHILD];
  return spawn('/bin/sh', ['-c', 'mkfifo -m 600 "$0" && exec "$@"', pipe, ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...{ PATH: process.env['PATH'] ?? '', TZ: 'UTC', LANG: 'C.UTF-8' },
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      // An arena for each thread keeps what it once held.
      MALLOC_ARENA_MAX: '1',
    },
    serialization: 'json',
  });
}

function outcome(child: ChildProcess, onProgress: MakeOptions['onProgress']): Promise<ReportDone> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-8192);
  });
  return new Promise((resolve, reject) => {
    child.on('message', (message: FromReportChild) => {
      if (message.type === 'done') resolve(message);
      else if (message.type === 'failed') reject(errorOf(message));
      else onProgress?.(message.rows, message.all);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const cause = new Error(`the report's process ended (${signal ?? `exit ${code}`}): ${stderr}`);
      reject(fail('internal', 'The report could not be made; the log holds the cause.', { cause }));
    });
  });
}

function errorOf({ code, message, field }: Extract<FromReportChild, { type: 'failed' }>): CaudalError {
  if (code === 'invalid_input') return invalid(field ?? 'where', message);
  if (code === 'sql_too_greedy') {
    return fail('sql_too_greedy', message, { hint: 'Select fewer columns, filter, or give a limit.' });
  }
  return fail('internal', 'The report could not be made; the log holds the cause.', { cause: new Error(message) });
}
