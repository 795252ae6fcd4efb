import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBInstance } from '@duckdb/node-api';
import { newId } from '#kernel/ids.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { type Kept, ROLL_UP, ROLLUPS, SIGNALS, SORT_COLUMNS, TIMES } from '../schema.ts';
import { type Generation, tableOf } from './buffer.ts';
import { literal, withConnection } from './duckdb.ts';
import { type NewSegment, newSegmentKey } from './segments.ts';

export interface SegmentTarget {
  objects: ObjectStore;
  temporary: string;
  now: Date;
}

/**
 * Writes a generation as durable Parquet objects, one per signal and workspace, and the rollups of its spans; nothing
 * refers to them yet.
 */
export async function writeSegments(
  instance: DuckDBInstance,
  generation: Generation,
  target: SegmentTarget,
): Promise<NewSegment[]> {
  const segments: (NewSegment | null)[] = [];
  for (const signal of SIGNALS) {
    const table = tableOf(signal, generation);
    const owners = await withConnection(instance, (read) =>
      read<{ workspace_id: string | null }>(`SELECT DISTINCT workspace_id FROM ${table}`),
    );
    for (const { workspace_id } of owners) {
      const own = owners.length === 1 ? `FROM ${table}` : `FROM ${table} WHERE ${ownedBy(workspace_id)}`;
      segments.push(await writeSegment(instance, signal, workspace_id, own, target));
      if (signal !== 'spans') continue;
      for (const rollup of ROLLUPS) {
        segments.push(await writeSegment(instance, rollup, workspace_id, ROLL_UP[rollup](`(${own})`), target));
      }
    }
  }
  return segments.filter((segment) => segment !== null);
}

function ownedBy(workspaceId: string | null): string {
  return workspaceId === null ? 'workspace_id IS NULL' : `workspace_id = ${literal(workspaceId)}`;
}

/** Row groups small enough that a sorted segment's statistics find one trace without reading the rest. */
const ROW_GROUP = 16_384;
/** Of spans as large as at DuckDB's 3, in four fifths of the time. */
const ZSTD_LEVEL = 1;

/** Writes the rows of `query` (all of one workspace and signal), sorted, into the object store; null without rows. */
export async function writeSegment(
  instance: DuckDBInstance,
  signal: Kept,
  workspaceId: string | null,
  query: string,
  target: SegmentTarget,
): Promise<NewSegment | null> {
  const id = newId();
  const path = join(target.temporary, `${id}.parquet`);
  const { from_ns: from, to_ns: to } = TIMES[signal];
  const [facts] = await withConnection(instance, async (read) => {
    await read(`COPY (SELECT * FROM (${query}) ORDER BY ${SORT_COLUMNS[signal]}) TO ${literal(path)}
                (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${ZSTD_LEVEL}, ROW_GROUP_SIZE ${ROW_GROUP})`);
    return read<{ rows: bigint; from_ns: bigint; to_ns: bigint }>(
      `SELECT count(*) AS rows, min(${from}) AS from_ns, max(${to}) AS to_ns FROM read_parquet(${literal(path)})`,
    );
  });
  if (!facts || facts.rows === 0n) {
    await rm(path, { force: true });
    return null;
  }
  const object_key = newSegmentKey(signal, workspaceId, id, target.now);
  const { size } = await target.objects.putFile(object_key, path);
  const { rows, from_ns, to_ns } = facts;
  return { id, workspace_id: workspaceId, signal, object_key, rows: Number(rows), bytes: size, from_ns, to_ns };
}
