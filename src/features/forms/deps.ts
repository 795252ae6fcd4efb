import type { DeclaredColumn } from '#contract/datasets.ts';
import type { Principal } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import type { FieldError } from '#kernel/errors.ts';
import type { Db, Tx } from '#platform/db/db.ts';

/** Where a row goes. */
export interface RowTarget {
  workspace_id: string;
  dataset_id: string;
  /** The dataset's name. */
  name: string;
  columns: DeclaredColumn[];
}

/** A picture that was sent for a cell, before it is known to be one. */
export interface SentPhoto {
  column: DeclaredColumn;
  path: string;
}

/** A file of the workspace that is named where a photo belongs. */
export interface NamedFile {
  column: DeclaredColumn;
  file_id: string;
}

/** What a role hands this feature: the rows room's way of taking a row, and the images room's of taking a photo. */
export interface FormDeps {
  db: Db;
  clock: Clock;
  /** The installation's key for tokens of forms. */
  key: Buffer;
  temp_dir: string;
  settings: FormLimits;
  /** What is wrong with a record of texts, in the API's words; an empty text is no value. */
  judge(target: RowTarget, record: Record<string, unknown>): FieldError[];
  /**
   * Takes the row, durable when the transaction commits.
   * @returns the id under which the row's source is found
   * @throws duplicate_key naming the field
   */
  accept(tx: Tx, target: RowTarget, record: Record<string, unknown>, principal: Principal | null): Promise<string>;
  photos: {
    /** @throws unsupported_image, image_too_large, image_damaged, image_busy */
    store(target: RowTarget, photo: SentPhoto, principal: Principal | null): Promise<string>;
    /** A file that the row names by its id. @throws invalid_input, and as `store` */
    adopt(target: RowTarget, named: NamedFile, principal: Principal | null): Promise<string>;
    /** In the transaction that accepts the row. @throws file_not_found when it was swept since */
    keep(tx: Tx, target: RowTarget, ids: readonly string[]): Promise<void>;
    discard(ids: readonly string[]): Promise<void>;
  };
}

export interface FormLimits {
  /** Forms from one address in ten minutes, of people who are not signed in. */
  per_address: number;
  /** The largest photo. */
  photo_bytes: number;
  /** People reach us by https, also where a proxy ends it: cookies are for it alone. */
  secure: boolean;
}
