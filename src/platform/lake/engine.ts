import { availableParallelism } from 'node:os';
import { type DuckDBConnection, DuckDBInstance, type DuckDBResultReader, type DuckDBValue } from '@duckdb/node-api';
import { fail } from '#kernel/errors.ts';

export interface EngineOptions {
  /** e.g. "512MB". Spills to `temp_directory` when there is one. */
  memory_limit: string;
  /** Default: all cores. */
  threads?: number;
  temp_directory?: string;
  /**
   * Queries at a time; more wait. Each holds a thread of libuv's pool (4 unless UV_THREADPOOL_SIZE says
   * otherwise), which files and password hashing need as well. Default 2.
   */
  slots?: number;
}

export interface QueryOptions {
  /** Interrupts the query. */
  signal?: AbortSignal;
  /** Interrupts after this many ms (default 30,000). @throws sql_timeout */
  timeout_ms?: number;
}

/**
 * DuckDB in this process, for SQL that Caudal itself writes over its own segments; user SQL runs in
 * the sandbox. Values of users come in as parameters, names through `quoteIdentifier`.
 */
export interface Engine {
  /**
   * Runs one statement and reads its whole result.
   * @throws sql_timeout, sql_too_greedy, or DuckDB's own error (a fault of ours)
   */
  query(sql: string, parameters?: DuckDBValue[], options?: QueryOptions): Promise<DuckDBResultReader>;
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const KEPT_CONNECTIONS = 8;
const INTERRUPT_AGAIN_MS = 20;

/** Opens no file and loads no native memory before the first query. */
export function createEngine(options: EngineOptions): Engine {
  const slots = createSlots(options.slots ?? 2);
  let opened: Promise<Opened> | undefined;
  let closed = false;

  async function query(sql: string, parameters: DuckDBValue[] = [], how: QueryOptions = {}) {
    if (closed) throw fail('not_ready', 'The process is stopping.');
    await slots.take(how.signal);
    try {
      opened ??= open(options);
      const current = await opened;
      try {
        return await runOn(current, sql, parameters, how);
      } catch (error) {
        if (isInvalidated(error)) opened = undefined;
        throw error;
      }
    } finally {
      slots.give();
    }
  }

  return {
    query,
    async close() {
      closed = true;
      const current = await opened?.catch(() => undefined);
      await slots.idle();
      current?.close();
    },
  };
}

interface Opened {
  take(): Promise<DuckDBConnection>;
  give(connection: DuckDBConnection): void;
  close(): void;
}

async function open(options: EngineOptions): Promise<Opened> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads ?? availableParallelism()),
    memory_limit: options.memory_limit,
    temp_directory: options.temp_directory ?? '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  });
  const first = await instance.connect();
  await first.run("SET GLOBAL TimeZone = 'UTC'");
  const idle: DuckDBConnection[] = [first];
  return {
    take: async () => idle.pop() ?? instance.connect(),
    give(connection) {
      if (idle.length < KEPT_CONNECTIONS) idle.push(connection);
      else connection.closeSync();
    },
    close() {
      for (const connection of idle.splice(0)) connection.closeSync();
      instance.closeSync();
    },
  };
}

async function runOn(
  opened: Opened,
  sql: string,
  parameters: DuckDBValue[],
  { signal, timeout_ms = DEFAULT_TIMEOUT_MS }: QueryOptions,
): Promise<DuckDBResultReader> {
  const connection = await opened.take();
  let late = false;
  let again: NodeJS.Timeout | undefined;
  // An interrupt that comes before the query has begun is lost, so it is repeated.
  const interrupt = (): void => {
    connection.interrupt();
    again ??= setInterval(() => connection.interrupt(), INTERRUPT_AGAIN_MS);
  };
  const timer = setTimeout(() => {
    late = true;
    interrupt();
  }, timeout_ms);
  signal?.addEventListener('abort', interrupt, { once: true });
  try {
    signal?.throwIfAborted();
    return await connection.runAndReadAll(sql, parameters);
  } catch (error) {
    signal?.throwIfAborted();
    if (late) throw fail('sql_timeout', `The query took longer than ${timeout_ms / 1000} s.`, { cause: error });
    if (/^Out of Memory Error/.test((error as Error).message)) {
      throw fail('sql_too_greedy', 'The query needs more memory than it may use.', { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(timer);
    clearInterval(again);
    signal?.removeEventListener('abort', interrupt);
    opened.give(connection);
  }
}

/** A fatal error leaves the whole instance unusable: the next query opens another. */
function isInvalidated(error: unknown): boolean {
  return /database has been invalidated|^FATAL Error/.test((error as Error).message ?? '');
}

interface Slots {
  take(signal?: AbortSignal): Promise<void>;
  give(): void;
  idle(): Promise<void>;
}

function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const whenIdle: (() => void)[] = [];
  return {
    async take(signal) {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next) return next();
      free += 1;
      if (free === count) for (const resolve of whenIdle.splice(0)) resolve();
    },
    async idle() {
      if (free < count) await new Promise<void>((resolve) => whenIdle.push(resolve));
    },
  };
}
