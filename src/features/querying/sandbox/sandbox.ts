import { CaudalError, fail } from '#kernel/errors.ts';
import type { QueryPlan } from './gate.ts';
import { ask, bodyOf, createGuard, type Guard, type Outcome } from './outcome.ts';
import { createPool, type PooledChild } from './pool.ts';
import type { RunRequest } from './protocol.ts';
import { createSlots, type Slots } from './slots.ts';

export interface SandboxOptions {
  memory_bytes: number;
  /** Threads of one query. */
  threads: number;
  timeout_ms: number;
  /** Longest silence of an export of Caudal's own SQL. */
  export_timeout_ms: number;
  /** Queries at a time, those that may wait for a slot, and for how long. */
  slots: number;
  queue: number;
  queue_ms: number;
  /** Children that wait, started. */
  warm: number;
  /** Existing directory for FIFOs. */
  directory: string;
  onError(error: unknown): void;
}

export interface Sandbox {
  /** Runs a user's query. `prepare` gets the plan and decides what may be seen. */
  query(query: string, options: QueryOptions): Promise<Outcome>;
  /** Runs Caudal's own SQL (`request.sql`) in a child, for results that stream out. */
  export(request: RunRequest, options?: ExportOptions): Promise<Outcome>;
  /** Starts the warm children. */
  warmUp(): void;
  load(): { busy: number; queued: number };
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Children are shared within a workspace only. */
  workspace: string;
  signal?: AbortSignal | undefined;
  prepare(plan: QueryPlan): Promise<Prepared>;
}

export interface Prepared {
  request: RunRequest;
  /** Names the relations; two queries for which it is the same may see the same, but for versions. */
  seen: string;
  /** Called once, when the child needs the files no more. */
  release(): Promise<void>;
}

export interface ExportOptions {
  signal?: AbortSignal | undefined;
  release?(): Promise<void>;
}

/** Processor seconds per second and thread of the time limit, before SIGXCPU. */
const CPU_MARGIN = 2;
const KEPT_MS = 10_000;
/** Children that run SQL of ours are not locked, and are kept apart: no workspace's id looks like this. */
const EXPORTS = 'exports';
const MOST_RUNS = 50;

/**
 * User SQL in disposable children, as measured in docs/architecture.md: limits by prlimit, a DuckDB that may
 * open only the listed segments and whose configuration is locked, a gate on the parsed query, an
 * interrupt at the time limit and SIGKILL a second later.
 */
export function createSandbox(options: SandboxOptions): Sandbox {
  const pool = createPool({
    memory_bytes: options.memory_bytes,
    threads: options.threads,
    cpu_seconds: Math.ceil((options.timeout_ms / 1000) * CPU_MARGIN * options.threads),
    directory: options.directory,
    warm: options.warm,
    kept: options.slots + 1,
    kept_ms: KEPT_MS,
    most_runs: MOST_RUNS,
    onError: options.onError,
  });
  const limits = { queue: options.queue, wait_ms: options.queue_ms };
  const queries = createSlots({ ...limits, count: options.slots });
  // Exports last as long as their reader takes; they must not keep queries out.
  const exports = createSlots({ ...limits, count: options.slots * 2 });

  return {
    query: (text, how) => runQuery(pool, text, how, options.timeout_ms, queries),
    export: (request, how = {}) => runExport(pool, request, how, options.export_timeout_ms, exports),
    warmUp: pool.warmUp,
    load: () => ({ busy: queries.busy + exports.busy, queued: queries.queued + exports.queued }),
    close: pool.close,
  };
}

type Pool = ReturnType<typeof createPool>;

async function runQuery(
  pool: Pool,
  text: string,
  how: QueryOptions,
  timeout_ms: number,
  slots: Slots,
): Promise<Outcome> {
  if (text.includes('\0')) throw fail('sql_syntax', 'The query holds a NUL character.');
  await slots.take(how.signal);
  let use: Use | undefined;
  let prepared: Prepared | undefined;
  try {
    use = begin(await pool.take(how.workspace), timeout_ms, how.signal);
    const plan = await parse(use, text);
    prepared = await how.prepare(plan);
    const { request, seen, release } = prepared;
    if (use.child.seen !== undefined && use.child.seen !== seen) {
      use.leave(how.workspace);
      use = begin(await pool.takeFor(how.workspace, seen), timeout_ms, how.signal);
      await parse(use, text);
    }
    const { child, guard } = use;
    return await run(use, request, text, (whole) => {
      guard.stop();
      if (whole) child.keep(how.workspace, seen);
      else child.end();
      void release();
      slots.give();
    });
  } catch (error) {
    const explained = use ? use.guard.explain(error) : error;
    use?.guard.stop();
    const silent = prepared === undefined || prepared.request.format === 'json';
    if (use && silent && isHarmless(explained)) use.child.keep(how.workspace, prepared?.seen);
    else use?.child.end();
    await prepared?.release();
    slots.give();
    throw explained;
  }
}

/** Refused before or while it was bound: the child is as good as before. */
function isHarmless(error: unknown): boolean {
  return error instanceof CaudalError && error.status < 500 && !HARMFUL.has(error.code);
}
const HARMFUL: ReadonlySet<string> = new Set(['sql_timeout', 'sql_too_greedy']);

async function runExport(
  pool: Pool,
  request: RunRequest,
  { signal, release }: ExportOptions,
  timeout_ms: number,
  slots: Slots,
): Promise<Outcome> {
  let use: Use | undefined;
  let taken = false;
  try {
    await slots.take(signal);
    taken = true;
    use = begin(await pool.take(EXPORTS), timeout_ms, signal);
    const { child, guard } = use;
    if (child.runs === 0) child.session.raiseCpuLimit();
    return await run(use, request, undefined, (whole) => {
      guard.stop();
      if (whole) child.keep(EXPORTS, EXPORTS);
      else child.end();
      void release?.();
      slots.give();
    });
  } catch (error) {
    use?.drop();
    await release?.();
    if (taken) slots.give();
    throw use ? use.guard.explain(error) : error;
  }
}

interface Use {
  child: PooledChild;
  guard: Guard;
  drop(): void;
  /** As it was, for another query of the workspace. */
  leave(workspace: string): void;
}

function begin(child: PooledChild, timeout_ms: number, signal: AbortSignal | undefined): Use {
  const guard = createGuard(child.session, timeout_ms, signal);
  return {
    child,
    guard,
    drop() {
      guard.stop();
      child.end();
    },
    leave(workspace) {
      guard.stop();
      child.keep(workspace, undefined);
    },
  };
}

async function parse({ child, guard }: Use, query: string): Promise<QueryPlan> {
  const answer = await guard.wait(ask(child.session, { type: 'parse', query }, query));
  if (answer.type !== 'parsed') throw new Error(`unexpected ${answer.type} after parse`);
  return answer.plan;
}

async function run(
  { child, guard }: Use,
  request: RunRequest,
  query: string | undefined,
  finish: (whole: boolean) => void,
): Promise<Outcome> {
  const { session } = child;
  const source = request.format === 'json' ? session.bytes : session.openFifo();
  const started = await guard.wait(ask(session, { type: 'run', ...request }, query));
  if (started.type !== 'started') throw new Error(`unexpected ${started.type} after run`);
  return bodyOf({
    session,
    guard,
    format: request.format,
    source,
    started,
    ...(query === undefined ? {} : { query }),
    finish,
  });
}
