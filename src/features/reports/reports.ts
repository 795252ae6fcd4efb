import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import type { ReportDone } from './spawn.ts';

export interface NewReport {
  workspace_id: string;
  dataset_id: string;
  version: number;
  query: string;
  made_by: string;
  trace_id: string | null;
  task_id: string | null;
}

/** Writes down that a report begins. From here on every replica makes the dataset's charts anew. */
export async function beginReport(db: Db, report: NewReport): Promise<string> {
  const id = newId();
  await transaction(db, async (tx) => {
    await sql`UPDATE datasets SET reports = reports + 1 WHERE id = ${report.dataset_id}`.execute(tx);
    await sql`
      INSERT INTO reports (id, workspace_id, dataset_id, version, query, made_by, trace_id, task_id)
      VALUES (${id}, ${report.workspace_id}, ${report.dataset_id}, ${report.version}, ${report.query}, ${report.made_by},
              ${report.trace_id}, ${report.task_id})`.execute(tx);
  });
  return id;
}

export async function finishReport(db: Db, id: string, done: ReportDone, fileId: string | null = null): Promise<void> {
  await sql`
    UPDATE reports SET rows = ${done.rows}, groups = ${done.groups}, truncated = ${done.truncated}, file_id = ${fileId},
      finished_at = now() WHERE id = ${id}`.execute(db);
}

/** Report tasks of a workspace that have not ended. */
export async function waitingReports(db: Db, workspaceId: string): Promise<number> {
  const row = await first(
    db,
    sql<{ n: number }>`
      SELECT count(*)::int AS n FROM tasks
      WHERE workspace_id = ${workspaceId} AND kind = 'report' AND status IN ('queued', 'running')`,
  );
  return row?.n ?? 0;
}

/** `registrations 2026-11-28.xlsx` */
export function reportFilename(dataset: string, madeAt: Date): string {
  return `${dataset} ${madeAt.toISOString().slice(0, 10)}.xlsx`;
}
