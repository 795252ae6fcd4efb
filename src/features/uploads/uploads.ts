import { type Carrier, traceIdOf } from '#contract/carrier.ts';
import type { NewUpload, PartUrls, StartedUpload, UploadState, UploadStatus } from '#contract/uploads.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { isUuid, newId } from '#kernel/ids.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { fileKey } from '#platform/objects/keys.ts';
import { partSpan } from '#platform/objects/parts.ts';
import type { MultipartUpload } from '#platform/objects/store.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { UploadDeps } from './deps.ts';
import { planParts } from './part-plan.ts';

/** URLs in the first answer; enough to keep four connections busy while more are asked for. */
const FIRST_URLS = 16;

export interface UploadRow {
  id: string;
  workspace_id: string;
  file_id: string;
  state: UploadState;
  filename: string;
  object_key: string;
  sha256: string | null;
  size: number;
  part_size: number;
  part_count: number;
  store_upload_id: string | null;
  carrier: Carrier | null;
  expires_at: Date;
}

/** The store's view of an upload. */
export function multipartOf(row: UploadRow): MultipartUpload {
  const { object_key, store_upload_id, id, size, part_size, part_count } = row;
  return { key: object_key, id: store_upload_id ?? id, size, part_size, part_count };
}

/** @throws upload_not_found, also for another workspace's upload */
export async function getUpload(db: Db, workspaceId: string, id: string): Promise<UploadRow> {
  const row = isUuid(id)
    ? await first(
        db,
        sql<UploadRow>`
          SELECT u.*, f.filename, f.object_key, f.sha256 FROM uploads u JOIN files f ON f.id = u.file_id
          WHERE u.id = ${id} AND u.workspace_id = ${workspaceId}`,
      )
    : undefined;
  if (!row) throw fail('upload_not_found', `There is no upload ${id.slice(0, 100)}.`);
  return row;
}

/** What PostgreSQL or a person could not hold; everything else in a name is the sender's affair. */
function checkName(filename: string): void {
  if (filename.includes('\u0000')) throw invalid('filename', 'The filename holds a NUL character.', 'nul');
  if (!filename.isWellFormed()) throw invalid('filename', 'The filename is not valid Unicode.', 'unicode');
}

export interface Caller {
  workspace_id: string;
  user_id: string;
}

/**
 * File and upload in one transaction with the store's multipart; the caller's trace context is
 * kept, so that parts and the load continue it.
 * @throws invalid_input, upload_too_large, storage_full
 */
export async function beginUpload(deps: UploadDeps, caller: Caller, input: NewUpload): Promise<StartedUpload> {
  const { max_bytes } = deps.settings;
  checkName(input.filename);
  if (input.size > max_bytes) {
    throw fail(
      'upload_too_large',
      `The file has ${formatBytes(input.size)}; at most ${formatBytes(max_bytes)} are accepted.`,
    );
  }
  const carrier = currentCarrier();
  const row = newRow(deps, caller, input, carrier);
  const attributes = {
    'caudal.workspace': caller.workspace_id,
    'caudal.file.id': row.file_id,
    'caudal.upload.id': row.id,
  };
  return withSpan('sign upload', { attributes: { ...attributes, 'caudal.bytes': row.size } }, async () => {
    const multipart = await transaction(deps.db, async (tx) => {
      await insertRows(tx, row, caller, input);
      const { id, size, part_size, part_count } = row;
      const type = input.content_type ? { content_type: input.content_type } : {};
      const begun = await deps.store.beginUpload(row.object_key, { id, size, part_size, part_count, ...type });
      await sql`UPDATE uploads SET store_upload_id = ${begun.id} WHERE id = ${id}`.execute(tx);
      return begun;
    });
    const numbers = Array.from({ length: Math.min(FIRST_URLS, row.part_count) }, (_, at) => at + 1);
    return {
      upload_id: row.id,
      file_id: row.file_id,
      part_size: row.part_size,
      part_count: row.part_count,
      ...(await signParts(deps, multipart, numbers)),
      expires_at: row.expires_at.toISOString(),
    };
  });
}

