import type { ReadLimits, ReadTable } from '#contract/load.ts';
import type { Db } from '#platform/db/db.ts';
import type { QuarantineRow } from '#platform/lake/quarantine.ts';
import { settleKeys } from '#platform/lake/settle-keys.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { sourceId } from '#platform/stream/batch.ts';
import type { Drained } from './drained.ts';

interface SettleDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  temp_dir: string;
  limits: Pick<ReadLimits, 'memory_bytes' | 'threads'>;
}

export interface Settled {
  table: ReadTable;
  /** By source. */
  duplicates: ReadonlyMap<string, number>;
  settlement: Drained['settlement'];
}

/**
 * Which rows stay where the dataset has a key. The subscription keeps the keys of its batches, as it stands for
 * them in the segments; those that a batch took when it was acknowledged stay its own.
 */
export async function settle(
  deps: SettleDeps,
  { subscription, batches, target }: Pick<Drained, 'subscription' | 'batches' | 'target'>,
  table: ReadTable,
  refused: readonly QuarantineRow[],
  out_dir: string,
): Promise<Settled> {
  const { key } = target;
  if (!key) return { table, duplicates: new Map(), settlement: {} };
  const incomplete = batches.filter(({ first_offset, last_offset }) =>
    refused.some(({ line }) => line >= first_offset && line <= last_offset),
  );
  const tools = { ...deps.limits, objects: deps.objects, temp_dir: deps.temp_dir };
  const { tables, duplicates, keys, removal } = await settleKeys(deps.db, tools, {
    ...{ workspace_id: subscription.workspace_id, dataset_id: target.id, key, tables: [table], out_dir },
    owner: subscription.id,
    frees: incomplete.map(({ id }) => sourceId(subscription.id, id)),
  });
  return { table: tables[0] ?? table, duplicates, settlement: { keys, ...removal } };
}
