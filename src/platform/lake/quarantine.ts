import type { QuarantinedRow } from '#contract/load.ts';
import { newId } from '#kernel/ids.ts';
import { sql, type Tx } from '#platform/db/db.ts';

/** `raw_format` json: the raw text was no text of the file (a workbook's row, a row refused by a declared column). */
export interface QuarantineRow extends QuarantinedRow {
  raw_format?: 'source' | 'json';
}

interface QuarantineOwner {
  workspace_id: string;
  dataset_id: string;
  source_id: string;
  file_id: string | null;
  trace_id: string | null;
}

const BATCH_ROWS = 2_000;
const BATCH_CHARACTERS = 4_000_000;

/** Inserts in the order given, in batches bounded by rows and by size. @returns how many. */
export async function insertQuarantine(
  tx: Tx,
  owner: QuarantineOwner,
  found: AsyncIterable<QuarantineRow> | Iterable<QuarantineRow>,
): Promise<number> {
  let batch: QuarantineRow[] = [];
  let characters = 0;
  let inserted = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await insertBatch(tx, owner, batch);
    inserted += batch.length;
    batch = [];
    characters = 0;
  };
  for await (const row of found) {
    batch.push(row);
    characters += row.raw.length + (row.value?.length ?? 0);
    if (batch.length >= BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush();
  }
  await flush();
  return inserted;
}

async function insertBatch(tx: Tx, owner: QuarantineOwner, batch: QuarantineRow[]): Promise<void> {
  await sql`
    INSERT INTO quarantine (id, workspace_id, dataset_id, source_id, file_id, trace_id, line, column_name, reason, value,
                            raw, raw_format)
    SELECT q.id, ${owner.workspace_id}, ${owner.dataset_id}, ${owner.source_id}, ${owner.file_id}, ${owner.trace_id},
           q.line, q.column_name, q.reason, q.value, q.raw, q.raw_format
    FROM unnest(${batch.map(() => newId())}::uuid[], ${batch.map((row) => row.line)}::bigint[],
                ${batch.map((row) => storable(row.column))}::text[], ${batch.map((row) => storable(row.reason))}::text[],
                ${batch.map((row) => storable(row.value))}::text[], ${batch.map((row) => storable(row.raw))}::text[],
                ${batch.map((row) => row.raw_format ?? 'source')}::text[])
      AS q(id, line, column_name, reason, value, raw, raw_format)`.execute(tx);
}

/** PostgreSQL's text cannot hold NUL: it is shown as the sign that Unicode has for it. */
function storable<T extends string | null>(text: T): T | string {
  return text === null ? text : text.replaceAll('\0', '␀').toWellFormed();
}