function newRow(deps: UploadDeps, caller: Caller, input: NewUpload, carrier: Carrier): UploadRow {
  const file_id = newId();
  return {
    id: newId(),
    workspace_id: caller.workspace_id,
    file_id,
    state: 'open',
    filename: input.filename,
    object_key: fileKey(caller.workspace_id, file_id),
    sha256: input.sha256?.toLowerCase() ?? null,
    size: input.size,
    ...planParts(input.size),
    store_upload_id: null,
    carrier,
    expires_at: new Date(deps.clock.now().getTime() + deps.settings.retention_ms),
  };
}

async function insertRows(tx: Db, row: UploadRow, caller: Caller, input: NewUpload): Promise<void> {
  const carrier = JSON.stringify(row.carrier);
  await sql`
    INSERT INTO files (id, workspace_id, filename, size, content_type, sha256, object_key, state, dataset,
                       load_options, carrier, trace_id, created_by)
    VALUES (${row.file_id}, ${row.workspace_id}, ${row.filename}, ${row.size}, ${input.content_type || null},
            ${row.sha256}, ${row.object_key}, 'pending', ${input.dataset ?? null},
            ${jsonText(input.load ?? {})}::jsonb, ${carrier}::jsonb, ${traceIdOf(row.carrier)},
            ${caller.user_id})`.execute(tx);
  await sql`
    INSERT INTO uploads (id, workspace_id, file_id, state, size, part_size, part_count, carrier, expires_at)
    VALUES (${row.id}, ${row.workspace_id}, ${row.file_id}, 'open', ${row.size}, ${row.part_size},
            ${row.part_count}, ${carrier}::jsonb, ${row.expires_at})`.execute(tx);
}

async function signParts(deps: UploadDeps, upload: MultipartUpload, numbers: number[]): Promise<PartUrls> {
  const expires = new Date(deps.clock.now().getTime() + deps.settings.url_lifetime_ms);
  const urls = await Promise.all(
    numbers.map(async (part_number) => ({
      part_number,
      url: await deps.store.signPart(upload, part_number, partSpan(upload, part_number).length, expires),
    })),
  );
  return { urls, urls_expire_at: expires.toISOString() };
}

/** @throws upload_not_found, upload_closed, invalid_input */
export async function moreUrls(deps: UploadDeps, caller: Caller, id: string, numbers: number[]): Promise<PartUrls> {
  const row = await getUpload(deps.db, caller.workspace_id, id);
  if (row.state !== 'open') throw fail('upload_closed', `The upload takes no more parts: it is ${row.state}.`);
  const beyond = numbers.find((number) => number > row.part_count);
  if (beyond !== undefined) {
    throw invalid('part_numbers', `There is no part ${beyond}: the upload has ${row.part_count}.`, 'range');
  }
  const attributes = {
    'caudal.workspace': row.workspace_id,
    'caudal.file.id': row.file_id,
    'caudal.upload.id': row.id,
    'caudal.parts': numbers.length,
  };
  return withSpan('sign parts', { attributes }, () => signParts(deps, multipartOf(row), [...new Set(numbers)]));
}

/** What has arrived, so that only the rest need be sent. @throws upload_not_found */
export async function describeUpload(deps: UploadDeps, caller: Caller, id: string): Promise<UploadStatus> {
  const row = await getUpload(deps.db, caller.workspace_id, id);
  return {
    upload_id: row.id,
    file_id: row.file_id,
    state: row.state,
    filename: row.filename,
    size: row.size,
    part_size: row.part_size,
    part_count: row.part_count,
    parts: row.state === 'aborted' ? [] : await deps.store.listParts(multipartOf(row)),
    expires_at: row.expires_at.toISOString(),
  };
}
