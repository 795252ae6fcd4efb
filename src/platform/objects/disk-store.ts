import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Readable } from 'node:stream';
import type { Clock } from '#kernel/clock.ts';
import { systemClock } from '#kernel/clock.ts';
import {
  adopt,
  deleteObject,
  diskLayout,
  listObjects,
  type OpenObject,
  openObject,
  publish,
  readObject,
  statFile,
  statObject,
  writeTemporary,
} from './disk-files.ts';
import {
  abortUpload,
  beginUpload,
  completeUpload,
  type DiskUploads,
  prepareDisk,
  sweepDisk,
  writePart,
} from './disk-uploads.ts';
import { safeContentType, shortFilename } from './disposition.ts';
import { isObjectKey, pathOfKey } from './keys.ts';
import type { PartLease, PartLedger } from './part-ledger.ts';
import { partSpan } from './parts.ts';
import { type DownloadGrant, type PartGrant, signGrant, verifyGrant } from './signature.ts';
import type { MultipartUpload, ObjectStore, SignDownload } from './store.ts';
import { writerThreads } from './writer-threads.ts';

export interface DiskStoreOptions {
  /** Directory of the store's own; made if missing. Several instances may share it. */
  root: string;
  /** The installation's key (`loadSecretKey`): at least 32 bytes. */
  signingKey: Buffer;
  ledger: PartLedger;
  /** Put before signed paths; empty: relative to the gateway. */
  baseUrl?: string;
  /** Free bytes below which nothing new is accepted. */
  diskFloor?: number;
  /** A part's body that sends nothing for this long is given up. */
  bodyIdleMs?: number;
  minBytesPerSecond?: number;
  leaseRenewMs?: number;
  threads?: number;
  clock?: Clock;
}

/** What only a store has that serves its own URLs. */
export interface DiskStore extends ObjectStore {
  readonly kind: 'disk';
  readonly signed: SignedObjects;
  /** Removes leftovers older than `ageMs`. @returns how many */
  sweep(ageMs: number): Promise<number>;
  close(): Promise<void>;
}

/** The store's side of its signed URLs; HTTP is the route's. */
export interface SignedObjects {
  /** @throws signature_invalid, signature_expired */
  verifyPart(grant: PartGrant, signature: string): void;
  verifyDownload(grant: DownloadGrant, signature: string): void;
  lease(grant: PartGrant): Promise<PartLease>;
  /** Gives the lease back in any case. */
  write(grant: PartGrant, lease: PartLease, body: Readable): Promise<string>;
  open(key: string): Promise<OpenObject>;
}

export async function openDiskStore(options: DiskStoreOptions): Promise<DiskStore> {
  if (options.signingKey.length < 32) throw new TypeError('the signing key is shorter than 32 bytes');
  const layout = diskLayout(options.root);
  const clock = options.clock ?? systemClock;
  const disk: DiskUploads = {
    layout,
    ledger: options.ledger,
    threads: writerThreads(options.threads ?? Math.min(4, availableParallelism())),
    limits: { idle_ms: options.bodyIdleMs ?? 30_000, min_bytes_per_second: options.minBytesPerSecond ?? 4096 },
    floor: options.diskFloor ?? 500_000_000,
    renew_ms: options.leaseRenewMs ?? 5000,
  };
  await prepareDisk(layout);
  const put = async (key: string, body: Buffer | Readable) => {
    pathOfKey(layout.root, key);
    const temporary = await writeTemporary(layout, body);
    try {
      await publish(layout, temporary, key);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return statObject(layout, key);
  };
  return {
    kind: 'disk',
    beginUpload: (key, begin) => beginUpload(disk, key, begin),
    signPart: async (upload, part, length, expires) =>
      (options.baseUrl ?? '') + partUrl(options.signingKey, upload, part, length, expires),
    listParts: (upload) => disk.ledger.parts(upload.id),
    completeUpload: (upload, parts, complete) => completeUpload(disk, upload, parts, complete),
    abortUpload: (upload) => abortUpload(disk, upload),
    putFile: async (key, path) => {
      await adopt(layout, path, key);
      return statObject(layout, key);
    },
    put,
    stat: (key) => statObject(layout, key),
    read: async (key, range) => readObject(await openObject(layout, key), range),
    delete: (key) => deleteObject(layout, key),
    list: (prefix) => listObjects(layout, prefix),
    local: async (key) => {
      const { size } = await statFile(layout, key);
      return { path: pathOfKey(layout.root, key), size, release: async () => undefined };
    },
    signDownload: async (key, download) => (options.baseUrl ?? '') + downloadUrl(options.signingKey, key, download),
    signed: {
      verifyPart: (grant, signature) =>
        verifyGrant(options.signingKey, { method: 'PUT', ...grant }, signature, clock.now()),
      verifyDownload: (grant, signature) =>
        verifyGrant(options.signingKey, { method: 'GET', ...grant }, signature, clock.now()),
      lease: (grant) => disk.ledger.lease(grant.upload_id, grant.part_number, grant.length),
      write: (grant, lease, body) => writePart(disk, grant, lease, body),
      open: (key) => openObject(layout, key),
    },
    sweep: (ageMs) => sweepDisk(disk, ageMs, clock.now()),
    close: () => disk.threads.close(),
  };
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

/** The part's place is signed too: the one who serves it need not look the upload's geometry up. */
function partUrl(key: Buffer, upload: MultipartUpload, part: number, length: number, expires: Date): string {
  const span = partSpan(upload, part);
  if (span.length !== length) throw new RangeError(`part ${part} has ${span.length} bytes, not ${length}`);
  const grant = { upload_id: upload.id, part_number: part, ...span, expires: seconds(expires) };
  const query = new URLSearchParams({
    offset: String(span.offset),
    length: String(length),
    expires: String(grant.expires),
    signature: signGrant(key, { method: 'PUT', ...grant }),
  });
  return `/objects/uploads/${upload.id}/parts/${part}?${query}`;
}

function downloadUrl(signingKey: Buffer, key: string, options: SignDownload): string {
  if (!isObjectKey(key)) throw new TypeError('not an object key');
  const grant: DownloadGrant = {
    key,
    filename: shortFilename(options.filename),
    content_type: safeContentType(options.content_type),
    disposition: options.disposition ?? 'attachment',
    expires: seconds(options.expires),
  };
  const query = new URLSearchParams({
    filename: grant.filename,
    type: grant.content_type,
    disposition: grant.disposition,
    expires: String(grant.expires),
    signature: signGrant(signingKey, { method: 'GET', ...grant }),
  });
  return `/objects/${key}?${query}`;
}
