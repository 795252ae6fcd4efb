import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Accounting } from '#contract/accounting.ts';
import { quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import { snapshot } from './catalog.ts';
import type { DatasetKey } from './dataset-rows.ts';
import type { Deletes } from './deletes.ts';
import { keyHashSql } from './key-hash.ts';
import { type KeyChange, type KeyFile, keyOwners } from './keys.ts';
import { openSegments } from './local.ts';
import { collectProfile } from './profile.ts';
import { type RewriteTools, type WithoutSources, withoutSources } from './rewrite.ts';
import { foldName } from './schema.ts';
import type { DatasetSnapshot, SegmentRef } from './snapshot.ts';
import { exceptRows, ROW_COLUMN, relation, SEGMENT_COLUMN } from './view.ts';

/** Rows that are about to be committed, in Parquet files on local disk that hold `_source`. */
export interface KeyedTable {
  columns: readonly { name: string; type: string }[];
  segments: KeyedSegment[];
  accounting: Accounting;
}

export interface KeyedSegment {
  path: string;
  rows: number;
  bytes: number;
  first_line: number | null;
  profile: unknown;
}

export interface SettleRequest<T extends KeyedTable> {
  workspace_id: string;
  dataset_id: string;
  key: DatasetKey;
  /** In the order in which their rows stand. */
  tables: readonly T[];
  /** Sources whose rows end with the same commit, or all rows there are: their keys are free. */
  ends?: readonly string[] | 'all';
  /** Under whose name the keys are kept, where it is not the row's own source: a source that the segments name. */
  owner?: string;
  /** Sources that took keys for records of which not all became rows: theirs are given out anew. */
  frees?: readonly string[];
  /** Existing directory for what is written; kept until the commit is done. */
  out_dir: string;
}

export interface SettledKeys<T extends KeyedTable> {
  /** Without the rows that lost; those count as duplicates. */
  tables: T[];
  /** Rows that lost, by their source. */
  duplicates: Map<string, number>;
  keys: KeyChange;
  /** What takes the older rows, and those of `ends`, out of the dataset. */
  removal: WithoutSources & { deletes: Deletes };
}

/**
 * Decides which of the rows stay, by their keys. `reject`: the first row of a key stays, a row of the dataset
 * before all new ones; a key that is taken by the row's own source is its own (an acknowledged row took it).
 * `replace`: the last row of a key stays, and the older row of the dataset goes. Rows without a key all stay.
 *
 * Reads keys and segments at one moment and holds nothing afterwards: the commit refuses (dataset_busy) when one
 * of them has changed, and the caller settles again.
 */
export async function settleKeys<T extends KeyedTable>(
  db: Db,
  tools: RewriteTools,
  request: SettleRequest<T>,
): Promise<SettledKeys<T>> {
  const directory = await mkdtemp(join(tools.temp_dir, 'keys-'));
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(tools.threads),
    memory_limit: `${Math.floor(tools.memory_bytes / 1e6)}MB`,
    temp_directory: join(directory, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  try {
    const settling: Settling<T> = { connection: await instance.connect(), second: await instance.connect(), request };
    const dataset = await compareKeys(db, settling);
    const tables = await withoutLosers(settling);
    const duplicates = await duplicatesOf(settling);
    const keys = await keyChange(settling);
    const removal = await removalOf(tools, settling, dataset, keys.passed.count);
    return { tables, duplicates, keys, removal };
  } finally {
    instance.closeSync();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Settling<T extends KeyedTable> {
  connection: DuckDBConnection;
  /** Reads a long result while the first writes. */
  second: DuckDBConnection;
  request: SettleRequest<T>;
}

/** A row's place among all that are new: its segment's ordinal, then its position. */
const PLACE = `(segment * 1099511627776 + position)`;

/**
 * Tables `incoming` (place, hash, source), `owners` (hash, source: who has the key in the dataset) and `losers`
 * (place). Keys and segments are read in one snapshot of the catalogue.
 */
async function compareKeys<T extends KeyedTable>(db: Db, settling: Settling<T>): Promise<DatasetSnapshot> {
  const { connection, request } = settling;
  const { workspace_id, dataset_id: id } = request;
  const dataset = await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const found = await snapshot(tx, { workspace_id, id });
      await readIncoming(settling, found);
      await connection.run('CREATE TABLE owners (hash UUID, source UUID)');
      if (request.ends !== 'all') await readOwners(tx, settling);
      return found;
    });
  await connection.run(
    request.key.on_conflict === 'reject'
      ? `CREATE TABLE judged AS SELECT i.*, o.source IS NOT NULL AS owned, coalesce(o.source <> i.source, false) AS beaten
           FROM incoming i LEFT JOIN owners o USING (hash);
         CREATE TABLE repeated AS SELECT hash, min(place) AS winner FROM judged WHERE NOT beaten GROUP BY hash HAVING count(*) > 1`
      : `CREATE VIEW judged AS SELECT *, false AS owned, false AS beaten FROM incoming;
         CREATE TABLE repeated AS SELECT hash, max(place) AS winner FROM incoming GROUP BY hash HAVING count(*) > 1`,
  );
  await connection.run(
    `CREATE TABLE losers AS
       SELECT place FROM judged WHERE beaten
       UNION ALL SELECT place FROM judged JOIN repeated USING (hash) WHERE NOT beaten AND place <> winner`,
  );
  return dataset;
}

async function readIncoming<T extends KeyedTable>(
  { connection, request }: Settling<T>,
  dataset: DatasetSnapshot,
): Promise<void> {
  const typeOf = new Map(dataset.columns.map(({ name, type }) => [name, type]));
  const selects = request.tables.flatMap((table) => {
    const physical = new Map(table.columns.map(({ name }) => [foldName(name), name]));
    const columns = request.key.columns.map((name) => {
      const found = physical.get(foldName(name));
      return { sql: found === undefined ? 'NULL' : quoteIdentifier(found), type: typeOf.get(name) ?? 'text' };
    });
    return table.segments.map(
      ({ path }) => `${keyHashSql(columns)} AS hash, CAST("_source" AS UUID) AS source, file_row_number AS position
        FROM read_parquet(${quoteLiteral(path)}, file_row_number = true)`,
    );
  });
  const none = 'SELECT 0 AS segment, NULL::UUID AS hash, NULL::UUID AS source, 0::BIGINT AS position';
  const all = selects.map((select, segment) => `SELECT ${segment} AS segment, ${select}`);
  await connection.run(
    `CREATE TABLE incoming AS SELECT ${PLACE} AS place, hash, source
     FROM (${[none, ...all].join(' UNION ALL ')}) WHERE hash IS NOT NULL`,
  );
}

const ASKED_AT_ONCE = 20_000;

async function readOwners<T extends KeyedTable>(db: Db, { connection, second, request }: Settling<T>): Promise<void> {
  const any = await first(
    db,
    sql<{ any: boolean }>`SELECT EXISTS (SELECT FROM dataset_keys WHERE dataset_id = ${request.dataset_id}) AS any`,
  );
  if (!any?.any) return;
  const freed = [...(request.ends === 'all' ? [] : (request.ends ?? [])), ...(request.frees ?? [])];
  let asked: string[] = [];
  const ask = async (): Promise<void> => {
    const owners = await keyOwners(db, request.dataset_id, asked, freed);
    asked = [];
    if (owners.length === 0) return;
    const appender = await connection.createAppender('found');
    for (const { key_hash, source_id } of owners) {
      appender.appendVarchar(key_hash);
      appender.appendVarchar(source_id);
      appender.endRow();
    }
    appender.closeSync();
  };
  await connection.run('CREATE TABLE found (hash VARCHAR, source VARCHAR)');
  const hashes = await second.stream('SELECT DISTINCT CAST(hash AS VARCHAR) AS hash FROM incoming ORDER BY hash');
  for await (const chunk of hashes.yieldRows()) {
    for (const [hash] of chunk) asked.push(String(hash));
    if (asked.length >= ASKED_AT_ONCE) await ask();
  }
  if (asked.length > 0) await ask();
  await connection.run('INSERT INTO owners SELECT CAST(hash AS UUID), CAST(source AS UUID) FROM found');
}

/** Segments with losers are written anew without them. */
async function withoutLosers<T extends KeyedTable>({ connection, request }: Settling<T>): Promise<T[]> {
  const counted = await connection.runAndReadAll(
    'SELECT CAST(place // 1099511627776 AS INTEGER), CAST(count(*) AS INTEGER) FROM losers GROUP BY 1',
  );
  const lost = new Map(counted.getRows().map(([segment, count]) => [Number(segment), Number(count)]));
  if (lost.size === 0) return [...request.tables];
  let ordinal = 0;
  const tables: T[] = [];
  for (const table of request.tables) {
    const segments: KeyedSegment[] = [];
    let duplicates = 0;
    for (const segment of table.segments) {
      const count = lost.get(ordinal) ?? 0;
      if (count === 0) segments.push(segment);
      else if (count < segment.rows) segments.push(await writeWinners(connection, request, table, segment, ordinal));
      duplicates += count;
      ordinal += 1;
    }
    const { accounting } = table;
    const counts = { accepted: accounting.accepted - duplicates, duplicates: accounting.duplicates + duplicates };
    tables.push({ ...table, segments, accounting: { ...accounting, ...counts } });
  }
  return tables;
}

/** In the file's order. So many losers that a list of them is too long are joined, which loses it: sorted again. */
async function writeWinners<T extends KeyedTable>(
  connection: DuckDBConnection,
  request: SettleRequest<T>,
  table: T,
  { path: from, first_line }: KeyedSegment,
  ordinal: number,
): Promise<KeyedSegment> {
  const path = join(request.out_dir, `${newId()}.parquet`);
  const names = table.columns.map(({ name }) => quoteIdentifier(name));
  const line = first_line === null ? '_line' : `${first_line} + file_row_number AS _line`;
  const losing = `SELECT place % 1099511627776 FROM losers WHERE place // 1099511627776 = ${ordinal}`;
  const few = (await connection.runAndReadUntil(losing, MOST_POSITIONS + 1)).getRows().map(([row]) => Number(row));
  const others =
    few.length <= MOST_POSITIONS
      ? exceptRows('file_row_number', few)
      : `file_row_number NOT IN (${losing}) ORDER BY file_row_number`;
  const { rowsChanged: rows } = await connection.run(
    `COPY (SELECT ${[...names, '_source', line, '_loaded_at'].join(', ')}
           FROM read_parquet(${quoteLiteral(from)}, file_row_number = true) WHERE ${others})
     TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const profile = await collectProfile(connection, path, [...table.columns]);
  return { path, rows, bytes: (await stat(path)).size, first_line: null, profile };
}

async function duplicatesOf<T extends KeyedTable>({ connection }: Settling<T>): Promise<Map<string, number>> {
  const lost = await connection.runAndReadAll(
    'SELECT CAST(source AS VARCHAR), CAST(count(*) AS INTEGER) FROM judged JOIN losers USING (place) GROUP BY 1',
  );
  return new Map(lost.getRows().map(([source, count]) => [String(source), Number(count)]));
}

async function keyChange<T extends KeyedTable>({ connection, request }: Settling<T>): Promise<KeyChange> {
  const file = async (query: string): Promise<KeyFile> => {
    const path = join(request.out_dir, `${newId()}.keys`);
    const written = await connection.run(
      `COPY (${query} ORDER BY hash) TO ${quoteLiteral(path)} (FORMAT csv, HEADER false, DELIMITER '\t')`,
    );
    return { path, count: written.rowsChanged };
  };
  const source = request.owner === undefined ? 'source' : `CAST(${quoteLiteral(request.owner)} AS UUID)`;
  return {
    freed: request.frees ?? [],
    taken: await file(
      `SELECT hash, ${source} AS source FROM judged WHERE NOT owned AND place NOT IN (SELECT place FROM losers)`,
    ),
    passed: await file(`SELECT hash, source FROM owners WHERE ${request.key.on_conflict === 'replace'}`),
  };
}

/** A list of positions is part of every query; a segment that would get a longer one is written anew. */
const MOST_POSITIONS = 5_000;

async function removalOf<T extends KeyedTable>(
  tools: RewriteTools,
  settling: Settling<T>,
  dataset: DatasetSnapshot,
  passed: number,
): Promise<SettledKeys<T>['removal']> {
  const { ends = [] } = settling.request;
  const deletes = passed > 0 ? await olderRows(tools, settling, dataset) : new Map<string, number[]>();
  const segments = dataset.segments.map((segment): SegmentRef => {
    const positions = deletes.get(segment.id);
    return positions ? { ...segment, deleted: [...segment.deleted, ...positions] } : segment;
  });
  const left: DatasetSnapshot = { ...dataset, segments };
  const full = segments.filter(
    ({ id, rows, deleted }) => deletes.has(id) && (deleted.length > MOST_POSITIONS || deleted.length === rows),
  );
  const removal = await withoutSources(tools, left, ends === 'all' ? [] : ends, full);
  const known = new Map(dataset.segments.map(({ id, deleted }) => [id, deleted.length]));
  const rewrites = removal.rewrites.map((rewrite) => ({
    ...rewrite,
    deleted: rewrite.replaces.reduce((sum, id) => sum + (known.get(id) ?? 0), 0),
  }));
  for (const id of [...removal.drops, ...rewrites.flatMap(({ replaces }) => replaces)]) deletes.delete(id);
  return { drops: removal.drops, rewrites, deletes };
}

/** Where the rows are whose keys pass to new ones: their sources' segments are searched for the keys. */
async function olderRows<T extends KeyedTable>(
  tools: RewriteTools,
  { connection, request }: Settling<T>,
  dataset: DatasetSnapshot,
): Promise<Map<string, number[]>> {
  const found = await connection.runAndReadAll('SELECT DISTINCT CAST(source AS VARCHAR) FROM owners');
  const sources = new Set(found.getRows().map(([source]) => String(source)));
  const candidates = dataset.segments.filter(({ source_ids }) => source_ids.some((source) => sources.has(source)));
  const local = await openSegments(tools.objects, candidates);
  try {
    const columns = dataset.columns.filter(({ name }) => request.key.columns.includes(name));
    const { sql: view } = relation({ ...dataset, columns, segments: candidates }, local.pathOf, { position: true });
    const typeOf = new Map(columns.map(({ name, type }) => [name, type]));
    const key = request.key.columns.map((name) => ({ sql: quoteIdentifier(name), type: typeOf.get(name) ?? 'text' }));
    const reader = await connection.stream(
      `SELECT ${SEGMENT_COLUMN}, ${ROW_COLUMN} FROM (${view}) WHERE ${keyHashSql(key)} IN (SELECT hash FROM owners)`,
    );
    const positions = new Map<string, number[]>();
    for await (const chunk of reader.yieldRows()) {
      for (const [ordinal, row] of chunk) {
        const id = candidates[Number(ordinal)]?.id ?? '';
        const list = positions.get(id) ?? [];
        list.push(Number(row));
        positions.set(id, list);
      }
    }
    return positions;
  } finally {
    await local.release();
  }
}
