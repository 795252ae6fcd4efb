import { quoteLiteral } from '#contract/columns.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { ListedSource } from './batch-sources.ts';
import type { Engine } from './engine.ts';
import { openSegments } from './local.ts';
import { type SourceList, sourceObjectSql } from './source-lists.ts';

export interface ListTools {
  db: Db;
  objects: Pick<ObjectStore, 'local'>;
  engine: Pick<Engine, 'query'>;
}

/** A batch as a source, with what its list says of all of them. */
export interface FoundSource extends ListedSource {
  kind: 'events' | 'rows';
  topic: string | null;
  ended_version: number | null;
}

export interface SourcePage {
  /** Ids below this one. */
  after: string | null;
  /** This one only. */
  id: string | null;
  limit: number;
}

/**
 * Batches of a dataset that have no row in `sources`, newest first. Lists are opened from the newest on, only as
 * many as can hold what is asked for: their ranges of ids hardly overlap.
 */
export async function listBatchSources(tools: ListTools, datasetId: string, page: SourcePage): Promise<FoundSource[]> {
  const found: FoundSource[] = [];
  const opened: string[] = [];
  for (;;) {
    const least = found.length >= page.limit ? (found[page.limit - 1]?.id ?? null) : null;
    const next = await nextLists(tools.db, datasetId, page, opened, least as string | null);
    if (next.length === 0) return found.slice(0, page.limit);
    for (const list of next) {
      opened.push(list.id);
      const { kind, topic, ended_version } = list;
      const sources = list.list ? chosen(list.list, page) : await fromObject(tools, list, page);
      found.push(...sources.map((source) => ({ ...source, kind, topic, ended_version })));
    }
    found.sort((a, b) => (String(a.id) < String(b.id) ? 1 : -1));
  }
}

const LISTS_AT_A_TIME = 8;

function nextLists(
  db: Db,
  datasetId: string,
  { after, id }: SourcePage,
  opened: string[],
  least: string | null,
): Promise<SourceList[]> {
  return rows(
    db,
    sql<SourceList>`
      SELECT id, dataset_id, kind, topic, sources, first_source, last_source, ended_version, list, object_key, until_offset
      FROM event_sources
      WHERE dataset_id = ${datasetId} AND id <> ALL(${opened}::uuid[])
        AND (${after}::uuid IS NULL OR first_source < ${after}::uuid)
        AND (${id}::uuid IS NULL OR ${id}::uuid BETWEEN first_source AND last_source)
        AND (${least}::uuid IS NULL OR last_source > ${least}::uuid)
      ORDER BY last_source DESC LIMIT ${LISTS_AT_A_TIME}`,
  );
}

function chosen(list: ListedSource[], { after, id }: SourcePage): ListedSource[] {
  return list.filter((source) => (id === null || source.id === id) && (after === null || String(source.id) < after));
}

async function fromObject(tools: ListTools, list: SourceList, page: SourcePage): Promise<ListedSource[]> {
  const object = { id: list.id, object_key: list.object_key ?? '' };
  const local = await openSegments(tools.objects, [object]);
  try {
    const conditions = ['true'];
    if (page.id !== null) conditions.push(`id = ${quoteLiteral(page.id)}::UUID`);
    if (page.after !== null) conditions.push(`id < ${quoteLiteral(page.after)}::UUID`);
    const reader = await tools.engine.query(
      `SELECT * REPLACE (strftime(loaded_at, '%Y-%m-%dT%H:%M:%S.%gZ') AS loaded_at)
       FROM (${sourceObjectSql(local.pathOf(object), list.until_offset)}) WHERE ${conditions.join(' AND ')}
       ORDER BY id DESC LIMIT ${Math.trunc(page.limit)}`,
    );
    return reader
      .getRowObjectsJson()
      .map(
        (row) =>
          Object.fromEntries(
            Object.entries(row).map(([name, value]) => [name, NUMBERS.has(name) ? Number(value) : value]),
          ) as ListedSource,
      );
  } finally {
    await local.release();
  }
}

const NUMBERS = new Set(['first_offset', 'last_offset', 'version', 'read', 'accepted', 'duplicates']);

export interface OpenLists {
  /** For every list that is an object: its file, what of it counts, and the dataset's name. */
  objects: { path: string; select_sql: string; dataset: string; kind: string; topic: string | null }[];
  release(): Promise<void>;
}

/** The Parquet objects of some datasets' sources, for SQL over all of them. */
export async function openSourceObjects(
  { db, objects }: Pick<ListTools, 'db' | 'objects'>,
  datasetIds: readonly string[],
): Promise<OpenLists> {
  const found = await rows(
    db,
    sql<{
      id: string;
      object_key: string;
      until_offset: number | null;
      dataset: string;
      kind: string;
      topic: string | null;
    }>`
      SELECT e.id, e.object_key, e.until_offset, d.name AS dataset, e.kind, e.topic
      FROM event_sources e JOIN datasets d ON d.id = e.dataset_id
      WHERE e.dataset_id = ANY(${[...datasetIds]}::uuid[]) AND e.object_key IS NOT NULL
      ORDER BY e.id`,
  );
  const local = await openSegments(objects, found);
  return {
    objects: found.map(({ id, until_offset, dataset, kind, topic }) => {
      const path = local.pathOf({ id });
      return { path, select_sql: sourceObjectSql(path, until_offset), dataset, kind, topic };
    }),
    release: local.release,
  };
}
