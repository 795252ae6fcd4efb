import { createHash } from 'node:crypto';
import type { Carrier } from '#contract/carrier.ts';

/** Records that are to be appended to a stream (a topic, or a dataset's direct rows). */
export interface NewBatch {
  /** `topics.id`; see `streams.ts` for how one is found. */
  stream_id: string;
  /** One JSON object per line, as `readRecords` gives it. */
  ndjson: Buffer;
  /** Lines of `ndjson`. */
  count: number;
  /** The trace that brings them: row → source → trace ends here. */
  carrier: Carrier;
  /** The user who sends them. */
  principal: string | null;
}

/** A batch that is in its stream. Acknowledge it only after the transaction has committed. */
export interface Appended {
  batch_id: string;
  stream_id: string;
  /** Offsets of its first and last record. A record's offset is its `_line` in every dataset that takes the stream. */
  first_offset: number;
  last_offset: number;
}

/**
 * The id under which a subscription's dataset knows a batch: what `_source` holds in its rows. Made of both, so
 * that a batch that is read again is the same source, and one that goes into two datasets is two. Carries the
 * batch's time: sources sort by it.
 */
export function sourceId(subscriptionId: string, batchId: string): string {
  const digest = createHash('sha256').update(subscriptionId).update(batchId).digest('hex');
  const time = batchId.slice(0, 13);
  const variant = '89ab'[Number.parseInt(digest.slice(3, 4), 16) % 4];
  return `${time}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
}
