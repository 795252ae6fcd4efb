import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Kysely, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Value } from 'typebox/value';
import type { TaskKind } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import { linesOf } from '#kernel/lines.ts';
import { eachParallel } from '#kernel/parallel.ts';
import type { Db } from '#platform/db/db.ts';
import { type Migration, migrate } from '#platform/db/migrate.ts';
import { isObjectKey, pathOfKey } from '#platform/objects/keys.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { measure, verified, verifyFile } from './digest.ts';
import {
  BackupObject,
  type BackupTable,
  type Manifest,
  objectListPath,
  objectsRoot,
  readManifest,
  tablePath,
} from './manifest.ts';
import { occupiedTables } from './tables.ts';

export interface RestoreDeps {
  pool: pg.Pool;
  objects: Pick<ObjectStore, 'put' | 'list'>;
  /** All that this program has. */
  migrations: Migration[];
  /** Puts a task's delivery into the queue, in the given transaction (`queue.send`); the queue's schema is there already. */
  deliver(tx: Db, kind: TaskKind, taskId: string, workspaceId: string): Promise<void>;
  onProgress?: (progress: RestoreProgress) => void;
  signal?: AbortSignal;
}

export interface RestoreProgress {
  phase: 'objects' | 'catalogue';
  done: number;
  total: number;
  bytes: number;
}

export interface RestoreResult {
  /** When the backup was made, and by which program. */
  made_at: string;
  program: string;
  tables: number;
  rows: number;
  objects: number;
  bytes: number;
  /** Unfinished tasks that were put back into the queue. */
  tasks: number;
  /** Objects that were lost before the backup already. */
  missing: string[];
}

const PARALLEL = 4;

/**
 * Puts a backup into an empty database and object store. Everything is checked against its sha-256
 * before it counts; the catalogue comes last and in one transaction, so what breaks off leaves an empty
 * installation and perhaps objects of this backup, which a second try takes over.
 *
 * @throws backup_damaged, backup_too_new, restore_target_not_empty
 */
export async function restore(deps: RestoreDeps, { from }: { from: string }): Promise<RestoreResult> {
  const manifest = await readManifest(from);
  const ours = migrationsOf(deps, manifest);
  await verifyCatalogue(from, manifest);
  const listed = await readObjectList(from, manifest);
  await refuseOccupied(deps, manifest, listed);
  await migrate(deps.pool, ours);
  await putObjects(deps, from, listed);
  const tasks = await fillCatalogue(deps, from, manifest);
  await migrate(deps.pool, deps.migrations);
  return {
    made_at: manifest.made_at,
    program: manifest.program,
    tables: manifest.tables.length,
    rows: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
    objects: manifest.objects.count,
    bytes: manifest.objects.bytes,
    tasks,
    missing: manifest.missing,
  };
}

/** The backup's rows go into its own schema; the migrations made since then run after. */
function migrationsOf({ migrations }: RestoreDeps, manifest: Manifest): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.number, migration]));
  return manifest.migrations.map((number) => {
    const migration = known.get(number);
    if (migration) return migration;
    throw fail('backup_too_new', `The backup has schema ${number}, which this program does not know.`, {
      hint: `It was made by Caudal ${manifest.program}: restore with that version or a later one.`,
    });
  });
}

async function verifyCatalogue(directory: string, { tables }: Manifest): Promise<void> {
  for (const { name, bytes, sha256 } of tables) await verifyFile(tablePath(directory, name), { size: bytes, sha256 });
}

async function readObjectList(directory: string, { objects }: Manifest): Promise<Map<string, BackupObject>> {
  const path = objectListPath(directory);
  const measured = measure();
  const source = createReadStream(path);
  source.on('error', (error) => measured.stream.destroy(error));
  const listed = new Map<string, BackupObject>();
  const damaged = (cause?: unknown) => fail('backup_damaged', `${path} is not what the backup wrote.`, { cause });
  try {
    for await (const line of linesOf(source.pipe(measured.stream))) {
      const object: unknown = JSON.parse(line);
      if (!Value.Check(BackupObject, object) || !isObjectKey(object.key)) throw damaged();
      listed.set(object.key, object);
    }
  } catch (cause) {
    throw damaged(cause);
  }
  if (measured.result().sha256 !== objects.sha256 || listed.size !== objects.count) throw damaged();
  return listed;
}

