import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import pg from 'pg';
import { traceQueries } from '#platform/observe/postgres.ts';
import { prepareRepeated } from './prepared.ts';

/**
 * The catalogue's database. SQL is written as SQL with Kysely's `sql` template: every `${}` is
 * a parameter. Functions take a `Db`, which is a pool or a transaction alike.
 */
export type Db = Kysely<unknown>;
export type Tx = Transaction<unknown>;
export { sql };

export interface Database {
  db: Db;
  pool: pg.Pool;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Most connections this process may hold. */
  max?: number;
  applicationName: string;
  /** A transaction in which nothing happens for so many ms is undone: its locks must not outlive a frozen process. */
  idleTransactionMs?: number;
  /** Lost connections are no reason to die: they are logged here and made again. */
  onError(error: Error): void;
}

const { types } = pg;
const INT8 = 20;
const NUMERIC = 1700;

/** Counts and sizes stay below 2^53, so bigint comes back as a number. */
const parsers: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (format !== 'binary' && (oid === INT8 || oid === NUMERIC)) return Number;
    return types.getTypeParser(oid, format);
  },
};

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    ...(options.idleTransactionMs ? { idle_in_transaction_session_timeout: options.idleTransactionMs } : {}),
    types: parsers,
  });
  pool.on('error', options.onError);
  pool.on('connect', (client) => {
    client.on('error', options.onError);
  });
  prepareRepeated(pool);
  traceQueries(pool);
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}

/** Runs `work` in one transaction; it is rolled back when `work` throws. */
export function transaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  return db.transaction().execute(work);
}

/** The rows of a `sql` template. */
export async function rows<T>(db: Db, query: ReturnType<typeof sql<T>>): Promise<T[]> {
  const result = await query.execute(db);
  return result.rows;
}

/** The first row, or undefined. */
export async function first<T>(db: Db, query: ReturnType<typeof sql<T>>): Promise<T | undefined> {
  const result = await query.execute(db);
  return result.rows[0];
}

const PASSING = new Set([
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08001',
  '08003',
  '08006',
  '53300',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
]);

/** True for errors that pass by themselves (the database restarts or refuses connections): 503 and retry. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && PASSING.has(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect/.test(error.message);
}

/** PostgreSQL's unique_violation; `constraint` names the index. */
export function uniqueViolation(error: unknown): string | undefined {
  const pgError = error as { code?: string; constraint?: string };
  return pgError?.code === '23505' ? (pgError.constraint ?? '') : undefined;
}
