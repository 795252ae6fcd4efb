import { SpanKind } from '@opentelemetry/api';
import { nextFileState } from '#contract/files.ts';
import { isLoadable } from '#contract/loadable.ts';
import type { LoadInput } from '#contract/tasks.ts';
import type { CompletedUpload } from '#contract/uploads.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { first, sql, type Tx, transaction } from '#platform/db/db.ts';
import { matchParts } from '#platform/objects/parts.ts';
import type { ObjectInfo, PartTag } from '#platform/objects/store.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { UploadDeps } from './deps.ts';
import { getFile, toFile } from './files.ts';
import { type Caller, getUpload, multipartOf, type UploadRow } from './uploads.ts';

/**
 * Claims the upload (no new part from here on), lets the store make the object, then, in one
 * transaction, the file is stored and its load enqueued. A process that dies anywhere between
 * leaves a state from which the same call goes on; a repeat after success answers the same.
 * @throws upload_not_found, upload_closed, upload_incomplete, checksum_mismatch
 */
export async function completeUpload(
  deps: UploadDeps,
  caller: Caller,
  id: string,
  parts: PartTag[],
): Promise<CompletedUpload> {
  const row = await getUpload(deps.db, caller.workspace_id, id);
  const attributes = {
    'caudal.workspace': row.workspace_id,
    'caudal.file.id': row.file_id,
    'caudal.upload.id': row.id,
    'caudal.bytes': row.size,
  };
  return withSpan('complete upload', { attributes }, async () => {
    if (row.state !== 'completed') {
      const info = await makeObject(deps, row, parts);
      if (info) await finish(deps, caller, row, info);
    }
    return answer(deps, row);
  });
}

async function answer(deps: UploadDeps, row: UploadRow): Promise<CompletedUpload> {
  const file = toFile(await getFile(deps.db, row.workspace_id, row.file_id));
  return file.task_id ? { file, task: await deps.describeTask(row.workspace_id, file.task_id) } : { file };
}

/**
 * The list is checked before the claim, so that a wrong one (or a part still being written) disturbs
 * nothing, and again by the store after it, when nothing can change any more. Undefined: another
 * call completed the upload meanwhile.
 */
async function makeObject(deps: UploadDeps, row: UploadRow, parts: PartTag[]): Promise<ObjectInfo | undefined> {
  const multipart = multipartOf(row);
  if (row.state === 'aborted') throw fail('upload_closed', 'The upload was aborted.');
  matchParts(multipart, await deps.store.listParts(multipart), parts);
  const claim = newId();
  const claimed = await first(
    deps.db,
    sql`UPDATE uploads SET state = 'completing', claim = ${claim}
        WHERE id = ${row.id} AND state IN ('open', 'completing') RETURNING 1`,
  );
  if (!claimed) return completedMeanwhile(deps, row);
  try {
    return await deps.store.completeUpload(multipart, parts, row.sha256 ? { sha256: row.sha256 } : {});
  } catch (error) {
    if (error instanceof CaudalError && (error.code === 'checksum_mismatch' || error.code === 'upload_incomplete')) {
      await sql`UPDATE uploads SET state = 'open', claim = NULL
                WHERE id = ${row.id} AND state = 'completing' AND claim = ${claim}`.execute(deps.db);
    }
    throw error;
  }
}

async function completedMeanwhile(deps: UploadDeps, row: UploadRow): Promise<undefined> {
  const now = await getUpload(deps.db, row.workspace_id, row.id);
  if (now.state !== 'completed') throw fail('upload_closed', 'The upload was aborted.');
}

async function finish(deps: UploadDeps, caller: Caller, row: UploadRow, info: ObjectInfo): Promise<void> {
  const state = await transaction(deps.db, async (tx) => {
    const now = await first(tx, sql<{ state: string }>`SELECT state FROM uploads WHERE id = ${row.id} FOR UPDATE`);
    if (now?.state === 'completing' || now?.state === 'open') await store(deps, tx, caller, row, info);
    faultPoint('upload.before-commit');
    return now?.state;
  });
  if (state !== 'aborted') {
    const workspace = { 'caudal.workspace': row.workspace_id };
    counter('caudal.uploads').add(1, workspace);
    counter('caudal.upload.bytes').add(row.size, workspace);
    return;
  }
  await deps.store.delete(row.object_key);
  throw fail('upload_closed', 'The upload was aborted meanwhile.');
}

interface StoredFile {
  filename: string;
  content_type: string | null;
  dataset: string | null;
  load_options: Record<string, unknown>;
}

async function store(deps: UploadDeps, tx: Tx, caller: Caller, row: UploadRow, info: ObjectInfo): Promise<void> {
  await sql`UPDATE uploads SET state = 'completed', claim = NULL WHERE id = ${row.id}`.execute(tx);
  const file = await first(
    tx,
    sql<StoredFile>`
      UPDATE files SET state = ${nextFileState('pending', 'store') ?? 'stored'}, etag = ${info.etag}, updated_at = now()
      WHERE id = ${row.file_id} AND state = 'pending'
      RETURNING filename, content_type, dataset, load_options`,
  );
  if (!file) throw new Error(`file ${row.file_id} of an open upload is not pending`);
  if (file.dataset === null && !isLoadable(file.filename, file.content_type)) return;
  const task = await enqueueLoad(deps, tx, caller, row, file);
  await sql`UPDATE files SET task_id = ${task.id} WHERE id = ${row.file_id}`.execute(tx);
}

/** The load continues the trace in which the upload was signed, whoever completes it. */
function enqueueLoad(deps: UploadDeps, tx: Tx, caller: Caller, row: UploadRow, file: StoredFile) {
  const { mode, ...options } = file.load_options as { mode?: LoadInput['mode'] } & Record<string, unknown>;
  const input: LoadInput = {
    file_id: row.file_id,
    ...(file.dataset === null ? {} : { dataset: file.dataset }),
    ...(mode === undefined ? {} : { mode }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
  const attributes = {
    'caudal.workspace': row.workspace_id,
    'caudal.file.id': row.file_id,
    'caudal.task.kind': 'load',
  };
  const span = { attributes, kind: SpanKind.PRODUCER, carrier: row.carrier };
  return withSpan('enqueue load', span, async (active) => {
    const here = currentCarrier();
    const task = await deps.enqueue(tx, {
      workspace_id: row.workspace_id,
      kind: 'load',
      input,
      created_by: caller.user_id,
      carrier: here.traceparent === undefined ? row.carrier : here,
    });
    active.setAttribute('caudal.task.id', task.id);
    return task;
  });
}
