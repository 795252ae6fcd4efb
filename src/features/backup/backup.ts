import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Clock } from '#kernel/clock.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { eachParallel } from '#kernel/parallel.ts';
import { pathOfKey } from '#platform/objects/keys.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { writeMeasured } from './digest.ts';
import {
  type BackupObject,
  type BackupTable,
  FORMAT,
  type Manifest,
  manifestPath,
  objectListPath,
  objectsRoot,
  tablePath,
} from './manifest.ts';
import { catalogueTables, OBJECT_OWNERS, TABLE_RULES } from './tables.ts';

export interface BackupDeps {
  pool: pg.Pool;
  objects: Pick<ObjectStore, 'read'>;
  clock: Clock;
  /** Version of the program, for the manifest. */
  version: string;
  onProgress?: (progress: BackupProgress) => void;
  signal?: AbortSignal;
}

export interface BackupProgress {
  phase: 'catalogue' | 'objects';
  done: number;
  total: number;
  bytes: number;
}

export interface BackupResult {
  made_at: string;
  tables: number;
  rows: number;
  objects: number;
  bytes: number;
  /** Objects that the catalogue lists and the store has lost: to be looked into. */
  missing: string[];
}

/** Snapshots until nothing vanishes while it is copied; what still does is reported as missing. */
const SNAPSHOTS = 3;
const PARALLEL = 4;

/**
 * Copies the installation, while it runs, as it was at one moment: the catalogue by COPY in one
 * REPEATABLE READ transaction, then the objects which that snapshot lists. Those never change; one that
 * a deletion takes away in the meantime makes the whole begin again with a newer snapshot, in which
 * what was copied already is kept.
 *
 * @throws backup_target_not_empty, storage_full by the file system
 */
export async function backup(deps: BackupDeps, { to }: { to: string }): Promise<BackupResult> {
  await claimDirectory(to);
  const have = new Map<string, BackupObject>();
  for (let attempt = 1; ; attempt += 1) {
    const snapshot = await copyCatalogue(deps, to);
    const missing = await copyObjects(deps, to, snapshot.wanted, have);
    if (missing.length > 0 && attempt < SNAPSHOTS) continue;
    return finish(deps, to, snapshot, have, missing);
  }
}

async function claimDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await readdir(directory)).length > 0) {
    throw fail('backup_target_not_empty', `${directory} is not empty.`, { hint: 'Name a new or an empty directory.' });
  }
}

interface Snapshot {
  made_at: string;
  migrations: number[];
  tables: BackupTable[];
  /** Size by key, as the catalogue has it. */
  wanted: Map<string, number>;
}

async function copyCatalogue(deps: BackupDeps, directory: string): Promise<Snapshot> {
  const client = await deps.pool.connect();
  let failed: Error | undefined;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const made_at = deps.clock.now().toISOString();
    const applied = await client.query<{ number: number }>('SELECT number FROM schema_migrations ORDER BY number');
    const tables: BackupTable[] = [];
    const every = await catalogueTables(client);
    for (const { name, columns } of every) {
      deps.signal?.throwIfAborted();
      tables.push({ name, columns, ...(await copyTable(client, name, columns, tablePath(directory, name))) });
      const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
      deps.onProgress?.({ phase: 'catalogue', done: tables.length, total: every.length, bytes });
    }
    const wanted = await objectsOf(client);
    await client.query('COMMIT');
    return { made_at, migrations: applied.rows.map((row) => row.number), tables, wanted };
  } catch (error) {
    failed = error as Error;
    throw error;
  } finally {
    // A connection whose COPY broke off is not given to anybody else.
    client.release(failed);
  }
}

/** Names are ours (the schema's), never a user's. */
async function copyTable(client: pg.PoolClient, name: string, columns: string[], path: string) {
  const keep = TABLE_RULES[name]?.keep ?? 'true';
  const list = columns.map((column) => `"${column}"`).join(', ');
  const copy = client.query(copyTo(`COPY (SELECT ${list} FROM "${name}" WHERE ${keep}) TO STDOUT`));
  const { size, sha256 } = await writeMeasured(copy, path);
  return { rows: copy.rowCount, bytes: size, sha256 };
}

async function objectsOf(client: pg.PoolClient): Promise<Map<string, number>> {
  const wanted = new Map<string, number>();
  for (const { table, size, where } of OBJECT_OWNERS) {
    const { rows } = await client.query<{ key: string; size: number }>(
      `SELECT object_key AS key, "${size}" AS size FROM "${table}" WHERE ${where} ORDER BY object_key`,
    );
    for (const row of rows) wanted.set(row.key, row.size);
  }
  return wanted;
}

/** @returns the keys that are not there, or are not of the size that the catalogue says */
async function copyObjects(
  deps: BackupDeps,
  directory: string,
  wanted: Map<string, number>,
  have: Map<string, BackupObject>,
): Promise<string[]> {
  const keys = [...wanted.keys()].filter((key) => !have.has(key));
  const missing: string[] = [];
  let bytes = 0;
  await eachParallel(keys, PARALLEL, async (key) => {
    deps.signal?.throwIfAborted();
    const object = await copyObject(deps, directory, key, wanted.get(key) ?? -1);
    if (object) have.set(key, object);
    else missing.push(key);
    bytes += object?.size ?? 0;
    deps.onProgress?.({ phase: 'objects', done: have.size + missing.length, total: wanted.size, bytes });
  });
  return missing.sort();
}

async function copyObject(
  { objects }: BackupDeps,
  directory: string,
  key: string,
  size: number,
): Promise<BackupObject | undefined> {
  const path = pathOfKey(objectsRoot(directory), key);
  try {
    const measured = await writeMeasured(await objects.read(key), path);
    if (measured.size === size) return { key, ...measured };
  } catch (error) {
    if (!(error instanceof CaudalError && error.code === 'object_not_found')) throw error;
  }
  await rm(path, { force: true });
  return undefined;
}

async function finish(
  { version }: BackupDeps,
  directory: string,
  { made_at, migrations, tables, wanted }: Snapshot,
  have: Map<string, BackupObject>,
  missing: string[],
): Promise<BackupResult> {
  for (const key of have.keys()) {
    if (wanted.has(key)) continue;
    // An earlier snapshot's: deleted since, and a deletion reaches backups that are being made.
    await rm(pathOfKey(objectsRoot(directory), key), { force: true });
    have.delete(key);
  }
  const listed = [...have.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  const lines = Readable.from(listed.values().map((object) => `${JSON.stringify(object)}\n`));
  const { sha256 } = await writeMeasured(lines, objectListPath(directory));
  const bytes = listed.reduce((sum, object) => sum + object.size, 0);
  const objects = { count: listed.length, bytes, sha256 };
  const manifest: Manifest = { format: FORMAT, program: version, made_at, migrations, tables, objects, missing };
  await writeManifest(directory, manifest);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return { made_at, tables: tables.length, rows, objects: listed.length, bytes, missing };
}

/** Appears at once and last: what has a manifest is whole, also after a power cut. */
async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await syncDirectories(directory);
  const path = manifestPath(directory);
  await writeFile(`${path}.new`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
  await syncDirectory(dirname(directory));
}

async function syncDirectories(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncDirectories(join(directory, entry.name));
  }
  await syncDirectory(directory);
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
