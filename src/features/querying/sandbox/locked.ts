import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteIdentifier, quoteLiteral } from '#contract/duckdb.ts';
import type { RunRequest } from './protocol.ts';

export interface EngineOptions {
  threads: string;
  /** DuckDB's `memory_limit`. */
  memory: string;
  /** May be opened besides what a request lists. */
  fifos: readonly string[];
}

/** An in-memory DuckDB that is locked to what its first request lists, and makes way for another when that changes. */
export interface LockedEngine {
  readonly connection: DuckDBConnection;
  /** While one makes way for another there is nothing to interrupt. */
  readonly opening: boolean;
  /**
   * Locks the engine where it is not, and makes the request's views.
   * @returns whether it lists other places than the request before, as those of telemetry do each time
   */
  show(request: Shown): Promise<boolean>;
  /** What is locked to some places can open no others: an engine that has seen none takes its place. */
  reopen(): Promise<void>;
  close(): void;
}

type Shown = Pick<RunRequest, 'directories' | 'paths' | 'views'>;

export async function openLockedEngine(options: EngineOptions): Promise<LockedEngine> {
  let { instance, connection } = await open(options);
  let opening = false;
  let locked = false;
  let places: string | undefined;
  let views = '';

  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  const reopen = async (): Promise<void> => {
    opening = true;
    close();
    ({ instance, connection } = await open(options));
    opening = false;
    locked = false;
    views = '';
  };
  return {
    get connection() {
      return connection;
    },
    get opening() {
      return opening;
    },
    async show(request) {
      const before = places;
      places = JSON.stringify([request.directories, request.paths]);
      const moved = before !== undefined && before !== places;
      if (locked && moved) await reopen();
      // Few calls: each costs its way to DuckDB's thread and back.
      if (!locked) await connection.run(lockSql(request, options.fifos).join(';\n'));
      locked = true;
      const wanted = viewsSql(request).join(';\n');
      if (wanted !== views) await connection.run(wanted);
      views = wanted;
      return moved;
    },
    reopen,
    close,
  };
}

/** Loads no extension, keeps no secret and spills nowhere. */
async function open({ threads, memory }: EngineOptions) {
  const instance = await DuckDBInstance.create(':memory:', {
    threads,
    memory_limit: memory,
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
    errors_as_json: 'true',
  });
  const connection = await instance.connect();
  // Segments never change, and queries open each of them more than once.
  await connection.run('SET GLOBAL parquet_metadata_cache = true');
  return { instance, connection };
}

/** Only what the request lists can be opened from here on, and no setting changes any more. */
function lockSql({ directories, paths }: Shown, fifos: readonly string[]): string[] {
  const list = (of: readonly string[]) => `[${of.map(quoteLiteral).join(', ')}]`;
  return [
    `SET allowed_directories = ${list(directories)}`,
    `SET allowed_paths = ${list([...paths, ...fifos])}`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ];
}

/** The relations of a request, in place of those that were called so before. */
function viewsSql({ views }: Shown): string[] {
  const schemas = new Set(views.map(({ schema }) => schema).filter((schema) => schema !== 'main'));
  return [
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`),
    ...views.map(
      ({ schema, name, sql }) => `CREATE OR REPLACE VIEW ${quoteIdentifier(schema)}.${quoteIdentifier(name)} AS ${sql}`,
    ),
  ];
}
