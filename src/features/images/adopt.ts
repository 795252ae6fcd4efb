import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { first, sql } from '#platform/db/db.ts';
import { type NewPhoto, type PhotoDeps, storePhoto } from './photos.ts';

export interface NamedFile extends Omit<NewPhoto, 'path'> {
  /** As the caller wrote it into the cell. */
  file_id: string;
}

interface Found {
  object_key: string;
  state: string;
  photo_of: string | null;
}

/**
 * A file that a row names by its id: a photo of the same dataset stays what it is; of an upload a photo is made, as if
 * its bytes had come with the row.
 *
 * @returns the photo's id
 * @throws invalid_input for what is no file of the workspace; what `storePhoto` throws
 */
export async function adoptFile(deps: PhotoDeps, { file_id, ...photo }: NamedFile): Promise<string> {
  const { workspace_id, dataset_id, column } = photo;
  const found = isUuid(file_id)
    ? await first(
        deps.db,
        sql<Found>`
          SELECT object_key, state, photo_of FROM files
          WHERE id = ${file_id} AND workspace_id = ${workspace_id} AND deleted_at IS NULL`,
      )
    : undefined;
  if (found?.photo_of === dataset_id) return file_id;
  if (!found || found.state === 'pending') {
    const message = found ? 'The file has not arrived yet.' : 'There is no such file.';
    const code = found ? 'file_not_stored' : 'file_not_found';
    throw fail('invalid_input', `${column.name}: ${message}`, { errors: [{ field: column.name, code, message }] });
  }
  const local = await deps.store.local(found.object_key);
  try {
    return (await storePhoto(deps, { ...photo, path: local.path })).file_id;
  } finally {
    await local.release();
  }
}
