import { type Db, rows, sql } from '#platform/db/db.ts';
import { refreshDeath } from './down/deaths.ts';
import type { IncidentRow } from './incident-row.ts';

const MOST_SERIES = 100;

/** An incident with what is known of it at this moment: where a lost instance's work is, which series meet the condition. */
export async function knownOf(db: Db, incident: IncidentRow): Promise<IncidentRow> {
  if (incident.detail.instance) return refreshDeath(db, incident);
  const series = await rows(
    db,
    sql<{ labels: Record<string, string>; value: number }>`
      SELECT labels, value FROM incident_series WHERE incident_id = ${incident.id} AND ended_at IS NULL
      ORDER BY fired_at, key LIMIT ${MOST_SERIES}`,
  );
  return { ...incident, detail: { ...incident.detail, series } };
}
