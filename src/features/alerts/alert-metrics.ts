import { type Db, first, sql } from '#platform/db/db.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';

interface Facts {
  waiting: number;
  unbalanced: number;
}

/**
 * What only the one who evaluates reports: overdue notifications, and datasets that claim more rows than their segments
 * hold or whose sources do not add up. It looks at the catalogue alone; the bytes are checked by whoever reads them.
 */
export function observeAlerts(db: Db, holds: () => boolean): () => void {
  return observe(['caudal.notifications.waiting', 'caudal.accounting.unbalanced'], async () => {
    const facts = holds() ? await untraced(() => look(db)) : undefined;
    if (!facts) return {};
    return { 'caudal.notifications.waiting': facts.waiting, 'caudal.accounting.unbalanced': facts.unbalanced };
  });
}

function look(db: Db): Promise<Facts | undefined> {
  return first(
    db,
    sql<Facts>`
      SELECT
        (SELECT count(*) FROM notifications WHERE state = 'waiting' AND attempts > 0) AS waiting,
        (SELECT count(*) FROM datasets d WHERE d.deleted_at IS NULL AND (
           d.rows > (SELECT coalesce(sum(s.rows), 0) FROM segments s WHERE s.dataset_id = d.id AND s.removed_version IS NULL)
           OR EXISTS (SELECT 1 FROM sources s WHERE s.dataset_id = d.id AND s.loaded_at > now() - interval '1 day'
             AND s.read <> s.accepted + s.quarantined + s.duplicates))) AS unbalanced`,
  );
}
