import { traceIdOf } from '#contract/carrier.ts';
import { fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import { busyAgain } from '#platform/lake/busy-again.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import type { Change } from '#platform/lake/change.ts';
import { commit } from '#platform/lake/commit.ts';
import { compactWhenNeeded } from '#platform/lake/compaction.ts';
import { affectedSegments, type RewriteTools, withoutSources } from '#platform/lake/rewrite.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { lockFile, lockTask } from './file-state.ts';

export interface DeleteFileDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile' | 'delete'>;
  enqueue: Enqueue;
  temp_dir: string;
  memory_bytes: number;
  threads: number;
}

export interface DeleteFileRequest {
  workspace_id: string;
  file_id: string;
  requested_by: string | null;
}

/** Rewriting more than this (mixed segments) is a task's work, not a request's: about a second. */
const AT_ONCE_BYTES = 32 * 2 ** 20;

/**
 * Deletes a file: its object, the rows it brought (and replays of them), its quarantine; every version
 * that held them is gone at once. At once where little must be rewritten, else as a task; either way
 * the file is not to be seen from now on.
 *
 * @returns the task's id when one does the rest
 * @throws file_not_found; file_busy while it is being loaded
 */
export async function deleteFile(deps: DeleteFileDeps, request: DeleteFileRequest): Promise<{ task_id?: string }> {
  const { workspace_id, file_id, requested_by } = request;
  const bytes = await rewrittenBytes(deps.db, workspace_id, file_id);
  if (bytes <= AT_ONCE_BYTES) {
    await removeFile(deps, request, { task_id: null, before: (tx) => hideFile(tx, workspace_id, file_id) });
    return {};
  }
  return transaction(deps.db, async (tx) => {
    await hideFile(tx, workspace_id, file_id);
    const { id } = await deps.enqueue(tx, {
      workspace_id,
      kind: 'delete_file',
      input: { file_id },
      created_by: requested_by,
    });
    return { task_id: id };
  });
}

/** For what `deleteFile` left to a worker. */
export function deleteFileTask(deps: DeleteFileDeps): TaskDefinition<'delete_file'> {
  return { kind: 'delete_file', handle: (context) => run(deps, context) };
}

async function run(deps: DeleteFileDeps, { task, succeed }: TaskContext<'delete_file'>): Promise<void> {
  const { file_id } = task.input;
  await removeFile(
    deps,
    { workspace_id: task.workspace_id, file_id },
    { task_id: task.id, before: (tx) => lockTask(tx, task.id), after: (tx) => succeed(tx, { file_id }) },
  );
}

/** @throws file_not_found, file_busy */
async function hideFile(tx: Tx, workspaceId: string, fileId: string): Promise<void> {
  const file = await lockFile(tx, workspaceId, fileId);
  if (file.state === 'loading') {
    throw fail('file_busy', `"${file.filename}" is being loaded.`, {
      hint: `Cancel its task first: DELETE /tasks/${file.task_id}, or wait until it has ended.`,
    });
  }
  await sql`
    UPDATE files SET deleted_at = now(), updated_at = now(), loads = '[]'::jsonb WHERE id = ${file.id}`.execute(tx);
}

interface FileSources {
  dataset: DatasetSnapshot;
  sources: string[];
}

/** All sources of the file, also those whose rows have ended: earlier versions still hold them. */
async function sourcesOf(db: Db, workspaceId: string, fileId: string): Promise<FileSources[]> {
  const found = await rows(
    db,
    sql<{ dataset_id: string; sources: string[] }>`
      SELECT s.dataset_id, array_agg(s.id::text ORDER BY s.id) AS sources
      FROM sources s JOIN datasets d ON d.id = s.dataset_id
      WHERE s.file_id = ${isUuid(fileId) ? fileId : null}::uuid AND s.workspace_id = ${workspaceId}
        AND s.deleted_at IS NULL AND d.deleted_at IS NULL
      GROUP BY s.dataset_id ORDER BY s.dataset_id`,
  );
  return Promise.all(
    found.map(async ({ dataset_id, sources }) => ({
      dataset: await snapshot(db, { workspace_id: workspaceId, id: dataset_id }),
      sources,
    })),
  );
}

async function rewrittenBytes(db: Db, workspaceId: string, fileId: string): Promise<number> {
  const owned = await sourcesOf(db, workspaceId, fileId);
  const mixed = owned.flatMap(({ dataset, sources }) =>
    affectedSegments(dataset, sources).filter((segment) => segment.source_ids.some((id) => !sources.includes(id))),
  );
  return mixed.reduce((total, segment) => total + segment.bytes, 0);
}

interface Removal {
  task_id: string | null;
  /** In the transaction, around the commits. */
  before(tx: Tx): Promise<void>;
  after?(tx: Tx): Promise<void>;
}

/** Rewrites what is mixed, then one transaction with a `delete` commit per dataset; the object goes last. */
async function removeFile(
  deps: DeleteFileDeps,
  { workspace_id, file_id }: Pick<DeleteFileRequest, 'workspace_id' | 'file_id'>,
  removal: Removal,
): Promise<void> {
  const attributes = { 'caudal.file.id': file_id, 'caudal.workspace': workspace_id };
  await withSpan('delete file', { attributes }, async () => {
    await busyAgain(async () => {
      const changes = await changesOf(deps, workspace_id, file_id, removal.task_id);
      await transaction(deps.db, async (tx) => {
        await removal.before(tx);
        await refuseNewSources(tx, file_id, changes);
        for (const change of changes) {
          await compactWhenNeeded(tx, deps.enqueue, workspace_id, await commit(tx, change));
        }
        await removal.after?.(tx);
        faultPoint('delete.before-commit');
      });
    });
    const file = await first(
      deps.db,
      sql<{ object_key: string }>`SELECT object_key FROM files WHERE id = ${file_id} AND deleted_at IS NOT NULL`,
    );
    if (file) await deps.objects.delete(file.object_key);
  });
}

/** A load may have committed between planning and hiding the file; from then on none can. */
async function refuseNewSources(tx: Tx, fileId: string, changes: Change[]): Promise<void> {
  const planned = changes.flatMap((change) => [...(change.forgets ?? [])]);
  const missed = await first(
    tx,
    sql<{ id: string }>`
      SELECT s.id FROM sources s JOIN datasets d ON d.id = s.dataset_id
      WHERE s.file_id = ${fileId} AND s.deleted_at IS NULL AND d.deleted_at IS NULL
        AND s.id <> ALL(${planned}::uuid[]) LIMIT 1`,
  );
  if (missed) throw fail('dataset_busy', 'The file was loaded again while it was being deleted.');
}

async function changesOf(
  deps: DeleteFileDeps,
  workspaceId: string,
  fileId: string,
  task_id: string | null,
): Promise<Change[]> {
  const tools: RewriteTools = deps;
  const trace_id = traceIdOf(currentCarrier());
  const changes: Change[] = [];
  for (const { dataset, sources } of await sourcesOf(deps.db, workspaceId, fileId)) {
    const removal = await withoutSources(tools, dataset, sources);
    changes.push({ kind: 'delete', dataset_id: dataset.id, task_id, trace_id, forgets: sources, ...removal });
  }
  return changes;
}
