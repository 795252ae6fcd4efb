import { link, rename, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '#kernel/bytes.ts';
import { fail } from '#kernel/errors.ts';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { TaskContext } from '#platform/queue/task.ts';
import type { Lineage } from './lineage.ts';
import { sniffVideo } from './sniff.ts';
import { arrivedFile } from './start-video.ts';
import { SOURCE_FILE } from './workbench.ts';

/** The safe fetcher, with the limits of videos. @throws url_refused, download_failed, video_too_large */
export type FetchVideo = (
  url: string,
  path: string,
  options: { signal: AbortSignal; onProgress(bytes: number, total: number | undefined): void },
) => Promise<{ size: number; content_type: string | null; filename: string }>;

export interface ObtainDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local'>;
  fetchVideo: FetchVideo;
  max_bytes: number;
}

/** The video on this machine, under `SOURCE_FILE` in the attempt's directory. */
export interface Obtained {
  size: number;
  filename: string;
  /** The file it is; undefined: it came from a URL and is no file yet. */
  file_id: string | undefined;
  content_type: string | null;
  release(): Promise<void>;
}

/** @throws url_refused, download_failed, file_not_found, video_too_large, empty_file, playlist_refused, not_a_video */
export async function obtain(
  deps: ObtainDeps,
  { task, signal }: TaskContext<'video'>,
  directory: string,
  lineage: Lineage,
  onProgress: (share: number, bytes: number, total: number | undefined) => void,
): Promise<Obtained> {
  const { url, file_id } = task.input;
  const target = join(directory, SOURCE_FILE);
  const obtained =
    url === undefined
      ? await openStored(deps, task.workspace_id, file_id ?? '', target)
      : await download(deps, url, target, signal, lineage, onProgress);
  try {
    await sniffVideo(target);
    return obtained;
  } catch (error) {
    await obtained.release();
    throw error;
  }
}

async function download(
  deps: ObtainDeps,
  url: string,
  target: string,
  signal: AbortSignal,
  lineage: Lineage,
  onProgress: (share: number, bytes: number, total: number | undefined) => void,
): Promise<Obtained> {
  return lineage.step('download', { 'url.full': withoutSecrets(url) }, async (note) => {
    const part = `${target}.part`;
    const fetched = await deps.fetchVideo(url, part, {
      signal,
      onProgress: (bytes, total) => onProgress(total ? bytes / total : 1 - Math.exp(-bytes / UNKNOWN), bytes, total),
    });
    await rename(part, target);
    note({ bytes: fetched.size });
    return { ...fetched, file_id: undefined, release: () => Promise.resolve() };
  });
}

/** Where the server does not say how much there is, progress creeps: two thirds at this many bytes. */
const UNKNOWN = 100_000_000;

async function openStored(deps: ObtainDeps, workspaceId: string, fileId: string, target: string): Promise<Obtained> {
  const file = await arrivedFile(deps.db, workspaceId, fileId);
  if (Number(file.size) > deps.max_bytes) {
    throw fail(
      'video_too_large',
      `The file has ${formatBytes(Number(file.size))}; ${formatBytes(deps.max_bytes)} is the most.`,
    );
  }
  const object = await deps.objects.local(file.object_key);
  await linked(object.path, target);
  const { size } = await stat(target);
  return { size, filename: file.filename, file_id: file.id, content_type: null, release: object.release };
}

/** A name of its own for the same bytes: the file may be deleted meanwhile, and its path stays ours. */
export async function linked(path: string, target: string): Promise<void> {
  await link(path, target).catch(() => symlink(path, target));
}

/** Credentials and queries (signatures) of URLs stay out of spans. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return '';
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
