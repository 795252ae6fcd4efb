import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import { FORMATS } from '#platform/http/formats.ts';
import { fileKey } from '#platform/objects/keys.ts';
import type { ObjectInfo, ObjectStore } from '#platform/objects/store.ts';
import { currentTraceId, withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { prepareReport } from './prepare.ts';
import { readReport } from './report-request.ts';
import { measureReport, type ReportDeps } from './reports.route.ts';
import { beginReport, finishReport, reportFilename } from './reports.ts';
import type { ReportDone } from './spawn.ts';

export interface ReportTaskDeps extends ReportDeps {
  objects: Pick<ObjectStore, 'local' | 'put' | 'delete'>;
}

/** Makes a workbook and keeps it as a file of the workspace; a new attempt makes a new one. */
export function reportTask(deps: ReportTaskDeps): TaskDefinition<'report'> {
  return { kind: 'report', handle: (context) => run(deps, context) };
}

async function run(deps: ReportTaskDeps, context: TaskContext<'report'>): Promise<void> {
  const { task, succeed } = context;
  const { workspace_id, input } = task;
  const began = performance.now();
  const snapshot = await deps.snapshot({ workspace_id, name: input.dataset, version: input.version });
  const madeAt = deps.clock.now();
  const made_by = await usernameOf(deps.db, task.created_by);
  const report = { workspace_id, dataset_id: snapshot.id, version: snapshot.version, query: input.url, made_by };
  const id = await beginReport(deps.db, { ...report, trace_id: currentTraceId(), task_id: task.id });
  const file_id = newId();
  const object_key = fileKey(workspace_id, file_id);
  const { info, done } = await store(deps, context, { snapshot, object_key, madeAt, made_by });
  const filename = reportFilename(snapshot.name, madeAt);
  await transaction(deps.db, async (tx) => {
    await sql`
      INSERT INTO files (id, workspace_id, filename, size, content_type, etag, object_key, state, trace_id, created_by)
      VALUES (${file_id}, ${workspace_id}, ${filename}, ${info.size}, ${FORMATS.xlsx.contentType}, ${info.etag}, ${object_key},
              'stored', ${currentTraceId()}, ${task.created_by})`.execute(tx);
    await finishReport(tx, id, done, file_id);
    const { rows, groups, truncated } = done;
    const url = `/files/${file_id}/content`;
    await succeed(tx, {
      file_id,
      url,
      filename,
      rows,
      groups,
      truncated,
      dataset: snapshot.name,
      version: snapshot.version,
    });
  });
  measureReport(workspace_id, (performance.now() - began) / 1000, done.rows);
}

interface Making {
  snapshot: Awaited<ReturnType<ReportDeps['snapshot']>>;
  object_key: string;
  madeAt: Date;
  made_by: string;
}

async function store(
  deps: ReportTaskDeps,
  { task, signal, progress }: TaskContext<'report'>,
  { snapshot, object_key, madeAt, made_by }: Making,
): Promise<{ info: ObjectInfo; done: ReportDone }> {
  const { plan, release } = await prepareReport(deps.objects, snapshot, readReport(task.input.query, snapshot), {
    ...{ query: task.input.url, made_at: madeAt.toISOString(), made_by, program: deps.program },
    ...{ trace_id: currentTraceId(), task_id: task.id, most_rows: deps.most_rows },
  });
  try {
    const attributes = { 'caudal.workspace': task.workspace_id, 'caudal.dataset': snapshot.name };
    return await withSpan('make report', { attributes }, async (span) => {
      const { body, done } = await deps.make(plan, {
        ...{ signal, tempDir: deps.tempDir },
        onProgress: (rows, all) => progress(all === 0 ? 0 : (99 * rows) / all, { rows }),
      });
      const info = await deps.objects.put(object_key, body, { content_type: FORMATS.xlsx.contentType });
      const outcome = await done;
      span.setAttributes({ 'caudal.rows': outcome.rows, 'caudal.report.groups': outcome.groups });
      return { info, done: outcome };
    });
  } finally {
    await release();
  }
}

async function usernameOf(db: Db, userId: string | null): Promise<string> {
  const row = await first(db, sql<{ username: string }>`SELECT username FROM users WHERE id = ${userId}::uuid`);
  return row?.username ?? '';
}
