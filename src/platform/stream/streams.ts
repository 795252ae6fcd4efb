import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx } from '#platform/db/db.ts';

/**
 * The hidden stream of a dataset's direct rows, made on first use together with its one subscription, which the
 * drain serves like any other.
 */
export async function rowsStream(tx: Tx, dataset: { workspace_id: string; id: string; name: string }): Promise<string> {
  const known = await findRowsStream(tx, dataset.id);
  if (known) return known;
  await sql`
    INSERT INTO topics (id, workspace_id, kind, dataset_id) VALUES (${newId()}, ${dataset.workspace_id}, 'rows', ${dataset.id})
    ON CONFLICT DO NOTHING`.execute(tx);
  const id = await findRowsStream(tx, dataset.id);
  if (!id) throw new Error('a stream that was just made is not there');
  await sql`
    INSERT INTO subscriptions (id, workspace_id, topic_id, kind, dataset_id, dataset, position)
    VALUES (${newId()}, ${dataset.workspace_id}, ${id}, 'dataset', ${dataset.id}, ${dataset.name}, 0)
    ON CONFLICT DO NOTHING`.execute(tx);
  return id;
}

/** Under whose name the direct rows of a dataset are known there; see `sourceId`. */
export async function rowsSubscription(db: Db, streamId: string): Promise<string> {
  const found = await first(
    db,
    sql<{ id: string }>`SELECT id FROM subscriptions WHERE topic_id = ${streamId} AND kind = 'dataset' LIMIT 1`,
  );
  if (!found) throw new Error('a stream of rows has no subscription');
  return found.id;
}

async function findRowsStream(db: Db, datasetId: string): Promise<string | undefined> {
  const found = await first(
    db,
    sql<{ id: string }>`SELECT id FROM topics WHERE kind = 'rows' AND dataset_id = ${datasetId}`,
  );
  return found?.id;
}
