import type { File as CaudalFile } from '../../../../src/contract/files.ts';
import type { UploadEntry } from '../../uploads/entry.ts';

/** A line of the table: an upload of this page until its file has arrived, then the file. */
export type Line = { key: string } & ({ upload: UploadEntry; file?: never } | { upload?: never; file: CaudalFile });

/**
 * Uploads and files as one list, newest first. An upload keeps its line, and its key, when it becomes a file:
 * uploads begin in the order in which they were chosen, so both lists have the same order and nothing jumps.
 */
export function linesOf(uploads: readonly UploadEntry[], files: readonly CaudalFile[]): Line[] {
  const sending = new Map(uploads.map((upload) => [upload.file_id ?? upload.key, upload]));
  const listed = new Set(files.map(({ id }) => id));
  const first = [...sending].filter(([key]) => !listed.has(key)).map(([key, upload]) => ({ key, upload }));
  return [
    ...first,
    ...files.map((file) => {
      const upload = file.state === 'pending' ? sending.get(file.id) : undefined;
      return upload ? { key: file.id, upload } : { key: file.id, file };
    }),
  ];
}
