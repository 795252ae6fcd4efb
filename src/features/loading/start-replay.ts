import { fail, invalid } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { first, sql, transaction } from '#platform/db/db.ts';
import type { StartLoadDeps } from './start-load.ts';

export interface ReplayRequest {
  workspace_id: string;
  user_id: string;
  dataset_id: string;
  ids?: string[];
  all?: boolean;
  fix?: Record<string, string>;
  types?: Record<string, string>;
}

/** Enqueues the replay of quarantined records. @throws invalid_input, quarantine_not_found */
export async function startReplay(deps: StartLoadDeps, request: ReplayRequest): Promise<{ id: string }> {
  const { workspace_id, user_id, dataset_id, ids, all, fix, types } = request;
  if ((ids === undefined) === (all !== true)) throw invalid('ids', 'Give either ids or all: true.', 'exactly_one');
  const wanted = ids?.filter(isUuid) ?? null;
  const open = await first(
    deps.db,
    sql<{ n: number }>`
      SELECT count(*) AS n FROM quarantine
      WHERE dataset_id = ${dataset_id} AND state = 'open' AND (${wanted}::uuid[] IS NULL OR id = ANY(${wanted}::uuid[]))`,
  );
  if ((open?.n ?? 0) === 0 || (ids && open?.n !== new Set(ids).size)) {
    throw fail('quarantine_not_found', 'Not all of these records wait in this dataset’s quarantine.', {
      hint: 'GET /datasets/{name}/quarantine lists those that do.',
    });
  }
  const input = { dataset_id, ids: wanted, ...(fix ? { fix } : {}), ...(types ? { types } : {}) };
  return transaction(deps.db, (tx) => deps.enqueue(tx, { workspace_id, kind: 'replay', input, created_by: user_id }));
}
