import { durationMs, durationText, ExpressionError } from '#contract/metrics/lex.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import type { Principal } from '#contract/principal.ts';
import type { Slo, SloInput, SloPatch } from '#contract/slos.ts';
import { CaudalError, fail, invalid } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql, uniqueViolation } from '#platform/db/db.ts';
import { findVisible, listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';
import { BUILTIN_SLOS, type BuiltinSlo } from './builtin.ts';
import { BURN_WINDOWS, budgetLeft, burnRate, type Running, summable } from './burn.ts';

export interface SloRow {
  id: string;
  workspace_id: Owner;
  builtin: string | null;
  name: string;
  description: string;
  service: string;
  good_query: string;
  total_query: string;
  target: number;
  window_ms: number;
  least_events: number;
  enabled: boolean;
  counted_to: Date | null;
  error: string | null;
  created_at: Date;
}

const LEAST_EVENTS = 50;
const DAY_MS = 86_400_000;
const LONGEST_WINDOW_MS = 90 * DAY_MS;
const DEFAULT_WINDOW = '30d';

export function listSlos(db: Db, principal: Principal, after: string | null, limit: number): Promise<SloRow[]> {
  return listVisible(db, 'slos', principal, after, limit);
}

/** @throws slo_not_found */
export async function getSlo(db: Db, principal: Principal, id: string): Promise<SloRow> {
  const found = await findVisible<SloRow>(db, 'slos', principal, id);
  if (!found) throw fail('slo_not_found', 'There is no such service level here.');
  return found;
}

export function toSlo(row: SloRow, totals: readonly Running[], now: Date): Slo {
  const sum = summable(totals);
  const to = now.getTime();
  const counts = sum(to - row.window_ms, to);
  const burn = BURN_WINDOWS.map(([window, ms]) => {
    const part = sum(to - ms, to);
    return { window, rate: burnRate(part, row.target, row.least_events), events: part.total };
  });
  const left = budgetLeft(counts, row.target);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    service: row.service,
    scope: scopeOf(row.workspace_id),
    builtin: row.builtin,
    indicator: { ratio_metric: { good: { query: row.good_query }, total: { query: row.total_query } } },
    objectives: [{ target: row.target }],
    time_window: [{ duration: durationText(row.window_ms), is_rolling: true }],
    least_events: row.least_events,
    enabled: row.enabled,
    state: stateOf(row, left, burn),
    good: counts.good,
    total: counts.total,
    sli: counts.total > 0 ? counts.good / counts.total : null,
    budget_left: left,
    burn,
    counted_to: row.counted_to?.toISOString() ?? null,
    error: row.error,
  };
}

function stateOf(row: SloRow, left: number | null, burn: Slo['burn']): Slo['state'] {
  if (!row.enabled) return 'off';
  if (row.error) return 'error';
  if (left === null) return 'no_data';
  if (left < 0) return 'missed';
  const hour = burn.find(({ window }) => window === '1h')?.rate ?? 0;
  return hour >= 6 ? 'burning' : 'met';
}

function checkQuery(query: string, field: string): void {
  try {
    parseExpression(query);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { message, position } = error;
    throw new CaudalError('invalid_input', message, {
      errors: [{ field, code: 'expression', message: `${message} (at character ${position + 1})` }],
      members: { position },
    });
  }
}

function checked({ indicator, time_window }: SloPatch): { window_ms?: number } {
  if (indicator) {
    checkQuery(indicator.ratio_metric.good.query, 'indicator.ratio_metric.good.query');
    checkQuery(indicator.ratio_metric.total.query, 'indicator.ratio_metric.total.query');
  }
  if (!time_window?.[0]) return {};
  const window_ms = durationMs(time_window[0].duration);
  if (window_ms < DAY_MS || window_ms > LONGEST_WINDOW_MS) {
    throw invalid('time_window.0.duration', 'A time window is between one day and ninety.', 'out_of_range');
  }
  return { window_ms };
}

/** @throws invalid_input, already_taken, forbidden */
export async function createSlo(db: Db, principal: Principal, input: SloInput): Promise<string> {
  const { window_ms = durationMs(DEFAULT_WINDOW) } = checked(input);
  const id = newId();
  const { good, total } = input.indicator.ratio_metric;
  await unlessTaken(
    sql`
    INSERT INTO slos (id, workspace_id, name, description, service, good_query, total_query, target, window_ms,
                      least_events, enabled)
    VALUES (${id}, ${ownerFor(principal, input.scope)}, ${input.name}, ${input.description ?? ''}, ${input.service ?? ''},
            ${good.query}, ${total.query}, ${input.objectives[0]?.target}, ${window_ms},
            ${input.least_events ?? LEAST_EVENTS}, ${input.enabled ?? true})`.execute(db),
  );
  return id;
}

/** What is left out stays. Another indicator begins with an empty account. @throws as createSlo */
export async function changeSlo(db: Db, row: SloRow, patch: SloPatch): Promise<void> {
  const { window_ms = row.window_ms } = checked(patch);
  const good = patch.indicator?.ratio_metric.good.query ?? row.good_query;
  const total = patch.indicator?.ratio_metric.total.query ?? row.total_query;
  await unlessTaken(
    sql`
    UPDATE slos SET name = ${patch.name ?? row.name}, description = ${patch.description ?? row.description},
      service = ${patch.service ?? row.service}, good_query = ${good}, total_query = ${total},
      target = ${patch.objectives?.[0]?.target ?? row.target}, window_ms = ${window_ms},
      least_events = ${patch.least_events ?? row.least_events}, enabled = ${patch.enabled ?? row.enabled},
      edited = true, error = NULL, updated_at = now() WHERE id = ${row.id}`.execute(db),
  );
  if (good === row.good_query && total === row.total_query) return;
  await sql`DELETE FROM slo_minutes WHERE slo_id = ${row.id}`.execute(db);
  await sql`UPDATE slos SET counted_to = NULL WHERE id = ${row.id}`.execute(db);
}

async function unlessTaken(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    const message = 'A service level of that name exists.';
    throw fail('already_taken', message, { errors: [{ field: 'name', code: 'already_taken', message }] });
  }
}

/** Makes those that Caudal brings, and brings those that nobody edited to this version's. */
export async function seedSlos(db: Db): Promise<void> {
  for (const [key, slo] of Object.entries<BuiltinSlo>(BUILTIN_SLOS)) {
    await sql`
      INSERT INTO slos (id, builtin, name, description, service, good_query, total_query, target, window_ms, least_events)
      VALUES (${newId()}, ${key}, ${slo.name}, ${slo.why}, ${slo.service}, ${slo.good}, ${slo.total}, ${slo.target},
              ${durationMs(slo.window)}, ${LEAST_EVENTS})
      ON CONFLICT (builtin) WHERE builtin IS NOT NULL DO UPDATE SET name = excluded.name,
        description = excluded.description, service = excluded.service, good_query = excluded.good_query,
        total_query = excluded.total_query, target = excluded.target, window_ms = excluded.window_ms
      WHERE NOT slos.edited`.execute(db);
  }
}
