import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { LISTED_SOURCE, type ListedSource } from './batch-sources.ts';
import { openSegments } from './local.ts';
import { segmentKey } from './rewrite.ts';

/** One row of `event_sources`: a list in the catalogue, or a Parquet object of many. */
export interface SourceList {
  id: string;
  dataset_id: string;
  kind: 'events' | 'rows';
  topic: string | null;
  sources: number;
  first_source: string;
  last_source: string;
  ended_version: number | null;
  list: ListedSource[] | null;
  object_key: string | null;
  /** Of an object, what is behind this offset counts no longer. */
  until_offset: number | null;
}

export interface FoldTools {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  /** Existing directory for what is being written. */
  temp_dir: string;
}

export interface FoldOptions {
  /** Lists of one subscription that may stay in the catalogue. */
  most_lists: number;
  /** Objects of one subscription below `small_bytes` that may stay apart. */
  most_objects: number;
  small_bytes: number;
}

/** Lists that go into one object: each may hold thousands of sources, and all of them are in memory meanwhile. */
const LISTS_AT_ONCE = 64;

export const FOLD: FoldOptions = { most_lists: 64, most_objects: 16, small_bytes: 16 * 2 ** 20 };

interface Crowd {
  workspace_id: string;
  dataset_id: string;
  subscription_id: string;
  ended_version: number | null;
  lists: number;
  objects: number;
}

/**
 * Folds the lists of many drains into one Parquet object, and small objects into larger ones, so that neither the
 * catalogue nor the number of objects grows with every batch. Sorted by id: one source is found by its row group.
 * @returns how many rows of `event_sources` went into others
 */
export async function foldSourceLists(tools: FoldTools, options: FoldOptions = FOLD): Promise<number> {
  const crowds = await rows(
    tools.db,
    sql<Crowd>`
      SELECT workspace_id, dataset_id, subscription_id, ended_version,
             count(*) FILTER (WHERE list IS NOT NULL) AS lists,
             count(*) FILTER (WHERE object_key IS NOT NULL AND bytes < ${options.small_bytes}) AS objects
      FROM event_sources GROUP BY workspace_id, dataset_id, subscription_id, ended_version`,
  );
  let folded = 0;
  for (const crowd of crowds) {
    const crowded = crowd.objects > options.most_objects;
    if (crowded) folded += await fold(tools, crowd, options.small_bytes);
    for (let left = crowd.lists - (crowded ? LISTS_AT_ONCE : 0); left > options.most_lists; left -= LISTS_AT_ONCE) {
      folded += await fold(tools, crowd, 0);
    }
  }
  return folded;
}

/** The oldest lists, and the objects below a size, as one object. */
async function fold(tools: FoldTools, crowd: Crowd, objectsBelow: number): Promise<number> {
  const { db } = tools;
  const of = sql`subscription_id = ${crowd.subscription_id} AND dataset_id = ${crowd.dataset_id}
        AND ended_version IS NOT DISTINCT FROM ${crowd.ended_version}::bigint`;
  const found = await rows(
    db,
    sql<SourceList & { topic: string | null }>`
      SELECT id, dataset_id, kind, topic, sources, first_source, last_source, ended_version, list, object_key, until_offset
      FROM event_sources
      WHERE ${of} AND (
        id IN (SELECT id FROM event_sources WHERE ${of} AND list IS NOT NULL ORDER BY id LIMIT ${LISTS_AT_ONCE})
        OR (list IS NULL AND bytes < ${objectsBelow}))`,
  );
  const [one] = found;
  if (!one) return 0;
  const directory = await mkdtemp(join(tools.temp_dir, 'sources-'));
  try {
    const path = join(directory, 'sources.parquet');
    const sources = await writeSources(tools, found, directory, path);
    const { size } = await stat(path);
    const id = newId();
    const key = segmentKey(crowd.workspace_id, crowd.dataset_id, id);
    await tools.objects.putFile(key, path);
    return await transaction(db, async (tx) => {
      const gone = await rows(
        tx,
        sql<{ sources: number; first_source: string; last_source: string; first_offset: number; last_offset: number }>`
          DELETE FROM event_sources WHERE id = ANY(${found.map((each) => each.id)}::uuid[])
            AND ended_version IS NOT DISTINCT FROM ${crowd.ended_version}::bigint
          RETURNING sources, first_source, last_source, first_offset, last_offset`,
      );
      const counted = gone.reduce((sum, each) => sum + each.sources, 0);
      if (gone.length !== found.length || counted !== sources)
        throw new Error('sources changed while they were folded');
      const ids = gone.flatMap((each) => [each.first_source, each.last_source]).sort();
      await sql`
        INSERT INTO event_sources (id, workspace_id, dataset_id, subscription_id, kind, topic, sources, first_source,
                                   last_source, first_offset, last_offset, ended_version, object_key, bytes)
        VALUES (${id}, ${crowd.workspace_id}, ${crowd.dataset_id}, ${crowd.subscription_id}, ${one.kind}, ${one.topic},
                ${sources}, ${ids[0]}, ${ids.at(-1)}, ${Math.min(...gone.map((each) => each.first_offset))},
                ${Math.max(...gone.map((each) => each.last_offset))}, ${crowd.ended_version}, ${key}, ${size})`.execute(
        tx,
      );
      return gone.length;
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const COLUMNS = `{${Object.entries(LISTED_SOURCE)
  .map(([name, type]) => `${name}: '${type}'`)
  .join(', ')}}`;

/** SELECT over a list that became an object. */
export function sourceObjectSql(path: string, untilOffset: number | null): string {
  const where = untilOffset === null ? '' : ` WHERE first_offset <= ${Math.trunc(untilOffset)}`;
  return `SELECT * FROM read_parquet(${quoteLiteral(path)})${where}`;
}

/** SELECT over lists that were written as NDJSON. */
function listedSql(path: string): string {
  return `SELECT * FROM read_json(${quoteLiteral(path)}, format = 'newline_delimited', columns = ${COLUMNS})`;
}

async function writeSources(tools: FoldTools, found: SourceList[], directory: string, path: string): Promise<number> {
  const texts = join(directory, 'lists.ndjson');
  const lines = found.flatMap(({ list }) => (list ?? []).map((source) => `${JSON.stringify(source)}\n`));
  await pipeline(Readable.from(lines), createWriteStream(texts));
  const objects = found.flatMap(({ object_key }) => (object_key ? [{ id: object_key, object_key }] : []));
  const local = await openSegments(tools.objects, objects);
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: '256MB',
    temp_directory: directory,
  });
  try {
    const connection = await instance.connect();
    const parts = [listedSql(texts)];
    for (const { object_key, until_offset } of found) {
      if (object_key) parts.push(sourceObjectSql(local.pathOf({ id: object_key }), until_offset));
    }
    const result = await connection.run(
      `COPY (SELECT * FROM (${parts.join(' UNION ALL ')}) ORDER BY id) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    connection.closeSync();
    return result.rowsChanged;
  } finally {
    instance.closeSync();
    await local.release();
  }
}
