import type { Principal } from '#contract/principal.ts';
import { recordCheck } from '#contract/record-check.ts';
import type { RowPhotos } from '#features/datasets/rows/sent-rows.ts';
import { takeRow } from '#features/datasets/rows/take-rows.ts';
import type { FormDeps, RowTarget } from '#features/forms/deps.ts';
import { formRoutes } from '#features/forms/form.route.ts';
import { readProgramRows } from '#features/forms/row-photos.ts';
import { adoptFile } from '#features/images/adopt.ts';
import { discardPhotos, keepPhotos, type PhotoDeps, storePhoto } from '#features/images/photos.ts';
import { createImagePool } from '#features/images/pool.ts';
import { systemClock } from '#kernel/clock.ts';
import type { Tx } from '#platform/db/db.ts';
import { loadSecretKey } from '#platform/db/secret-key.ts';
import { acceptForms } from '#platform/http/multipart.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import type { Platform } from './role.ts';

const PHOTO_TIMEOUT_MS = 30_000;
/** In one body. */
const PHOTOS_AT_ONCE = 4;

/** The forms room, with the images room for photos and the stream of a dataset's direct rows for what is sent. */
export async function openForms(
  platform: Pick<Platform, 'config' | 'log' | 'database' | 'tempDir'> & { objects: PhotoDeps['store'] },
) {
  const { config, log, objects, database, tempDir } = platform;
  const { db } = database;
  const pool = createImagePool({ log, slots: config.photoSlots, timeout_ms: PHOTO_TIMEOUT_MS });
  const deps: FormDeps = {
    db,
    clock: systemClock,
    key: await loadSecretKey(db, 'forms.key'),
    temp_dir: tempDir,
    settings: {
      per_address: config.formLimit,
      photo_bytes: config.photoMaxBytes,
      secure: config.publicUrl.startsWith('https:'),
    },
    judge: (target, record) => judgeText(target)(record).errors,
    accept,
    photos: photosOf({ db, store: objects, pool, temp_dir: tempDir, max_bytes: config.photoMaxBytes }),
  };
  const limits = { file_bytes: config.photoMaxBytes, total_bytes: config.photoMaxBytes * PHOTOS_AT_ONCE };
  const rowPhotos: RowPhotos = {
    acceptForms: (scope) => acceptForms(scope, tempDir, limits),
    read: (target, rows, principal) => readProgramRows(deps, target, rows, principal),
  };
  return { routes: formRoutes(deps), rowPhotos, close: () => pool.close() };
}

function judgeText({ columns }: RowTarget) {
  return recordCheck(columns, { blank_is_empty: true });
}

async function accept(
  tx: Tx,
  target: RowTarget,
  record: Record<string, unknown>,
  principal: Principal | null,
): Promise<string> {
  const { values } = judgeText(target)(record);
  const { workspace_id, dataset_id } = target;
  const bearer = { carrier: currentCarrier(), principal: principal?.user_id ?? null };
  return (await takeRow(tx, { workspace_id, dataset_id, row: values, ...bearer })).source_id;
}

function photosOf(deps: PhotoDeps): FormDeps['photos'] {
  return {
    async store({ workspace_id, dataset_id }, { column, path }, principal) {
      const user_id = principal?.user_id ?? null;
      return (await storePhoto(deps, { workspace_id, dataset_id, column, path, user_id })).file_id;
    },
    adopt({ workspace_id, dataset_id }, { column, file_id }, principal) {
      const user_id = principal?.user_id ?? null;
      return adoptFile(deps, { workspace_id, dataset_id, column, file_id, user_id });
    },
    keep: (tx, { workspace_id }, ids) => keepPhotos(tx, workspace_id, ids),
    discard: (ids) => discardPhotos(deps, ids),
  };
}
