import type { Accounting } from '#contract/accounting.ts';
import { newId } from '#kernel/ids.ts';
import { sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import type { QuarantineRow } from './quarantine.ts';

/** The stream that batches come from, as one subscription reads it. */
export interface Stream {
  subscription_id: string;
  kind: 'events' | 'rows';
  /** Null for the direct rows of a dataset. */
  topic: string | null;
}

/** One batch as a dataset knows it. */
export interface BatchSource {
  /** `sourceId(subscription, batch)` */
  id: string;
  batch_id: string;
  first_offset: number;
  last_offset: number;
  trace_id: string | null;
  span_id: string | null;
  accounting: Accounting;
  /** As many as the account says. */
  quarantine?: readonly QuarantineRow[];
}

/** Whose records did not all become rows: it has a row in `sources`, for its quarantine and for who waits for it. */
export function hasOwnRow({ accounting }: BatchSource): boolean {
  return accounting.quarantined > 0 || accounting.duplicates > 0;
}

/** What a list of `event_sources` holds, in JSON or as the columns of a Parquet object. */
export const LISTED_SOURCE = {
  id: 'UUID',
  batch_id: 'UUID',
  trace_id: 'VARCHAR',
  span_id: 'VARCHAR',
  first_offset: 'BIGINT',
  last_offset: 'BIGINT',
  version: 'BIGINT',
  read: 'BIGINT',
  accepted: 'BIGINT',
  duplicates: 'BIGINT',
  loaded_at: 'TIMESTAMP',
} as const;

export type ListedSource = Record<keyof typeof LISTED_SOURCE, string | number | null>;

interface Place {
  workspace_id: string;
  dataset_id: string;
  version: number;
  loaded_at: Date;
}

/** One row for all batches of a commit that have no row in `sources`. */
export async function insertBatchSources(
  tx: Tx,
  { workspace_id, dataset_id, version, loaded_at }: Place,
  stream: Stream,
  sources: readonly BatchSource[],
): Promise<void> {
  const listed = sources.filter((source) => !hasOwnRow(source));
  const [first] = listed;
  if (!first) return;
  const list = listed.map(
    ({ id, batch_id, first_offset, last_offset, trace_id, span_id, accounting }): ListedSource => {
      const { read, accepted, duplicates } = accounting;
      const loaded = loaded_at.toISOString();
      return {
        ...{ id, batch_id, trace_id, span_id, first_offset, last_offset, version, read, accepted, duplicates },
        loaded_at: loaded,
      };
    },
  );
  const ids = listed.map(({ id }) => id).sort();
  const text = jsonText(list);
  await sql`
    INSERT INTO event_sources (id, workspace_id, dataset_id, subscription_id, kind, topic, sources, first_source, last_source,
                               first_offset, last_offset, list, bytes)
    VALUES (${newId()}, ${workspace_id}, ${dataset_id}, ${stream.subscription_id}, ${stream.kind}, ${stream.topic},
            ${list.length}, ${ids[0]}, ${ids.at(-1)}, ${first.first_offset}, ${listed.at(-1)?.last_offset ?? 0},
            ${text}::jsonb, ${text.length})`.execute(tx);
}

/** A replace ends the rows of all sources there are. */
export async function endBatchSources(tx: Tx, datasetId: string, version: number): Promise<void> {
  await sql`
    UPDATE event_sources SET ended_version = ${version}
    WHERE dataset_id = ${datasetId} AND ended_version IS NULL`.execute(tx);
}

/** The sources of a subscription from an offset on count no longer, their quarantine neither: a replay brings them anew. */
export async function forgetBatchSources(
  tx: Tx,
  place: { dataset_id: string; subscription_id: string },
  ids: readonly string[],
  firstOffset: number,
): Promise<void> {
  const { dataset_id, subscription_id } = place;
  await sql`DELETE FROM sources WHERE dataset_id = ${dataset_id} AND id = ANY(${[...ids]}::uuid[])`.execute(tx);
  const of = sql`dataset_id = ${dataset_id} AND subscription_id = ${subscription_id}`;
  await sql`DELETE FROM event_sources WHERE ${of} AND first_offset >= ${firstOffset}`.execute(tx);
  await sql`
    UPDATE event_sources SET until_offset = least(until_offset, ${firstOffset - 1}::bigint)
    WHERE ${of} AND object_key IS NOT NULL AND last_offset >= ${firstOffset}`.execute(tx);
  await sql`
    UPDATE event_sources e SET last_offset = ${firstOffset - 1}, list = kept.list, sources = jsonb_array_length(kept.list)
    FROM (SELECT s.id, jsonb_agg(l ORDER BY l->'first_offset') AS list
          FROM event_sources s, jsonb_array_elements(s.list) AS l
          WHERE ${of} AND s.last_offset >= ${firstOffset} AND (l->>'first_offset')::bigint < ${firstOffset}
          GROUP BY s.id) kept
    WHERE e.id = kept.id`.execute(tx);
}
