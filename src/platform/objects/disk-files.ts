import { randomUUID } from 'node:crypto';
import { constants, createWriteStream, type Stats } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail } from '#kernel/errors.ts';
import { isObjectKey, pathOfKey } from './keys.ts';
import type { ByteRange, ObjectInfo } from './store.ts';

/** Where things lie below the store's root. Names with a dot cannot be keys. */
export interface DiskLayout {
  root: string;
  /** Uploads under way, one preallocated file each, named by the upload's id. */
  uploads: string;
  /** Objects being written; whatever is here after a restart is waste. */
  temporary: string;
  /** ETags of objects that came in parts, by key. */
  etags: string;
}

export function diskLayout(root: string): DiskLayout {
  return { root, uploads: join(root, '.uploads'), temporary: join(root, '.tmp'), etags: join(root, '.etags') };
}

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException)?.code === 'ENOENT';

/** ENOSPC and its relatives as `storage_full`; anything else as it is. */
export function diskError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return fail('storage_full', 'The disk is full.', { hint: 'Free some space and try again.', cause: error });
}

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a directory whose own entry survives a power cut: every parent that gained one is synced. */
export async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  for (let parent = dirname(path); parent.length >= dirname(made).length; parent = dirname(parent)) {
    await syncDirectory(parent);
    if (parent === dirname(parent)) return;
  }
}

/** Moves a file that is already on the disk to its key: rename, then the directory's fsync. */
export async function publish(layout: DiskLayout, from: string, key: string): Promise<void> {
  const target = pathOfKey(layout.root, key);
  await makeDirectory(dirname(target));
  await rename(from, target);
  await syncDirectory(dirname(target));
}

export async function writeTemporary(layout: DiskLayout, body: Buffer | Readable): Promise<string> {
  const path = join(layout.temporary, randomUUID());
  try {
    if (Buffer.isBuffer(body)) await writeFile(path, body, { flag: 'wx', mode: 0o600, flush: true });
    else await pipeline(body, createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }));
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw diskError(error);
  }
}

/** A file from elsewhere: renamed where the file system is the same, otherwise copied beside first. */
export async function adopt(layout: DiskLayout, path: string, key: string): Promise<void> {
  await syncFile(path);
  try {
    await publish(layout, path, key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw diskError(error);
    const copy = join(layout.temporary, randomUUID());
    try {
      await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await syncFile(copy);
      await publish(layout, copy, key);
    } catch (copyError) {
      await rm(copy, { force: true });
      throw diskError(copyError);
    }
    await rm(path, { force: true });
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

interface KeptEtag {
  etag: string;
  inode: number;
}

/**
 * The ETag of a multipart object outlives its upload in a small file beside. It names the inode, so
 * that it can never be taken for that of another object under the same key; lost, it costs a
 * client's cache and nothing else, so it is not synced.
 */
export async function keepEtag(layout: DiskLayout, key: string, kept: KeptEtag): Promise<void> {
  const path = pathOfKey(layout.etags, key);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, JSON.stringify(kept), { mode: 0o600 });
}

async function keptEtag(layout: DiskLayout, key: string, inode: number): Promise<string | undefined> {
  try {
    const kept = JSON.parse(await readFile(pathOfKey(layout.etags, key), 'utf8')) as Partial<KeptEtag>;
    return kept.inode === inode ? kept.etag : undefined;
  } catch {
    return undefined;
  }
}

/** What an object is that was not put in parts: its content never changes under one inode and time. */
async function infoOf(
  layout: DiskLayout,
  key: string,
  entry: { ino: number; size: number; mtimeMs: number; mtime: Date },
): Promise<ObjectInfo> {
  const derived = `"${entry.ino.toString(16)}-${entry.size.toString(16)}-${Math.round(entry.mtimeMs * 1000).toString(16)}"`;
  const etag = (await keptEtag(layout, key, entry.ino)) ?? derived;
  return { key, size: entry.size, etag, modified_at: entry.mtime };
}

export async function statObject(layout: DiskLayout, key: string): Promise<ObjectInfo> {
  return infoOf(layout, key, await statFile(layout, key));
}

/** The file alone, without the ETag, which may stand in another. @throws object_not_found */
export async function statFile(layout: DiskLayout, key: string): Promise<Stats> {
  try {
    const entry = await stat(pathOfKey(layout.root, key));
    if (entry.isFile()) return entry;
  } catch (error) {
    if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
  }
  throw fail('object_not_found', 'There is no such object.');
}

export interface OpenObject {
  info: ObjectInfo;
  handle: FileHandle;
}

/** The object's info and its bytes are of the same inode, also when it is deleted meanwhile. @throws object_not_found */
export async function openObject(layout: DiskLayout, key: string): Promise<OpenObject> {
  let handle: FileHandle;
  try {
    handle = await open(pathOfKey(layout.root, key), 'r');
  } catch (error) {
    if (isMissing(error)) throw fail('object_not_found', 'There is no such object.', { cause: error });
    throw error;
  }
  try {
    const entry = await handle.stat();
    if (!entry.isFile()) throw fail('object_not_found', 'There is no such object.');
    return { info: await infoOf(layout, key, entry), handle };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const READ_AHEAD = 1 << 18;

/** Streams `range` and closes the handle, however it ends. @throws range_not_satisfiable */
export async function readObject({ info, handle }: OpenObject, range?: ByteRange): Promise<Readable> {
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? info.size - 1, info.size - 1);
  if (range && (start >= info.size || end < start)) {
    await handle.close();
    throw fail('range_not_satisfiable', `The object has ${info.size} bytes.`);
  }
  // An empty object has no last byte to name: an `end` of -1 would be read as none.
  if (info.size === 0) return handle.createReadStream({ highWaterMark: READ_AHEAD });
  return handle.createReadStream({ start, end, highWaterMark: READ_AHEAD });
}

/** Every object below a prefix, in key order. A key that goes while we walk is left out. */
export async function* listObjects(layout: DiskLayout, prefix: string): AsyncGenerator<ObjectInfo> {
  const from = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (from !== '' && !isObjectKey(from.slice(0, -1))) return;
  yield* walk(layout, join(layout.root, ...from.split('/')), prefix);
}

async function* walk(layout: DiskLayout, directory: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    const key = relative(layout.root, path).split(sep).join('/');
    if (!isObjectKey(key)) continue;
    if (entry.isDirectory()) {
      if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* walk(layout, path, prefix);
      continue;
    }
    if (!entry.isFile() || !key.startsWith(prefix)) continue;
    const entryStat = await stat(path).catch(() => undefined);
    if (entryStat) yield await infoOf(layout, key, entryStat);
  }
}

export async function deleteObject(layout: DiskLayout, key: string): Promise<void> {
  await rm(pathOfKey(layout.root, key), { force: true });
  await rm(pathOfKey(layout.etags, key), { force: true });
}