async function refuseOccupied(
  { pool, objects }: RestoreDeps,
  manifest: Manifest,
  listed: Map<string, BackupObject>,
): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ there: boolean }>(
      `SELECT to_regclass('schema_migrations') IS NOT NULL AS there`,
    );
    if (rows[0]?.there) {
      const applied = await client.query<{ number: number }>('SELECT number FROM schema_migrations');
      const beyond = applied.rows.find(({ number }) => !manifest.migrations.includes(number));
      if (beyond) {
        throw notEmpty(`The database has schema ${beyond.number} already, which is newer than the backup's.`);
      }
      await refuseRows(client);
    }
  } finally {
    client.release();
  }
  for await (const { key } of objects.list('')) {
    if (!listed.has(key)) throw notEmpty(`The object store holds ${key}, which is not part of the backup.`);
  }
}

async function refuseRows(client: pg.ClientBase): Promise<void> {
  const occupied = await occupiedTables(client);
  if (occupied.length > 0) throw notEmpty(`The database holds rows already: ${occupied.join(', ')}.`);
}

function notEmpty(detail: string) {
  return fail('restore_target_not_empty', detail, {
    hint: 'Restore into a new data directory, before the first start.',
  });
}

async function putObjects(deps: RestoreDeps, directory: string, listed: Map<string, BackupObject>): Promise<void> {
  let done = 0;
  let bytes = 0;
  await eachParallel(listed.values(), PARALLEL, async ({ key, size, sha256 }) => {
    deps.signal?.throwIfAborted();
    await deps.objects.put(key, verified(pathOfKey(objectsRoot(directory), key), { size, sha256 }));
    done += 1;
    bytes += size;
    deps.onProgress?.({ phase: 'objects', done, total: listed.size, bytes });
  });
}

/** @returns how many tasks were put back into the queue */
async function fillCatalogue(deps: RestoreDeps, directory: string, { tables }: Manifest): Promise<number> {
  const client = await deps.pool.connect();
  let failed: Error | undefined;
  try {
    await client.query('BEGIN');
    // Nobody else may write between the look and the rows.
    await client.query(`LOCK TABLE ${tables.map(({ name }) => `"${name}"`).join(', ')} IN EXCLUSIVE MODE`);
    await refuseRows(client);
    let bytes = 0;
    for (const [index, table] of tables.entries()) {
      deps.signal?.throwIfAborted();
      await fillTable(client, table, tablePath(directory, table.name));
      bytes += table.bytes;
      deps.onProgress?.({ phase: 'catalogue', done: index + 1, total: tables.length, bytes });
    }
    await advanceSequences(client);
    const tasks = await requeueTasks(client, deps);
    await client.query('COMMIT');
    return tasks;
  } catch (error) {
    failed = error as Error;
    throw error;
  } finally {
    client.release(failed);
  }
}

async function fillTable(client: pg.PoolClient, table: BackupTable, path: string): Promise<void> {
  const columns = table.columns.map((column) => `"${column.replaceAll('"', '""')}"`).join(', ');
  const copy = client.query(copyFrom(`COPY "${table.name}" (${columns}) FROM STDIN`));
  await pipeline(verified(path, { size: table.bytes, sha256: table.sha256 }), copy);
  if (copy.rowCount !== table.rows) {
    throw fail('backup_damaged', `${table.name} has ${copy.rowCount} rows, the manifest says ${table.rows}.`);
  }
}

/** COPY writes identity columns as they were; their sequences must go on after the highest. */
async function advanceSequences(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ table: string; column: string; sequence: string }>(
    `SELECT c.relname AS table, a.attname AS column, pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS sequence
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
       AND NOT a.attisdropped AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL`,
  );
  for (const { table, column, sequence } of rows) {
    await client.query(`SELECT setval($1::regclass, coalesce(max("${column}"), 0) + 1, false) FROM "${table}"`, [
      sequence,
    ]);
  }
}

/** What was queued or running starts again; its fence keeps rising, so no run is counted twice. */
async function requeueTasks(client: pg.PoolClient, { deliver }: RestoreDeps): Promise<number> {
  const { rows } = await client.query<{ id: string; kind: TaskKind; workspace_id: string }>(
    `UPDATE tasks SET status = 'queued', instance_id = NULL, updated_at = now()
     WHERE status IN ('queued', 'running') RETURNING id, kind, workspace_id`,
  );
  const tx = over(client);
  for (const { id, kind, workspace_id } of rows.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    await deliver(tx, kind, id, workspace_id);
  }
  return rows.length;
}

/** Kysely on the very connection that holds the transaction, for functions that take a `Db`. */
function over(client: pg.PoolClient): Db {
  const borrowed = {
    query: client.query.bind(client),
    release: () => undefined,
  } as unknown as pg.PoolClient;
  return new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: { connect: async () => borrowed, end: async () => undefined, options: {} } }),
  });
}
