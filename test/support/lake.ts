import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import type { Addition, PreparedSegment } from '#platform/lake/change.ts';
import type { IncomingColumn } from '#platform/lake/schema.ts';

/** A workspace of the test's own. */
export async function newWorkspace(db: Db): Promise<string> {
  const id = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${id}, 'test')`.execute(db);
  return id;
}

const SIMPLE: IncomingColumn[] = [{ name: 'a', type: 'integer', nullable: false }];

export interface AdditionShape {
  rows?: number;
  quarantined?: number;
  duplicates?: number;
  columns?: IncomingColumn[];
  segments?: number;
  file_id?: string;
}

/** A source with catalogue rows only: for tests of the commit's arithmetic no object is needed. */
export function addition(shape: AdditionShape = {}): Addition {
  const { rows = 10, quarantined = 0, duplicates = 0, columns = SIMPLE, segments = rows > 0 ? 1 : 0 } = shape;
  const source = newId();
  const each = segments > 0 ? Math.floor(rows / segments) : 0;
  return {
    source: {
      id: source,
      kind: 'file',
      file_id: shape.file_id ?? null,
      filename: 'a.csv',
      accounting: { read: rows + quarantined + duplicates, accepted: rows, quarantined, duplicates, skipped: [] },
      sniffed: { format: 'csv' },
      loaded_at: new Date(0),
    },
    columns,
    segments: Array.from({ length: segments }, (_, index) => ({
      ...segment(source, index === 0 ? rows - each * (segments - 1) : each),
      profile: Object.fromEntries(columns.map(({ name }) => [name, { nulls: 0 }])),
    })),
    quarantine: Array.from({ length: quarantined }, (_, index) => ({
      line: index + 2,
      column: null,
      reason: 'wrong number of fields',
      value: null,
      raw: `bad\0,${index}`,
    })),
  };
}

export function segment(source: string, rows: number): PreparedSegment {
  const id = newId();
  return { id, object_key: `lake/test/${id}.parquet`, rows, bytes: rows * 10, source_ids: [source], first_line: 2 };
}
