import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { isUuid } from '#kernel/ids.ts';
import { type DiskLayout, deleteObject, diskError, isMissing, keepEtag, publish, statObject } from './disk-files.ts';
import { isObjectKey } from './keys.ts';
import type { PartLease, PartLedger } from './part-ledger.ts';
import { type BodyLimits, receivePart } from './part-writer.ts';
import { matchParts, multipartEtag } from './parts.ts';
import type { PartGrant } from './signature.ts';
import type { BeginUpload, CompleteOptions, MultipartUpload, ObjectInfo, PartTag } from './store.ts';
import type { WriterThreads } from './writer-threads.ts';

export interface DiskUploads {
  layout: DiskLayout;
  ledger: PartLedger;
  threads: WriterThreads;
  limits: BodyLimits;
  /** Free bytes that must remain, or nothing new is accepted. */
  floor: number;
  /** How often a writer renews its lease; well below the ledger's own term. */
  renew_ms: number;
}

function uploadPath(layout: DiskLayout, id: string): string {
  if (!isUuid(id)) throw new TypeError('an upload is named by a UUID');
  return join(layout.uploads, id.toLowerCase());
}

/** @throws storage_full when `bytes` more would leave less than the floor */
async function checkSpace(disk: DiskUploads, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk.layout.root);
  if (bavail * bsize - bytes >= disk.floor) return;
  throw fail('storage_full', 'There is not enough free disk space for this.', {
    hint: 'Delete files that are no longer needed, or give the data directory a larger disk.',
  });
}

/** The file has its full length from the start (sparse), so that parts arrive in any order. */
export async function beginUpload(disk: DiskUploads, key: string, options: BeginUpload): Promise<MultipartUpload> {
  if (!isObjectKey(key)) throw new TypeError('not an object key');
  const { id, size, part_size, part_count } = options;
  await checkSpace(disk, size);
  const path = uploadPath(disk.layout, id);
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.truncate(size);
  } catch (error) {
    await rm(path, { force: true });
    throw diskError(error);
  } finally {
    await handle.close();
  }
  return { key, id, size, part_size, part_count };
}

/**
 * One part: takes its lease, writes, fdatasync, then records the ETag, in this order, so that a
 * recorded part is on the disk whatever happens next.
 *
 * A writer that slept past its lease finds out before its next renewal and stops; the one batch
 * that may already be in the thread is the remaining risk of a shared file, which the optional
 * SHA-256 of the whole would show.
 *
 * @returns the quoted ETag
 * @throws part_in_flight, upload_closed, upload_not_found, length_mismatch, request_timeout, storage_full
 */
export async function writePart(
  disk: DiskUploads,
  grant: PartGrant,
  lease: PartLease,
  body: Readable,
): Promise<string> {
  try {
    await checkSpace(disk, grant.length);
    const etag = `"${await writeBytes(disk, grant, lease, body)}"`;
    faultPoint('upload.part-written');
    await disk.ledger.record(lease, etag);
    return etag;
  } catch (error) {
    await disk.ledger.release(lease).catch(() => undefined);
    throw diskError(error);
  }
}

async function writeBytes(disk: DiskUploads, grant: PartGrant, lease: PartLease, body: Readable): Promise<string> {
  const handle = await openUpload(disk.layout, grant.upload_id);
  const lost = new AbortController();
  const renewing = setInterval(() => {
    disk.ledger.renew(lease).then(
      (held) => held || lost.abort(fail('upload_closed', 'The upload ended, or another request took this part over.')),
      () => undefined,
    );
  }, disk.renew_ms);
  try {
    const { offset, length } = grant;
    const part = { body, fd: handle.fd, offset, length, limits: disk.limits, signal: lost.signal };
    const md5 = await receivePart(disk.threads.job(), part);
    await handle.datasync();
    return md5;
  } finally {
    clearInterval(renewing);
    await handle.close();
  }
}

async function openUpload(layout: DiskLayout, id: string) {
  try {
    return await open(uploadPath(layout, id), 'r+');
  } catch (error) {
    if (isMissing(error)) throw fail('upload_closed', 'The upload takes no more parts.', { cause: error });
    throw error;
  }
}

/** Fsync and rename: 10 GB become an object in the time of a directory entry. */
export async function completeUpload(
  disk: DiskUploads,
  upload: MultipartUpload,
  parts: PartTag[],
  options: CompleteOptions = {},
): Promise<ObjectInfo> {
  const received = await disk.ledger.parts(upload.id);
  matchParts(upload, received, parts);
  const path = uploadPath(disk.layout, upload.id);
  const handle = await open(path, 'r+').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (!handle) return completedBefore(disk, upload);
  try {
    if (options.sha256) await checkDigest(disk, handle.fd, upload.size, options.sha256);
    await handle.sync();
    await keepEtag(disk.layout, upload.key, { etag: multipartEtag(received), inode: (await handle.stat()).ino });
  } finally {
    await handle.close();
  }
  faultPoint('upload.before-rename');
  try {
    await publish(disk.layout, path, upload.key);
  } catch (error) {
    if (!isMissing(error)) throw diskError(error);
    return completedBefore(disk, upload);
  }
  return statObject(disk.layout, upload.key);
}

/** The upload's file is gone: it became the object (by an earlier call), or it was aborted. */
async function completedBefore(disk: DiskUploads, upload: MultipartUpload): Promise<ObjectInfo> {
  try {
    return await statObject(disk.layout, upload.key);
  } catch (error) {
    await deleteObject(disk.layout, upload.key);
    throw fail('upload_closed', 'The upload has ended; its bytes are gone.', { cause: error });
  }
}

/**
 * Parts come in any order, so the whole's digest can only be taken when all are here: one read
 * through the page cache in the writer thread, 1.7 GB/s, before the object appears.
 */
async function checkDigest(disk: DiskUploads, fd: number, size: number, expected: string): Promise<void> {
  const found = await disk.threads.job().sha256(fd, size);
  if (found === expected.toLowerCase()) return;
  throw fail('checksum_mismatch', `The file that arrived has SHA-256 ${found}, not ${expected.toLowerCase()}.`, {
    hint: 'It changed on the way or while it was read: upload it again.',
  });
}

export async function abortUpload(disk: DiskUploads, upload: MultipartUpload): Promise<void> {
  await rm(uploadPath(disk.layout, upload.id), { force: true });
}

/**
 * Removes what no one will finish: temporary files older than `ageMs`, and files of uploads that the
 * ledger does not know as open (a process died between making the file and committing the upload).
 * @returns how many were removed
 */
export async function sweepDisk(disk: DiskUploads, ageMs: number, now: Date): Promise<number> {
  const old = async (directory: string): Promise<string[]> => {
    const names = await readdir(directory);
    const stats = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => undefined)));
    return names.filter((_, at) => now.getTime() - (stats[at]?.mtimeMs ?? now.getTime()) > ageMs);
  };
  const uploads = await old(disk.layout.uploads);
  const open = await disk.ledger.open(uploads.filter(isUuid));
  const waste = [
    ...(await old(disk.layout.temporary)).map((name) => join(disk.layout.temporary, name)),
    ...uploads.filter((name) => !open.has(name)).map((name) => join(disk.layout.uploads, name)),
  ];
  await Promise.all(waste.map((path) => rm(path, { force: true })));
  return waste.length;
}

export async function prepareDisk(layout: DiskLayout): Promise<void> {
  for (const path of [layout.root, layout.uploads, layout.temporary, layout.etags]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
}
