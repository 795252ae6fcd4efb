import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Column } from '#contract/columns.ts';
import { newId } from '#kernel/ids.ts';
import type { DatasetSnapshot, SegmentColumn, SegmentRef } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';

/** A directory of Parquet segments that DuckDB wrote, for tests of readers that need no catalogue. */
export interface SegmentBench {
  directory: string;
  objects: Pick<ObjectStore, 'local'>;
  connection: DuckDBConnection;
  /** Writes the rows of `select`; adds `_source`, `_loaded_at`, and `_line` unless `first_line` is given. */
  segment(
    select: string,
    columns: SegmentColumn[],
    options?: { first_line?: number; source?: string },
  ): Promise<SegmentRef>;
  /** Local files that are open now. */
  open(): number;
  close(): Promise<void>;
}

export async function segmentBench(): Promise<SegmentBench> {
  const directory = await mkdtemp(join(tmpdir(), 'caudal-segments-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  let open = 0;
  return {
    directory,
    connection,
    objects: {
      async local(key) {
        const path = join(directory, key);
        const { size } = await stat(path);
        open += 1;
        return {
          path,
          size,
          release: async () => {
            open -= 1;
          },
        };
      },
    },
    async segment(select, columns, { first_line, source = newId() } = {}) {
      const id = newId();
      const object_key = `${id}.parquet`;
      const path = join(directory, object_key);
      const line = first_line === undefined ? ', row_number() OVER () + 1 AS _line' : '';
      await connection.run(
        `COPY (SELECT *, '${source}'::UUID AS _source, TIMESTAMP '2026-01-02 03:04:05' AS _loaded_at${line} FROM (${select})) TO '${path}' (FORMAT parquet)`,
      );
      const counted = await connection.runAndReadAll(`SELECT count(*) FROM read_parquet('${path}')`);
      return {
        id,
        object_key,
        rows: Number(counted.getRows()[0]?.[0]),
        bytes: (await stat(path)).size,
        source_ids: [source],
        first_line: first_line ?? null,
        deleted: [],
        columns,
        profile: null,
      };
    },
    open: () => open,
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(directory, { recursive: true });
    },
  };
}

export function snapshotOf(
  columns: Column[],
  segments: SegmentRef[],
  overrides: Partial<DatasetSnapshot> = {},
): DatasetSnapshot {
  return {
    id: newId(),
    workspace_id: newId(),
    name: 'things',
    mode: 'inferred',
    version: 1,
    columns,
    rows: segments.reduce((sum, { rows }) => sum + rows, 0),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    reports: 0,
    created_at: new Date(0),
    updated_at: new Date(0),
    segments,
    ...overrides,
  };
}

/** `a:integer b:text` → columns with field ids 1, 2. */
export function columnsOf(written: string): Column[] {
  return written.split(' ').map((each, index) => {
    const [name = '', type = ''] = each.split(':');
    return { name, type, nullable: true, field_id: index + 1 };
  });
}
