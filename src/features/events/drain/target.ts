import type { TargetSchema } from '#contract/load.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';
import {
  createDataset,
  type DatasetTarget,
  findDataset,
  findDatasetById,
  lockDatasetNames,
} from '#platform/lake/dataset-rows.ts';
import type { DatasetSubscription } from './batches.ts';

/**
 * The dataset as it is now. One that was deleted is made again by its name: whoever publishes still means it,
 * and what was acknowledged must go somewhere. (The hidden stream of a dataset's rows ends with the dataset.)
 *
 * @throws dataset_not_found where the workspace forbids new datasets
 */
export async function targetOf(db: Db, subscription: DatasetSubscription): Promise<DatasetTarget> {
  const known = await findDatasetById(db, subscription.dataset_id);
  if (known) return known;
  return transaction(db, async (tx) => {
    const { workspace_id, dataset: name } = subscription;
    await lockDatasetNames(tx, workspace_id);
    const same = await findDataset(tx, workspace_id, name);
    const allowed = await first(
      tx,
      sql<{ auto_topics: boolean }>`SELECT auto_topics FROM workspaces WHERE id = ${workspace_id}`,
    );
    if (!same && !allowed?.auto_topics) {
      throw fail('dataset_not_found', `The dataset "${name}" was deleted, and this workspace makes none by itself.`);
    }
    const id = same?.id ?? (await createDataset(tx, { workspace_id, name })).id;
    await sql`UPDATE subscriptions SET dataset_id = ${id} WHERE id = ${subscription.id}`.execute(tx);
    const made = same ?? (await findDataset(tx, workspace_id, name));
    if (!made) throw new Error('a dataset that was just made is not there');
    return made;
  });
}

export function targetSchema({ mode, columns, declared }: DatasetTarget): TargetSchema {
  const required = new Set(
    declared?.filter((column) => column.required && column.default === undefined).map(({ name }) => name),
  );
  return {
    mode,
    columns: columns.map(({ name, type, field_id }) => ({
      ...{ name, type, field_id },
      ...(required.has(name) ? { required: true } : {}),
    })),
  };
}
