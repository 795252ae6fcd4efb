import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { fail } from '#kernel/errors.ts';

/**
 * A backup is a directory:
 *
 *   manifest.json            written last: a directory without one is no backup
 *   catalogue/<table>.copy   PostgreSQL's COPY text format
 *   objects.ndjson           one BackupObject a line
 *   objects/<key>            the bytes
 *
 * The manifest holds the sha-256 of every file below `catalogue` and of `objects.ndjson`, which holds
 * those of the objects: whoever trusts the manifest can check everything else.
 */
export const FORMAT = 1;

const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Count = Type.Integer({ minimum: 0 });

export const BackupTable = Type.Object({
  name: Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' }),
  columns: Type.Array(Type.String(), { minItems: 1 }),
  rows: Count,
  bytes: Count,
  sha256: Digest,
});
export type BackupTable = Static<typeof BackupTable>;

export const BackupObject = Type.Object({ key: Type.String(), size: Count, sha256: Digest });
export type BackupObject = Static<typeof BackupObject>;

export const Manifest = Type.Object({
  format: Type.Literal(FORMAT),
  /** Version of the program that made it. */
  program: Type.String(),
  made_at: Type.String(),
  /** Numbers of the migrations that had been applied. */
  migrations: Type.Array(Type.Integer(), { minItems: 1 }),
  /** In an order in which they can be filled. */
  tables: Type.Array(BackupTable),
  objects: Type.Object({ count: Count, bytes: Count, sha256: Digest }),
  /** Keys that the catalogue lists and the object store did not have. */
  missing: Type.Array(Type.String()),
});
export type Manifest = Static<typeof Manifest>;

export const manifestPath = (directory: string): string => join(directory, 'manifest.json');
export const tablePath = (directory: string, table: string): string => join(directory, 'catalogue', `${table}.copy`);
export const objectListPath = (directory: string): string => join(directory, 'objects.ndjson');
export const objectsRoot = (directory: string): string => join(directory, 'objects');

/** @throws backup_damaged, backup_too_new */
export async function readManifest(directory: string): Promise<Manifest> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(manifestPath(directory), 'utf8'));
  } catch (cause) {
    throw fail('backup_damaged', `There is no readable manifest.json in ${directory}.`, {
      hint: 'It is written last, so this backup did not finish, or the directory is another one.',
      cause,
    });
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > FORMAT) {
    throw fail('backup_too_new', `The backup has format ${format}, this program knows ${FORMAT}.`);
  }
  if (!Value.Check(Manifest, value)) throw fail('backup_damaged', 'The manifest is not one of a backup.');
  return value;
}
