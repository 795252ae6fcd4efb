import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { FileLoad } from '#contract/files.ts';
import type { LoadInput } from '#contract/tasks.ts';
import { type LoadDeps, loadTask, type ReadTables } from '#features/loading/load.handler.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { openSegments } from '#platform/lake/local.ts';
import { relation } from '#platform/lake/view.ts';
import { testDatabase } from './database.ts';
import { newWorkspace } from './lake.ts';
import { directoryObjects, type LakeObjects } from './objects.ts';
import { readSimpleCsv } from './read-tables.ts';
import { type Definitions, testQueue } from './worker.ts';

const LIMITS = {
  memory_bytes: 500e6,
  threads: 1,
  max_columns: 1000,
  max_value_bytes: 1e6,
  max_unpacked_bytes: 1e9,
  max_ratio: 100,
  timeout_ms: 60_000,
};

/** Handlers beside the load's, made of what the room has. */
type Further = (deps: LoadDeps & { objects: LakeObjects }) => Definitions;

/** Database, queue, objects and a worker that loads: everything gone when the test file ends. */
export async function loadingRoom(further: Further = () => ({}), readTables: ReadTables = readSimpleCsv) {
  const root = await mkdtemp(join(tmpdir(), 'caudal-load-'));
  after(() => rm(root, { recursive: true, force: true }));
  const [temp_dir, objectsDir] = [join(root, 'temp'), join(root, 'objects')];
  await mkdir(temp_dir);
  await mkdir(objectsDir);
  const database = await testDatabase();
  const { db } = database;
  const workspace_id = await newWorkspace(db);
  const queue = await testQueue(database);
  const { enqueue, ended } = queue;
  const objects = directoryObjects(objectsDir);
  /** What the next read of a file of this name waits for, or throws. */
  const gates = new Map<string, (signal: AbortSignal) => Promise<void>>();
  const deps: LoadDeps & { objects: LakeObjects } = {
    ...{ db, objects, enqueue, temp_dir, limits: LIMITS },
    read: async (request, callbacks) => {
      await gates.get(request.filename)?.(callbacks.signal);
      return readTables(request, callbacks);
    },
    fetchToFile: async (url, path) => {
      if (url.endsWith('missing'))
        throw fail('download_failed', 'The server answered 404.', { hint: 'Check the URL.' });
      await writeFile(path, 'a,b\n1,x\n');
      return { size: 8, content_type: 'text/csv' };
    },
  };
  await queue.work({ load: async () => loadTask(deps), ...further(deps) });

  const newFile = async (filename: string, text: string | undefined, state = 'stored') => {
    const id = newId();
    const object_key = `files/${workspace_id}/${id}`;
    if (text !== undefined) {
      const path = join(root, id);
      await writeFile(path, text);
      await objects.putFile(object_key, path);
    }
    await sql`INSERT INTO files (id, workspace_id, filename, size, object_key, state, etag)
              VALUES (${id}, ${workspace_id}, ${filename}, ${text?.length ?? 0}, ${object_key}, ${state},
                      ${text === undefined ? null : 'e'})`.execute(db);
    return id;
  };
  const start = (input: LoadInput) =>
    transaction(db, (tx) => enqueue(tx, { workspace_id, kind: 'load', input, created_by: null }));
  const load = async (input: LoadInput) => ended((await start(input)).id);
  const fileOf = async (id: string) => {
    const row = await first(
      db,
      sql<{ state: string; error: { code: string; message: string } | null; loads: FileLoad[] }>`
        SELECT state, error, loads FROM files WHERE id = ${id}`,
    );
    assert.ok(row);
    return row;
  };
  /** The rows of a dataset with their lines, read as a query would. */
  const content = async (name: string, version?: number): Promise<Record<string, unknown>[]> => {
    const dataset = await snapshot(db, { workspace_id, name, ...(version === undefined ? {} : { version }) });
    const local = await openSegments(objects, dataset.segments);
    const instance = await DuckDBInstance.create(':memory:');
    try {
      const connection = await instance.connect();
      const { sql: query } = relation(dataset, local.pathOf, { system: true });
      const reader = await connection.runAndReadAll(`SELECT * EXCLUDE (_source, _loaded_at) FROM (${query})`);
      return reader.getRowObjectsJson();
    } finally {
      instance.closeSync();
      await local.release();
    }
  };
  return {
    ...{ database, db, workspace_id, objects, root, temp_dir, gates, deps, limits: LIMITS },
    ...{ queue, enqueue, ended, newFile, start, load, fileOf, content },
  };
}
