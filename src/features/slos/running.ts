import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Running } from './burn.ts';

export interface Span {
  /** Epoch ms. */
  from: number;
  to: number;
}

/**
 * The running totals that answer for any time within these spans: those of each span and the one before it. A window of
 * thirty days takes two look-ups and not its 43,200 minutes. What is before the first minute that is kept comes first.
 */
export async function runningTotals(
  db: Db,
  sloIds: readonly string[],
  spans: readonly Span[],
): Promise<Map<string, Running[]>> {
  const bySlo = new Map<string, Running[]>(sloIds.map((id) => [id, []]));
  const ids = [...sloIds];
  const first = spans.map(({ from }) => new Date(from));
  const last = spans.map(({ to }) => new Date(to));
  const found = await rows(
    db,
    sql<{ slo_id: string; minute: Date | null; good: number; total: number }>`
      SELECT s.id AS slo_id, m.minute, m.good, m.total
      FROM unnest(${ids}::uuid[]) AS s (id)
      CROSS JOIN unnest(${first}::timestamptz[], ${last}::timestamptz[]) AS span (first, last)
      CROSS JOIN LATERAL (
        (SELECT minute, good_until AS good, total_until AS total FROM slo_minutes
         WHERE slo_id = s.id AND minute <= span.first ORDER BY minute DESC LIMIT 1)
        UNION ALL
        (SELECT minute, good_until, total_until FROM slo_minutes
         WHERE slo_id = s.id AND minute > span.first AND minute <= span.last)) m
      UNION
      SELECT s.id, NULL, f.good, f.total
      FROM unnest(${ids}::uuid[]) AS s (id)
      CROSS JOIN LATERAL (
        SELECT good_until - good AS good, total_until - total AS total FROM slo_minutes
        WHERE slo_id = s.id ORDER BY minute LIMIT 1) f
      ORDER BY slo_id, minute NULLS FIRST`,
  );
  for (const { slo_id, minute, good, total } of found) {
    bySlo.get(slo_id)?.push({ end: minute?.getTime() ?? Number.NEGATIVE_INFINITY, good, total });
  }
  return bySlo;
}
