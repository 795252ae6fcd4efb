import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { newId } from '#kernel/ids.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Rewrite } from './change.ts';
import { openSegments } from './local.ts';
import { collectProfile, type SegmentProfile } from './profile.ts';
import type { DatasetSnapshot, SegmentRef } from './snapshot.ts';
import { ROW_COLUMN, relation, SEGMENT_COLUMN } from './view.ts';

export interface RewriteTools {
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  /** Existing directory for what is being written. */
  temp_dir: string;
  memory_bytes: number;
  threads: number;
}

/** Attempt-scoped: a fresh id each time, so that a late worker never writes what another committed. */
export function segmentKey(workspaceId: string, datasetId: string, segmentId: string): string {
  return `lake/${workspaceId}/${datasetId}/${segmentId}.parquet`;
}

/**
 * Segments written anew as one durable object, in their order, without the rows of `without`. Our own
 * segments are trusted, so this runs in process, in a DuckDB of its own under a memory limit.
 *
 * @returns undefined when no row is left
 */
export async function rewriteSegments(
  tools: RewriteTools,
  dataset: DatasetSnapshot,
  inputs: readonly SegmentRef[],
  without: readonly string[] = [],
): Promise<Rewrite['segment'] | undefined> {
  const directory = await mkdtemp(join(tools.temp_dir, 'rewrite-'));
  const local = await openSegments(tools.objects, inputs);
  try {
    const path = join(directory, 'segment.parquet');
    const fields = new Set(inputs.flatMap((input) => input.columns.map((column) => column.field_id)));
    const columns = dataset.columns.filter((column) => fields.has(column.field_id));
    const query = inOrder({ ...dataset, columns, segments: [...inputs] }, local.pathOf);
    const { rows, profile } = await writeParquet(tools, { directory, path, query, columns, without });
    if (rows === 0) return undefined;
    const id = newId();
    const { size } = await stat(path);
    const object_key = segmentKey(dataset.workspace_id, dataset.id, id);
    await tools.objects.putFile(object_key, path);
    const sources = new Set(inputs.flatMap((input) => input.source_ids));
    for (const source of without) sources.delete(source);
    return {
      ...{ id, object_key, rows, bytes: size, source_ids: [...sources], first_line: null, profile },
      columns: columns.map(({ name, field_id, type }) => ({ name, field_id, type })),
    };
  } finally {
    await local.release();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Many shapes of segments come out of order and are put back into it. */
function inOrder(dataset: DatasetSnapshot, pathOf: (segment: SegmentRef) => string): string {
  const plain = relation(dataset, pathOf, { system: true });
  if (plain.ordered) return plain.sql;
  const { sql } = relation(dataset, pathOf, { system: true, position: true });
  return `SELECT * EXCLUDE (${SEGMENT_COLUMN}, ${ROW_COLUMN}) FROM (${sql}) ORDER BY ${SEGMENT_COLUMN}, ${ROW_COLUMN}`;
}

interface Writing {
  directory: string;
  path: string;
  query: string;
  columns: { name: string; type: string }[];
  without: readonly string[];
}

async function writeParquet(
  tools: RewriteTools,
  { directory, path, query, columns, without }: Writing,
): Promise<{ rows: number; profile: SegmentProfile | null }> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(tools.threads),
    memory_limit: `${Math.floor(tools.memory_bytes / 1e6)}MB`,
    temp_directory: join(directory, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  try {
    const connection = await instance.connect();
    // One string: thousands of ids as expressions would take longer to parse than the segment to write.
    const sources = `SELECT unnest(CAST(${quoteLiteral(`[${without.join(',')}]`)} AS UUID[]))`;
    const kept = without.length > 0 ? `SELECT * FROM (${query}) WHERE _source NOT IN (${sources})` : query;
    const { rowsChanged: rows } = await connection.run(
      `COPY (${kept}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    const profile = rows > 0 ? await collectProfile(connection, path, columns) : null;
    connection.closeSync();
    return { rows, profile };
  } finally {
    instance.closeSync();
  }
}

export interface WithoutSources {
  drops: string[];
  rewrites: Rewrite[];
}

/**
 * What takes the rows of `sources` out of a dataset: segments wholly theirs are dropped, mixed ones
 * (after compaction) are written anew, and so are the segments of `also`. The commit refuses (dataset_busy)
 * when a segment changed meanwhile.
 */
export async function withoutSources(
  tools: RewriteTools,
  dataset: DatasetSnapshot,
  sources: readonly string[],
  also: readonly SegmentRef[] = [],
): Promise<WithoutSources> {
  const drops: string[] = [];
  const rewrites: Rewrite[] = [];
  for (const segment of new Set([...affectedSegments(dataset, sources), ...also])) {
    const some = segment.source_ids.some((source) => !sources.includes(source));
    const mixed = some && segment.deleted.length < segment.rows;
    const rewritten = mixed ? await rewriteSegments(tools, dataset, [segment], sources) : undefined;
    if (rewritten) rewrites.push({ segment: rewritten, replaces: [segment.id], deleted: segment.deleted.length });
    else drops.push(segment.id);
  }
  return { drops, rewrites };
}

export function affectedSegments(dataset: DatasetSnapshot, sources: readonly string[]): SegmentRef[] {
  return dataset.segments.filter((segment) => segment.source_ids.some((source) => sources.includes(source)));
}
