import type { ReadTable } from '#contract/load.ts';
import type { BatchSource } from '#platform/lake/batch-sources.ts';
import type { Change, PreparedSegment } from '#platform/lake/change.ts';
import type { DatasetTarget } from '#platform/lake/dataset-rows.ts';
import type { StoredBatch } from '#platform/stream/read.ts';
import type { DatasetSubscription } from './batches.ts';

/** Everything of one drain that is ready to be committed. */
export interface Drained {
  subscription: DatasetSubscription;
  batches: StoredBatch[];
  target: DatasetTarget;
  table: ReadTable;
  segments: (PreparedSegment & { profile: unknown })[];
  sources: BatchSource[];
  /** What the commit does to keys, and to older rows that new ones replace. */
  settlement: Pick<Change, 'keys' | 'drops' | 'rewrites' | 'deletes'>;
}
