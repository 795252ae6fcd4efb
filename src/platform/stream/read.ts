import { promisify } from 'node:util';
import { zstdDecompress, zstdDecompressSync } from 'node:zlib';
import type { Carrier } from '#contract/carrier.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';

/** A batch as it stands in its stream. */
export interface StoredBatch {
  id: string;
  first_offset: number;
  last_offset: number;
  /** Of the NDJSON, unpacked. */
  bytes: number;
  packed: boolean;
  payload: Buffer;
  carrier: Carrier | null;
  trace_id: string | null;
  created_at: Date;
}

export interface BatchBounds {
  most_batches: number;
  most_bytes: number;
}

/** What comes behind an offset, in order; at least one batch when there is one, however large. */
export function batchesAfter(db: Db, topicId: string, after: number, bounds: BatchBounds): Promise<StoredBatch[]> {
  return rows(
    db,
    sql<StoredBatch>`
      SELECT id, first_offset, last_offset, bytes, packed, payload, carrier, trace_id, created_at FROM (
        SELECT b.*, sum(bytes) OVER (ORDER BY first_offset) - bytes AS before FROM (
          SELECT * FROM event_batches WHERE topic_id = ${topicId} AND first_offset > ${after}
          ORDER BY first_offset LIMIT ${bounds.most_batches}) b) bounded
      WHERE before < ${bounds.most_bytes} ORDER BY first_offset`,
  );
}

const unpack = promisify(zstdDecompress);
const ELSEWHERE_FROM = 64 * 1024;

/** The batch's records, one per line. */
export async function unpackBatch({ packed, payload, bytes }: StoredBatch): Promise<Buffer> {
  if (!packed) return payload;
  return bytes >= ELSEWHERE_FROM ? unpack(payload) : zstdDecompressSync(payload);
}
