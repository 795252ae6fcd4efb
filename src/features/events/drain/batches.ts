import { writeFile } from 'node:fs/promises';
import { type Db, first, sql } from '#platform/db/db.ts';
import { type StoredBatch, unpackBatch } from '#platform/stream/read.ts';

/** A subscription with what a drain has to know of its stream. */
export interface DatasetSubscription {
  id: string;
  workspace_id: string;
  topic_id: string;
  kind: 'topic' | 'rows';
  topic: string | null;
  dataset_id: string;
  dataset: string;
  position: number;
}

export function readSubscription(db: Db, id: string): Promise<DatasetSubscription | undefined> {
  return first(
    db,
    sql<DatasetSubscription>`
      SELECT s.id, s.workspace_id, s.topic_id, t.kind, t.name AS topic, s.dataset_id, s.dataset, s.position
      FROM subscriptions s JOIN topics t ON t.id = s.topic_id
      WHERE s.id = ${id} AND s.kind = 'dataset'`,
  );
}

/** In one piece: a list would be written with a call to the system for each batch. */
export async function writeRecords(batches: readonly StoredBatch[], path: string): Promise<void> {
  const records = Buffer.concat(await Promise.all(batches.map(unpackBatch)));
  await writeFile(path, records, { flag: 'wx', mode: 0o600 });
}
