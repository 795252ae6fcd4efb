import type { Principal } from '#contract/principal.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { Tx } from '#platform/db/db.ts';
import type { ReceivedFile } from '#platform/http/multipart.ts';
import type { FormDeps, RowTarget } from './deps.ts';
import { readRow } from './read-row.ts';

/** A row as a program sends it: photos as files, or by their id in the record. */
interface ProgramRow {
  record: Record<string, unknown>;
  repeated: readonly string[];
  files: readonly ReceivedFile[];
}

/**
 * Photos of rows that a program sends, one row after the other. What is wrong with the only row is told with all else that
 * is wrong with it; of several rows the first refusal ends it all, naming the row.
 */
export async function readProgramRows(
  deps: Pick<FormDeps, 'photos'>,
  target: RowTarget,
  rows: readonly ProgramRow[],
  principal: Principal,
) {
  const ids: string[] = [];
  const records: Record<string, unknown>[] = [];
  const refusals: CaudalError[] = [];
  const discard = (): Promise<void> => deps.photos.discard(ids);
  try {
    for (const [index, row] of rows.entries()) {
      const read = await readRow(deps, { ...row, target, principal, kept: {}, names_files: true });
      ids.push(...Object.values(read.photos));
      records.push(read.record);
      const [first] = read.refusals;
      if (first && rows.length > 1) throw ofRow(first, index);
      refusals.push(...read.refusals);
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return { records, refusals, keep: (tx: Tx): Promise<void> => deps.photos.keep(tx, target, ids), discard };
}

function ofRow(refusal: CaudalError, index: number): CaudalError {
  const errors = refusal.errors?.map((error) => ({ ...error, field: `${index}.${error.field}` })) ?? [];
  return fail(refusal.code, `Row ${index}: ${refusal.message}`, { errors, cause: refusal });
}
