import { rows, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { type AbortDeps, abortUpload, removeBytes } from './abort-upload.ts';
import { getUpload } from './uploads.ts';

export interface SweepDeps extends AbortDeps {
  log: Logger;
  /** Leftovers of the store's own that are older than this are removed too. */
  retention_ms: number;
}

interface Waste {
  id: string;
  workspace_id: string;
  state: string;
}

const AT_A_TIME = 100;

/**
 * Aborts the uploads that nobody finished (their time ran out; every part that arrives extends it)
 * and finishes aborts that a dying process left half done. To be called now and then by any one
 * worker; several at once do no harm.
 * @returns how many uploads were swept
 */
export async function sweepUploads(deps: SweepDeps): Promise<number> {
  let swept = 0;
  for (;;) {
    const found = await rows(
      deps.db,
      sql<Waste>`
        SELECT id, workspace_id, state FROM uploads
        WHERE store_upload_id IS NOT NULL
          AND (state = 'aborted' OR state IN ('open', 'completing') AND expires_at < now())
        ORDER BY expires_at LIMIT ${AT_A_TIME}`,
    );
    let failed = 0;
    for (const waste of found) {
      try {
        await sweepOne(deps, waste);
        swept += 1;
      } catch (error) {
        failed += 1;
        deps.log.warn({ err: error, upload_id: waste.id }, 'uploads: an abandoned upload could not be swept');
      }
    }
    if (found.length < AT_A_TIME || failed > 0) break;
  }
  const leftovers = (await deps.store.sweep?.(deps.retention_ms)) ?? 0;
  if (swept + leftovers > 0) deps.log.info({ uploads: swept, leftovers }, 'uploads: swept the abandoned');
  return swept;
}

async function sweepOne(deps: SweepDeps, waste: Waste): Promise<void> {
  if (waste.state === 'aborted') await removeBytes(deps, await getUpload(deps.db, waste.workspace_id, waste.id));
  else await abortUpload(deps, waste.workspace_id, waste.id);
}
