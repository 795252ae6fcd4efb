import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteIdentifier, quoteLiteral } from '#contract/duckdb.ts';
import type { RunRequest } from './protocol.ts';

export interface Opened {
  instance: DuckDBInstance;
  connection: DuckDBConnection;
}

/** An in-memory DuckDB that loads no extension, keeps no secret and spills nowhere. */
export async function openEngine(threads: string, memory: string): Promise<Opened> {
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
  // Segments never change, and one query opens each of them more than once.
  await connection.run('SET GLOBAL parquet_metadata_cache = true');
  return { instance, connection };
}

/**
 * Only what the request lists can be opened from here on, and no setting changes any more. All in one call, in this
 * order: each would cost its way to DuckDB's thread and back.
 */
export async function lock(connection: DuckDBConnection, request: RunRequest, fifos: readonly string[]): Promise<void> {
  const paths = [...request.paths, ...fifos].map(quoteLiteral).join(', ');
  const schemas = new Set(request.views.map(({ schema }) => schema).filter((schema) => schema !== 'main'));
  const statements = [
    `SET allowed_paths = [${paths}]`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`),
    ...request.views.map(
      ({ schema, name, sql }) => `CREATE VIEW ${quoteIdentifier(schema)}.${quoteIdentifier(name)} AS ${sql}`,
    ),
  ];
  await connection.run(statements.join(';\n'));
}
