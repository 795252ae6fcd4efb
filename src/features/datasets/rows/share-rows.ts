import { CaudalError, fail } from '#kernel/errors.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import type { DatasetTarget } from '#platform/lake/dataset-rows.ts';
import type { Appender } from '#platform/stream/appender.ts';
import { sourceId } from '#platform/stream/batch.ts';
import { rowsStream, rowsSubscription } from '#platform/stream/streams.ts';
import type { TakenRows, Taking } from './take-rows.ts';

/** Takes rows in a transaction that they share with whatever came at the same time, as events are taken. */
export type ShareRows = (taking: Taking) => Promise<TakenRows | undefined>;

/** Whether nothing but the rows themselves has to be in their transaction: no key to take, so none to refuse. */
export function canShare({ key }: Pick<DatasetTarget, 'key'>): boolean {
  return key?.on_conflict !== 'reject';
}

interface Place {
  stream_id: string;
  subscription_id: string;
}

const MOST_KNOWN = 10_000;

/**
 * As `takeRows`, for datasets that `canShare`. One flush of the log for a group of requests, not for each; the same
 * acknowledgement: nobody hears of rows before they are durable.
 */
export function createShareRows(db: Db, appender: Appender): ShareRows {
  /** By dataset. A stream ends with its dataset, and a dataset's id is not given out again. */
  const known = new Map<string, Place>();
  const placeOf = async (workspace_id: string, { id, name }: DatasetTarget): Promise<Place> => {
    const found = known.get(id) ?? (await openPlace(db, { workspace_id, id, name }));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(id, found);
    return found;
  };
  return async ({ workspace_id, target, records, carrier, principal, answerOf }) => {
    const { stream_id, subscription_id } = await placeOf(workspace_id, target);
    const batch = { stream_id, ndjson: records.ndjson, count: records.count, carrier, principal };
    try {
      const appended = await appender.append(batch, answerOf && ((batchId) => answerOf(batchId, 0)));
      return (
        appended && { appended, source_id: sourceId(subscription_id, appended.batch_id), duplicates: new Set<number>() }
      );
    } catch (error) {
      if (!(error instanceof CaudalError) || error.code !== 'topic_not_found') throw error;
      known.delete(target.id);
      throw fail('dataset_not_found', 'The dataset was deleted.');
    }
  };
}

function openPlace(db: Db, dataset: { workspace_id: string; id: string; name: string }): Promise<Place> {
  return transaction(db, async (tx) => {
    const stream_id = await rowsStream(tx, dataset);
    return { stream_id, subscription_id: await rowsSubscription(tx, stream_id) };
  });
}
