import type { Carrier } from '#contract/carrier.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { Tx } from '#platform/db/db.ts';
import { type DatasetTarget, findDatasetById } from '#platform/lake/dataset-rows.ts';
import { reserveKeys } from '#platform/lake/keys.ts';
import { appendOnce, type KeptAnswer } from '#platform/stream/append.ts';
import { type Appended, sourceId } from '#platform/stream/batch.ts';
import type { Records } from '#platform/stream/records.ts';
import { rowsStream, rowsSubscription } from '#platform/stream/streams.ts';
import { type JudgedRow, judge } from './judge.ts';

/** Who brings rows, in which trace. */
export interface Bearer {
  carrier: Carrier;
  /** The user's id. */
  principal: string | null;
}

export interface TakenRows {
  appended: Appended;
  /** What `_source` holds in the rows. */
  source_id: string;
  /** Places of the rows whose key was taken already, by an earlier row or by one before them among these. */
  duplicates: Set<number>;
}

export interface Taking extends Bearer {
  workspace_id: string;
  target: DatasetTarget;
  records: Records;
  judged: readonly JudgedRow[];
  /** One row, refused when its key is taken; many are counted. */
  single: boolean;
  /** Kept under the request's Idempotency-Key in the same transaction. */
  answerOf?(batchId: string, duplicates: number): KeptAnswer;
}

/**
 * Takes rows for a dataset in the caller's transaction: durable, and their keys theirs, when it commits. Where a
 * key rejects, that of any number of requests with one key one alone succeeds is decided here.
 *
 * @returns undefined when the Idempotency-Key was used before: roll back
 * @throws duplicate_key naming the fields
 */
export async function takeRows(tx: Tx, taking: Taking): Promise<TakenRows | undefined> {
  const { workspace_id, target, records, judged, single, carrier, principal } = taking;
  const { id, name } = target;
  const stream_id = await rowsStream(tx, { workspace_id, id, name });
  const batchId = newId();
  const source_id = sourceId(await rowsSubscription(tx, stream_id), batchId);
  const duplicates = target.key?.on_conflict === 'reject' ? await takeKeys(tx, target.id, source_id, judged) : NONE;
  if (single && duplicates.size > 0) throw duplicateKey(target);
  const batch = { stream_id, ndjson: records.ndjson, count: records.count, carrier, principal };
  const appended = await appendOnce(tx, batch, batchId, taking.answerOf?.(batchId, duplicates.size));
  return appended && { appended, source_id, duplicates };
}

const NONE: Set<number> = new Set();

async function takeKeys(
  tx: Tx,
  datasetId: string,
  sourceId: string,
  judged: readonly JudgedRow[],
): Promise<Set<number>> {
  const hashes = judged.flatMap(({ key_hash }) => key_hash ?? []);
  const seen = await reserveKeys(tx, datasetId, sourceId, hashes);
  const duplicates = new Set<number>();
  for (const [place, { key_hash }] of judged.entries()) {
    if (key_hash === null) continue;
    if (seen.has(key_hash)) duplicates.add(place);
    seen.add(key_hash);
  }
  return duplicates;
}

function duplicateKey({ name, key }: Pick<DatasetTarget, 'name' | 'key'>): CaudalError {
  const columns = key?.columns ?? [];
  const message = `A row with this ${columns.join(', ')} is in "${name}" already.`;
  return fail('duplicate_key', message, {
    errors: columns.map((field) => ({ field, code: 'duplicate', message })),
    hint: 'Nothing was added. A dataset with on_conflict "replace" takes the newer row instead.',
  });
}

/** As it stands in the dataset: values by column, with the texts or values of JSON. */
export interface OneRow extends Bearer {
  workspace_id: string;
  dataset_id: string;
  row: Record<string, unknown>;
}

/**
 * One row that was checked already, for rooms that take it together with other things (a form with its photos).
 *
 * @returns its source's id and its line
 * @throws dataset_not_found; duplicate_key
 */
export async function takeRow(tx: Tx, one: OneRow): Promise<{ source_id: string; line: number }> {
  const { workspace_id, dataset_id, row, carrier, principal } = one;
  const target = await findDatasetById(tx, dataset_id);
  if (!target) throw fail('dataset_not_found', 'The dataset was deleted.');
  const records: Records = { ndjson: Buffer.from(`${JSON.stringify(row)}\n`), count: 1 };
  const judged = judge(target, records);
  const taken = await takeRows(tx, { workspace_id, target, records, judged, single: true, carrier, principal });
  if (!taken) throw fail('dataset_not_found', 'The dataset was deleted.');
  return { source_id: taken.source_id, line: taken.appended.first_offset };
}
