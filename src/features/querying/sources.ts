import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteLiteral } from '#contract/columns.ts';
import { allows, type Principal } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import { type OpenLists, openSourceObjects } from '#platform/lake/list-sources.ts';
import type { ObjectStore } from '#platform/objects/store.ts';

/** Columns of the relation `sources` and their types in SQL; `_source` of a dataset's rows joins to `id`. */
const COLUMNS = {
  id: 'UUID',
  dataset: 'VARCHAR',
  kind: 'VARCHAR',
  file_id: 'UUID',
  filename: 'VARCHAR',
  table_name: 'VARCHAR',
  replay_of: 'UUID',
  task_id: 'UUID',
  trace_id: 'VARCHAR',
  span_id: 'VARCHAR',
  version: 'BIGINT',
  read: 'BIGINT',
  accepted: 'BIGINT',
  quarantined: 'BIGINT',
  duplicates: 'BIGINT',
  loaded_at: 'TIMESTAMP',
} as const;

type SourceRow = Record<keyof typeof COLUMNS, unknown>;

export interface WrittenSources {
  /** Everything that `select_sql` reads. */
  paths: string[];
  select_sql: string;
  remove(): Promise<void>;
}

const PAGE = 10_000;

/**
 * The catalogue's sources as a file for one query, page by page: those of `datasetIds`, or, where the query
 * names no dataset, of all that the principal may read.
 */
export async function writeSources(
  deps: { db: Db; directory: string; objects: Pick<ObjectStore, 'local'> },
  principal: Principal,
  datasetIds: readonly string[],
): Promise<WrittenSources> {
  const path = join(deps.directory, `sources-${newId()}.ndjson`);
  const ids = datasetIds.length > 0 ? datasetIds : await readable(deps.db, principal);
  const file = await open(path, 'wx', 0o600);
  try {
    for (let after: string | null = null; ; ) {
      const page = await pageOf(deps.db, principal, ids, after);
      if (page.length > 0) await file.write(page.map((row) => `${JSON.stringify(row)}\n`).join(''));
      after = page.length === PAGE ? String(page.at(-1)?.id) : null;
      if (after === null) break;
    }
    for (let after: string | null = null; ; ) {
      const list = await nextList(deps.db, ids, after);
      if (!list) break;
      await file.write(list.sources.map((row) => `${JSON.stringify(row)}\n`).join(''));
      after = list.id;
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name}: '${type}'`);
  const lists = await openSourceObjects(deps, ids);
  const parts = [
    `SELECT * FROM read_json(${quoteLiteral(path)}, format = 'newline_delimited', columns = {${columns.join(', ')}})`,
    ...lists.objects.map(objectSql),
  ];
  return {
    paths: [path, ...lists.objects.map((object) => object.path)],
    select_sql: parts.join(' UNION ALL BY NAME '),
    async remove() {
      await Promise.all([rm(path, { force: true }), lists.release()]);
    },
  };
}

/** Batches without quarantined records, as they were folded into an object of their own. */
function objectSql({ select_sql, dataset, kind, topic }: OpenLists['objects'][number]): string {
  const told = { dataset, kind, table_name: topic };
  const texts = Object.entries(told).map(
    ([name, value]) => `${value === null ? 'NULL' : quoteLiteral(value)} AS ${name}`,
  );
  return `SELECT id, trace_id, span_id, version, read, accepted, 0 AS quarantined, duplicates, loaded_at, ${texts.join(', ')}
    FROM (${select_sql})`;
}

/** The sources of one drain, from a list that is still in the catalogue. */
async function nextList(
  db: Db,
  ids: readonly string[],
  after: string | null,
): Promise<{ id: string; sources: SourceRow[] } | undefined> {
  return first(
    db,
    sql<{ id: string; sources: SourceRow[] }>`
      SELECT e.id, (
        SELECT jsonb_agg(jsonb_build_object('id', s->'id', 'dataset', d.name, 'kind', e.kind, 'table_name', e.topic,
          'trace_id', s->'trace_id', 'span_id', s->'span_id', 'version', s->'version', 'read', s->'read',
          'accepted', s->'accepted', 'quarantined', 0, 'duplicates', s->'duplicates', 'loaded_at', s->'loaded_at'))
        FROM jsonb_array_elements(e.list) AS s) AS sources
      FROM event_sources e JOIN datasets d ON d.id = e.dataset_id
      WHERE e.dataset_id = ANY(${ids}::uuid[]) AND e.list IS NOT NULL AND (${after}::uuid IS NULL OR e.id > ${after}::uuid)
      ORDER BY e.id LIMIT 1`,
  );
}

async function readable(db: Db, principal: Principal): Promise<string[]> {
  const found = await rows(
    db,
    sql<{ id: string; name: string }>`
      SELECT id, name FROM datasets WHERE workspace_id = ${principal.workspace_id} AND deleted_at IS NULL`,
  );
  return found.filter(({ name }) => allows(principal.scopes, 'datasets:read', name)).map(({ id }) => id);
}

function pageOf(db: Db, principal: Principal, ids: readonly string[], after: string | null): Promise<SourceRow[]> {
  return rows(
    db,
    sql<SourceRow>`
      SELECT s.id, d.name AS dataset, s.kind, s.file_id, s.filename, s.table_name, s.replay_of, s.task_id, s.trace_id,
             s.span_id, s.version, s.read, s.accepted, s.quarantined, s.duplicates, s.loaded_at
      FROM sources s JOIN datasets d ON d.id = s.dataset_id
      WHERE s.workspace_id = ${principal.workspace_id} AND s.dataset_id = ANY(${ids}::uuid[]) AND s.deleted_at IS NULL
        AND (${after}::uuid IS NULL OR s.id > ${after}::uuid)
      ORDER BY s.id LIMIT ${PAGE}`,
  );
}
