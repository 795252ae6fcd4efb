import type { Readable } from 'node:stream';

/**
 * Where bytes live. The disk store serves its own signed URLs; S3 does it in the cloud; the
 * callers cannot tell which. Every implementation passes the conformance suite.
 *
 * Keys are made by Caudal (`files/<workspace>/<id>`, `lake/<workspace>/<dataset>/<segment>.parquet`):
 * no text from a user ever becomes part of one.
 */
export interface ObjectStore {
  readonly kind: 'disk' | 's3';

  /** Starts a multipart upload of exactly `size` bytes in equal parts (the last may be shorter). */
  beginUpload(key: string, options: BeginUpload): Promise<MultipartUpload>;
  /** A URL to PUT one part to; bound to method, part, exact length and expiry. May be relative to the gateway. */
  signPart(upload: MultipartUpload, part: number, length: number, expires: Date): Promise<string>;
  /** The parts that arrived whole, in order: what a resumed upload need not send again. */
  listParts(upload: MultipartUpload): Promise<ReceivedPart[]>;
  /**
   * Checks sizes and ETags of all parts (and the whole's SHA-256 where one is expected), then makes
   * the object appear at once. Idempotent: a repeat after success answers the same.
   * @throws upload_incomplete, upload_closed, checksum_mismatch
   */
  completeUpload(upload: MultipartUpload, parts: PartTag[], options?: CompleteOptions): Promise<ObjectInfo>;
  /** Leaves no bytes. Idempotent; never touches an object that a completed upload became. */
  abortUpload(upload: MultipartUpload): Promise<void>;

  /** Durable when it resolves (written, fsync'd, renamed, directory fsync'd). A local file is moved, not copied, where possible. */
  putFile(key: string, path: string, options?: PutOptions): Promise<ObjectInfo>;
  put(key: string, body: Buffer | Readable, options?: PutOptions): Promise<ObjectInfo>;
  /** @throws object_not_found */
  stat(key: string): Promise<ObjectInfo>;
  /** @throws object_not_found, range_not_satisfiable */
  read(key: string, range?: ByteRange): Promise<Readable>;
  /** Idempotent. */
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<ObjectInfo>;

  /** A local path to read the whole object from: the object itself, or a bounded cached copy, until released. */
  local(key: string): Promise<LocalObject>;
  /** A URL from which anyone holding it may GET the object until it expires. */
  signDownload(key: string, options: SignDownload): Promise<string>;

  /** Removes the store's own leftovers older than `ageMs`, where it does not do so by itself. @returns how many */
  sweep?(ageMs: number): Promise<number>;
}

export interface BeginUpload {
  /** The caller's id of the upload, a UUID; a store that can choose takes it for its own. */
  id: string;
  size: number;
  part_size: number;
  part_count: number;
  content_type?: string;
}

export interface MultipartUpload {
  key: string;
  /** The store's own id of the upload. */
  id: string;
  size: number;
  part_size: number;
  part_count: number;
}

export interface PartTag {
  part_number: number;
  etag: string;
}

export interface ReceivedPart extends PartTag {
  size: number;
}

export interface CompleteOptions {
  /** Hexadecimal; what the client says the whole object's digest is. */
  sha256?: string;
}

export interface ObjectInfo {
  key: string;
  size: number;
  /** Quoted, as in HTTP; `"md5(md5s)-n"` for multiparts. */
  etag: string;
  modified_at: Date;
}

export interface PutOptions {
  content_type?: string;
}

/** Inclusive, as in HTTP; `end` absent means to the last byte. */
export interface ByteRange {
  start: number;
  end?: number;
}

export interface LocalObject {
  path: string;
  size: number;
  release(): Promise<void>;
}

export interface SignDownload {
  filename: string;
  content_type?: string;
  expires: Date;
  /** `inline` only for what the console plays (images, clips); `attachment` otherwise. */
  disposition?: 'attachment' | 'inline';
}
