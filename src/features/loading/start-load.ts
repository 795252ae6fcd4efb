import { traceIdOf } from '#contract/carrier.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx, transaction } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { fileKey } from '#platform/objects/keys.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { lockFile } from './file-state.ts';

export interface StartLoadDeps {
  db: Db;
  enqueue: Enqueue;
}

export interface LoadRequest {
  workspace_id: string;
  user_id: string;
  /** One of the two. */
  file_id?: string;
  url?: string;
  /** Absent: named after the file. */
  dataset?: string;
  options?: ReaderOptions;
}

/**
 * Enqueues the load of a file that has arrived, or of a URL, which becomes a file of its own.
 *
 * @throws invalid_input, file_not_found, file_not_stored, file_busy
 */
export async function startLoad(deps: StartLoadDeps, request: LoadRequest): Promise<{ id: string; file_id: string }> {
  const { file_id, url } = request;
  if ((file_id === undefined) === (url === undefined)) {
    throw invalid('file_id', 'Give either file_id or url.', 'exactly_one');
  }
  return transaction(deps.db, async (tx) => {
    const file =
      url === undefined ? await arrivedFile(tx, request, file_id ?? '') : await newRemoteFile(tx, request, url);
    const { mode, ...options } = request.options ?? {};
    const { id } = await deps.enqueue(tx, {
      workspace_id: request.workspace_id,
      kind: 'load',
      input: {
        file_id: file,
        ...(request.dataset === undefined ? {} : { dataset: request.dataset }),
        ...(mode === undefined ? {} : { mode }),
        ...(Object.keys(options).length === 0 ? {} : { options }),
        ...(url === undefined ? {} : { url }),
      },
      created_by: request.user_id,
    });
    await sql`UPDATE files SET task_id = ${id}, updated_at = now() WHERE id = ${file}`.execute(tx);
    return { id, file_id: file };
  });
}

async function arrivedFile(tx: Tx, { workspace_id }: LoadRequest, fileId: string): Promise<string> {
  const file = await lockFile(tx, workspace_id, fileId);
  if (file.state === 'pending') {
    throw fail('file_not_stored', `"${file.filename}" has not arrived yet.`, { hint: 'Complete its upload first.' });
  }
  const active = await first(
    tx,
    sql<{ id: string }>`SELECT id FROM tasks WHERE id = ${file.task_id} AND status IN ('queued', 'running')`,
  );
  if (active) {
    throw fail('file_busy', `A load of "${file.filename}" waits or runs already.`, {
      hint: `Wait for task ${active.id}, or cancel it: DELETE /tasks/${active.id}.`,
      retry_after: 1,
    });
  }
  return file.id;
}

/** The file of a URL is `loading` from the start: its bytes arrive within the load. */
async function newRemoteFile(tx: Tx, request: LoadRequest, url: string): Promise<string> {
  const id = newId();
  const carrier = currentCarrier();
  await sql`
    INSERT INTO files (id, workspace_id, filename, size, object_key, state, dataset, load_options, carrier, trace_id, created_by)
    VALUES (${id}, ${request.workspace_id}, ${filenameOf(url)}, 0, ${fileKey(request.workspace_id, id)}, 'loading',
            ${request.dataset ?? null}, ${jsonText(request.options ?? {})}::jsonb, ${jsonText(carrier)}::jsonb,
            ${traceIdOf(carrier)}, ${request.user_id})`.execute(tx);
  return id;
}

/** `https://example.org/a/b%20c.csv?x=1` → `b c.csv`; a URL without a path is called by its host. @throws invalid_input */
export function filenameOf(url: string): string {
  if (!URL.canParse(url)) throw invalid('url', 'This is not a URL.', 'invalid_url');
  const { protocol, pathname, hostname } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw invalid('url', 'Only http and https URLs can be loaded.', 'invalid_url');
  }
  const last = pathname.split('/').at(-1) ?? '';
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // A stray percent sign: the name stays as it is written.
  }
  const clean = name
    .replaceAll(/[\p{Cc}/\\]/gu, '_')
    .toWellFormed()
    .slice(0, 255);
  return clean === '' ? hostname : clean;
}
