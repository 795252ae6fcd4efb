import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DeclaredColumn } from '#contract/datasets.ts';
import { acceptedImages, type ImageType, PHOTO_BYTES } from '#contract/images.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, type Tx } from '#platform/db/db.ts';
import { fileKey } from '#platform/objects/keys.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { currentTraceId, withSpan } from '#platform/observe/tracing.ts';
import type { ImagePool } from './pool.ts';
import type { EncodedImage } from './protocol.ts';

export interface PhotoDeps {
  db: Db;
  store: Pick<ObjectStore, 'local' | 'putFile' | 'delete'>;
  pool: ImagePool;
  temp_dir: string;
  /** The largest photo that is taken, whatever a column says. */
  max_bytes: number;
}

/** A picture that arrived for one cell, still as it was sent. */
export interface NewPhoto {
  workspace_id: string;
  dataset_id: string;
  column: Pick<DeclaredColumn, 'name' | 'accept' | 'max_bytes'>;
  /** The bytes as they came; left where they are. */
  path: string;
  /** Null for somebody who is not signed in. */
  user_id: string | null;
}

export interface StoredPhoto {
  file_id: string;
  content_type: ImageType;
  bytes: number;
}

/** 50 million pixels: what phones of today take at most by default. */
const MAX_PIXELS = 50_000_000;
const MAX_SIDE = 4096;

/**
 * Checks by content, encodes anew and stores privately. Nobody's until `keepPhotos` in the transaction that accepts its
 * row; `discardPhotos` when the row is refused, and the sweep for a process that died in between.
 *
 * @throws unsupported_image, image_too_large, image_damaged, image_busy, each naming the column
 */
export async function storePhoto(deps: PhotoDeps, photo: NewPhoto): Promise<StoredPhoto> {
  const { workspace_id, column } = photo;
  const attributes = { 'caudal.workspace': workspace_id, 'caudal.column': column.name };
  return withSpan('store photo', { attributes }, async (span) => {
    const id = newId();
    const encoded = join(deps.temp_dir, `photo.${id}`);
    try {
      const image = await encodeChecked(deps, photo, encoded);
      span.setAttributes({ 'caudal.file.id': id, 'caudal.bytes': image.bytes });
      await keepObject(deps, photo, id, encoded, image);
      count(workspace_id, 'stored');
      return { file_id: id, content_type: image.content_type, bytes: image.bytes };
    } catch (error) {
      count(workspace_id, error instanceof CaudalError ? error.code : 'internal');
      throw named(error, column.name);
    } finally {
      await rm(encoded, { force: true });
    }
  });
}

function count(workspace: string, outcome: string): void {
  counter('caudal.photos').add(1, { 'caudal.outcome': outcome, 'caudal.workspace': workspace });
}

async function encodeChecked(deps: PhotoDeps, { column, path }: NewPhoto, out_path: string): Promise<EncodedImage> {
  const most = Math.min(column.max_bytes ?? PHOTO_BYTES, deps.max_bytes);
  const { size } = await stat(path);
  if (size > most) {
    throw fail('image_too_large', `The image has ${formatBytes(size)}; at most ${formatBytes(most)} are accepted.`);
  }
  const accept = acceptedImages(column.accept);
  const limits = { max_pixels: MAX_PIXELS, max_side: MAX_SIDE };
  return withSpan('encode image', { attributes: { 'caudal.bytes': size } }, () =>
    deps.pool.encode({ in_path: path, out_path, accept, ...limits }),
  );
}

/** The object first: without its row it is an orphan that the sweep knows. */
async function keepObject(deps: PhotoDeps, photo: NewPhoto, id: string, path: string, image: EncodedImage) {
  const { workspace_id, dataset_id, column, user_id } = photo;
  const key = fileKey(workspace_id, id);
  const sha256 = await digest(path);
  const { etag } = await deps.store.putFile(key, path, { content_type: image.content_type });
  // The sender's name for it may say who is on it; ours says what it is.
  const filename = `${column.name}-${id.slice(-12)}.${image.content_type.slice('image/'.length)}`;
  await sql`
    INSERT INTO files (id, workspace_id, filename, size, content_type, sha256, etag, object_key, state, trace_id,
                       created_by, photo_of, photo_column)
    VALUES (${id}, ${workspace_id}, ${filename}, ${image.bytes}, ${image.content_type}, ${sha256}, ${etag}, ${key},
            'stored', ${currentTraceId()}, ${user_id}, ${dataset_id}, ${column.name})`.execute(deps.db);
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function named(error: unknown, field: string): unknown {
  const { code, message, hint, retry_after } = error as CaudalError;
  if (code !== 'unsupported_image' && code !== 'image_too_large' && code !== 'image_damaged') return error;
  return fail(code, message, {
    errors: [{ field, code, message }],
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(retry_after === undefined ? {} : { retry_after }),
  });
}

/**
 * In the transaction that accepts their row.
 * @throws file_not_found when one has been swept since: the row must not name it
 */
export async function keepPhotos(tx: Tx, workspaceId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const kept = await rows(
    tx,
    sql<{ id: string }>`
      UPDATE files SET kept_at = coalesce(kept_at, now()), updated_at = now()
      WHERE id = ANY(${[...ids].sort()}::uuid[]) AND workspace_id = ${workspaceId} AND deleted_at IS NULL
      RETURNING id`,
  );
  if (kept.length < new Set(ids).size) throw fail('file_not_found', 'A photo is no longer there: send it again.');
}

/** Those of a row that was refused. What has been kept stays. */
export async function discardPhotos(deps: Pick<PhotoDeps, 'db' | 'store'>, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await removeAll(
    deps,
    await rows(
      deps.db,
      sql<{ object_key: string }>`
        UPDATE files SET deleted_at = now(), updated_at = now()
        WHERE id = ANY(${[...ids]}::uuid[]) AND photo_column IS NOT NULL AND kept_at IS NULL AND deleted_at IS NULL
        RETURNING object_key`,
    ),
  );
}

const AT_A_TIME = 500;

/**
 * Photos that nobody kept within an hour, and those of deleted datasets.
 * @returns how many went
 */
export async function sweepPhotos(deps: Pick<PhotoDeps, 'db' | 'store'>): Promise<number> {
  let swept = 0;
  for (;;) {
    const found = await rows(
      deps.db,
      sql<{ object_key: string }>`
        UPDATE files SET deleted_at = now(), updated_at = now()
        WHERE id IN (
          SELECT f.id FROM files f LEFT JOIN datasets d ON d.id = f.photo_of
          WHERE f.photo_column IS NOT NULL AND f.deleted_at IS NULL
            AND (f.kept_at IS NULL AND f.created_at < now() - interval '1 hour' OR d.id IS NULL OR d.deleted_at IS NOT NULL)
          LIMIT ${AT_A_TIME} FOR UPDATE OF f SKIP LOCKED)
        RETURNING object_key`,
    );
    await removeAll(deps, found);
    swept += found.length;
    if (found.length < AT_A_TIME) return swept;
  }
}

/** An object that outlives a crash here is an orphan, which the lake's sweep collects. */
async function removeAll(deps: Pick<PhotoDeps, 'store'>, found: { object_key: string }[]): Promise<void> {
  for (const { object_key } of found) await deps.store.delete(object_key);
}
