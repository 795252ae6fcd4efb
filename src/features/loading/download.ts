import { join } from 'node:path';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext } from '#platform/queue/task.ts';
import { type FileRow, recordArrival } from './file-state.ts';

/** The safe fetcher: public addresses only, limited in size and time. @throws url_refused, download_failed */
export type FetchToFile = (
  url: string,
  path: string,
  options: { signal: AbortSignal },
) => Promise<{ size: number; content_type: string | null; sha256?: string }>;

interface DownloadDeps {
  db: Db;
  objects: Pick<ObjectStore, 'putFile'>;
  fetchToFile: FetchToFile;
}

/** For a load from a URL: the bytes become the file's object, once; a redelivered task finds them there. */
export async function download(
  deps: DownloadDeps,
  { task, signal }: TaskContext<'load'>,
  file: FileRow,
  directory: string,
): Promise<void> {
  const { url } = task.input;
  if (url === undefined || file.etag !== null) return;
  await withSpan(
    'download',
    { attributes: { 'url.full': withoutSecrets(url), 'caudal.file.id': file.id } },
    async (span) => {
      const path = join(directory, 'download');
      const fetched = await deps.fetchToFile(url, path, { signal });
      const object = await deps.objects.putFile(file.object_key, path);
      span.setAttribute('caudal.file.bytes', fetched.size);
      const { size, content_type, sha256 = null } = fetched;
      await recordArrival(deps.db, file.id, { size, etag: object.etag, content_type, sha256 });
    },
  );
}

/** Credentials and queries (signatures) of URLs stay out of spans. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return '';
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
