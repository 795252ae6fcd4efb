import { type Accounting, addAccounting, NOTHING_READ } from '#contract/accounting.ts';
import type { Carrier } from '#contract/carrier.ts';
import type { File, FileLoad, FileState } from '#contract/files.ts';
import { fail, type StoredError } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';

export interface FileRow {
  id: string;
  workspace_id: string;
  filename: string;
  size: number;
  content_type: string | null;
  sha256: string | null;
  object_key: string;
  state: FileState;
  error: StoredError | null;
  dataset: string | null;
  loads: FileLoad[];
  task_id: string | null;
  /** Of the latest load. */
  task_status: string | null;
  task_progress: number | null;
  /** Set: it came as a cell of a row. */
  photo_column: string | null;
  photo_dataset: string | null;
  carrier: Carrier | null;
  trace_id: string | null;
  created_at: Date;
  updated_at: Date;
}

const SELECT = sql`
  SELECT f.*, t.status AS task_status, t.progress AS task_progress,
         (SELECT d.name FROM datasets d WHERE d.id = f.photo_of) AS photo_dataset
  FROM files f LEFT JOIN tasks t ON t.id = f.task_id`;

/** A photo goes with its dataset, at once; the sweep takes its bytes. */
const VISIBLE = sql`
  f.deleted_at IS NULL
  AND (f.photo_column IS NULL OR EXISTS (SELECT FROM datasets d WHERE d.id = f.photo_of AND d.deleted_at IS NULL))`;

/** @throws file_not_found, also for another workspace's file and for one that was deleted */
export async function getFile(db: Db, workspaceId: string, id: string): Promise<FileRow> {
  const row = isUuid(id)
    ? await first(db, sql<FileRow>`${SELECT} WHERE f.id = ${id} AND f.workspace_id = ${workspaceId} AND ${VISIBLE}`)
    : undefined;
  if (!row) throw fail('file_not_found', `There is no file ${id.slice(0, 100)}.`);
  return row;
}

export interface FileFilter {
  state?: FileState;
  /** Files that went, or were asked to go, into this dataset. */
  dataset?: string;
  /** Photos of rows instead of uploads. */
  photos?: boolean;
  /** Ids below this one. */
  after?: string;
  limit: number;
}

/** Newest first. */
export function listFiles(db: Db, workspaceId: string, filter: FileFilter): Promise<FileRow[]> {
  const { state, dataset, photos = false, after, limit } = filter;
  const loaded = dataset === undefined ? null : JSON.stringify([{ dataset }]);
  return rows(
    db,
    sql<FileRow>`
      ${SELECT}
      WHERE f.workspace_id = ${workspaceId} AND ${VISIBLE} AND (f.photo_column IS NOT NULL) = ${photos}
        AND (${state ?? null}::text IS NULL OR f.state = ${state ?? null})
        AND (${loaded}::jsonb IS NULL OR f.dataset = ${dataset ?? null} OR f.loads @> ${loaded}::jsonb
             OR f.photo_of IN (SELECT d.id FROM datasets d WHERE d.workspace_id = f.workspace_id AND d.name = ${dataset ?? null}))
        AND (${after ?? null}::uuid IS NULL OR f.id < ${after ?? null}::uuid)
      ORDER BY f.id DESC LIMIT ${limit}`,
  );
}

/** Rows and accounting are sums over the tables of the file; what was sniffed is that of the first. */
export function toFile(row: FileRow): File {
  const loads = row.loads;
  const dataset = loads[0]?.dataset ?? row.dataset ?? row.photo_dataset;
  return {
    id: row.id,
    filename: row.filename,
    size: row.size,
    content_type: row.content_type,
    sha256: row.sha256,
    state: row.state,
    ...(row.error && row.state === 'failed' ? { error: row.error } : {}),
    ...(dataset === null ? {} : { dataset }),
    ...(row.photo_column === null ? {} : { photo_column: row.photo_column }),
    ...(row.state === 'loaded' || loads.length > 0 ? totals(loads) : {}),
    ...(row.task_id ? { task_id: row.task_id } : {}),
    ...(row.task_id && row.state === 'loading' ? { progress: Math.round((row.task_progress ?? 0) * 10) / 10 } : {}),
    trace_id: row.trace_id,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

function totals(loads: FileLoad[]): Pick<File, 'rows' | 'quarantined' | 'accounting' | 'sniffed' | 'loads'> {
  const accounting: Accounting = loads.reduce((sum, load) => addAccounting(sum, load.accounting), NOTHING_READ);
  const sniffed = loads[0]?.sniffed;
  return {
    rows: accounting.accepted,
    quarantined: accounting.quarantined,
    accounting,
    ...(sniffed ? { sniffed } : {}),
    loads,
  };
}
