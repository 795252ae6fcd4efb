import type { Silence, SilenceInput } from '#contract/channels.ts';
import { type Matcher, matches, patternFault } from '#contract/metrics/series.ts';
import type { Principal } from '#contract/principal.ts';
import { invalid } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';

export interface SilenceRow {
  id: string;
  workspace_id: Owner;
  matchers: Matcher[];
  comment: string;
  starts_at: Date;
  ends_at: Date;
  created_by: string;
}

export function listSilences(db: Db, principal: Principal, after: string | null, limit: number): Promise<SilenceRow[]> {
  return listVisible(db, 'silences', principal, after, limit);
}

export function toSilence(row: SilenceRow, now: Date): Silence {
  const state = row.ends_at <= now ? 'expired' : row.starts_at > now ? 'pending' : 'active';
  return {
    id: row.id,
    scope: scopeOf(row.workspace_id),
    matchers: row.matchers,
    comment: row.comment,
    state,
    starts_at: row.starts_at.toISOString(),
    ends_at: row.ends_at.toISOString(),
    created_by: row.created_by,
  };
}

/** @throws invalid_input */
export async function createSilence(db: Db, principal: Principal, input: SilenceInput, now: Date): Promise<SilenceRow> {
  const matchers = input.matchers.map(({ label, op = '=', value }, index): Matcher => {
    const fault = op === '=~' || op === '!~' ? patternFault(value) : undefined;
    if (fault) throw invalid(`matchers.${index}.value`, `The pattern ${fault}.`, 'pattern');
    return { label: label.replaceAll('.', '_'), op, value };
  });
  const row: SilenceRow = {
    id: newId(),
    workspace_id: ownerFor(principal, input.scope),
    matchers,
    comment: input.comment,
    starts_at: input.starts_at ? new Date(input.starts_at) : now,
    ends_at: new Date(input.ends_at),
    created_by: principal.username,
  };
  if (row.ends_at <= row.starts_at || row.ends_at <= now)
    throw invalid('ends_at', 'A silence ends after it began, and in the future.');
  await sql`
    INSERT INTO silences (id, workspace_id, matchers, comment, starts_at, ends_at, created_by)
    VALUES (${row.id}, ${row.workspace_id}, ${JSON.stringify(matchers)}::jsonb, ${row.comment}, ${row.starts_at},
            ${row.ends_at}, ${row.created_by})`.execute(db);
  return row;
}

export function activeSilences(db: Db, now: Date): Promise<SilenceRow[]> {
  return rows(db, sql<SilenceRow>`SELECT * FROM silences WHERE starts_at <= ${now} AND ends_at > ${now}`);
}

export function isSilenced(
  silences: readonly SilenceRow[],
  incident: { workspace_id: Owner; policy: string; severity: string; labels: Record<string, string> },
): boolean {
  const labels = {
    ...incident.labels,
    policy: incident.policy,
    alertname: incident.policy,
    severity: incident.severity,
  };
  return silences.some(
    ({ workspace_id, matchers }) => workspace_id === incident.workspace_id && matches(labels, matchers),
  );
}
