import { type EvaluatedRange, evaluateAt, LOOKBACK_MS, loadSeries, requestsOf } from '#contract/metrics/evaluate.ts';
import type { Expression } from '#contract/metrics/expression.ts';
import { selectForeseen } from '#contract/metrics/foreseen.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import type { SelectSeries } from '#contract/metrics/series.ts';
import type { Clock } from '#kernel/clock.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import type { Owner } from '#platform/db/owner.ts';
import type { Logger } from '#platform/observe/log.ts';
import { type SloRow, seedSlos } from './slos.ts';

export interface CountDeps {
  db: Db;
  clock: Clock;
  log: Logger;
  selectFor(owner: Owner): SelectSeries;
}

const MINUTE = 60_000;
/** Measurements come every 15 s and travel for a while: a minute is counted when it is whole. */
const SETTLE_MS = 30_000;
/** What was not counted while nobody ran is counted from the raw metrics, in portions. */
const MOST_MINUTES = 240;
const KEPT_DAYS = 90;

/** Counts the minutes that have become whole since the last time. To be called every second; it keeps its own time. */
export function sloCounter(deps: CountDeps): () => Promise<void> {
  let counted = 0;
  let seeded = false;
  return async () => {
    if (!seeded) await seedSlos(deps.db);
    seeded = true;
    const whole = Math.floor((deps.clock.now().getTime() - SETTLE_MS) / MINUTE) * MINUTE;
    if (whole === counted) return;
    counted = whole;
    await countMinutes(deps, whole);
  };
}

/** Every SLO up to `whole`, the end of a minute in epoch ms. One that fails says why and is tried again. */
export async function countMinutes(deps: CountDeps, whole: number): Promise<void> {
  const { db, log } = deps;
  const enabled = await rows(db, sql<SloRow>`SELECT * FROM slos WHERE enabled ORDER BY id`);
  for (const [owner, slos] of Map.groupBy(enabled, ({ workspace_id }) => workspace_id)) {
    const select = await selectOnce(deps, owner, slos, whole);
    for (const slo of slos) {
      try {
        await countOne(db, slo, select, whole);
      } catch (error) {
        log.warn({ err: error, slo: slo.id, name: slo.name }, 'slo: could not be counted');
        await sql`UPDATE slos SET error = ${(error as Error).message.slice(0, 500)} WHERE id = ${slo.id}`.execute(db);
      }
    }
  }
  await sql`DELETE FROM slo_minutes WHERE minute < ${new Date(whole - KEPT_DAYS * 86_400_000)}`.execute(db);
}

/** One question to the telemetry store for all of an owner's service levels. */
function selectOnce(
  { selectFor, log }: CountDeps,
  owner: Owner,
  slos: readonly SloRow[],
  whole: number,
): Promise<SelectSeries> {
  const requests = slos.flatMap((slo) => {
    const range = uncounted(slo, whole);
    if (!range) return [];
    try {
      return [slo.good_query, slo.total_query].flatMap((query) => requestsOf(parseExpression(query), range));
    } catch {
      // What is wrong with a query is said where its service level is counted.
      return [];
    }
  });
  return selectForeseen(selectFor(owner), requests, (error) =>
    log.warn({ err: error }, 'slos: one question for all failed, each asks by itself'),
  );
}

/** The ends of the first and the last minute to count. */
function uncounted({ counted_to }: SloRow, whole: number): EvaluatedRange | undefined {
  const last = counted_to?.getTime() ?? whole - MINUTE;
  const from = Math.max(last + MINUTE, whole - (MOST_MINUTES - 1) * MINUTE);
  return from > whole ? undefined : { from, to: whole, lookback: LOOKBACK_MS };
}

/** Up to `whole`, unless another process has counted since this row was read. */
export async function countOne(db: Db, slo: SloRow, select: SelectSeries, whole: number): Promise<void> {
  const range = uncounted(slo, whole);
  if (!range) return;
  const good = await perMinute(parseExpression(slo.good_query), range, select);
  const total = await perMinute(parseExpression(slo.total_query), range, select);
  await transaction(db, async (tx) => {
    // Running totals have one writer: a process that was frozen while another counted finds its minutes taken.
    const [now] = await rows(tx, sql<SloRow>`SELECT * FROM slos WHERE id = ${slo.id} FOR UPDATE`);
    if (now?.counted_to?.getTime() !== slo.counted_to?.getTime()) return;
    for (const [end, count] of total) {
      if (count <= 0) continue;
      // Extrapolation may give the parts of one count unlike halves: more good than all is none bad.
      const fine = Math.min(count, Math.max(0, good.get(end) ?? 0));
      await sql`
        INSERT INTO slo_minutes (slo_id, minute, good, total, good_until, total_until)
        SELECT new.*, coalesce(last.good_until, 0) + new.good, coalesce(last.total_until, 0) + new.total
        FROM (VALUES (${slo.id}::uuid, ${new Date(end)}::timestamptz, ${fine}::float8, ${count}::float8))
             AS new (slo_id, minute, good, total)
        LEFT JOIN LATERAL (SELECT good_until, total_until FROM slo_minutes m WHERE m.slo_id = new.slo_id
                           ORDER BY m.minute DESC LIMIT 1) last ON true
        ON CONFLICT (slo_id, minute) DO NOTHING`.execute(tx);
    }
    await sql`UPDATE slos SET counted_to = ${new Date(whole)}, error = NULL WHERE id = ${slo.id}`.execute(tx);
  });
}

/** The sum of the expression's series at the end of each minute; minutes without any are left out. */
async function perMinute(
  expression: Expression,
  range: EvaluatedRange,
  select: SelectSeries,
): Promise<Map<number, number>> {
  const loaded = await loadSeries(expression, range, select);
  const counts = new Map<number, number>();
  for (let end = range.from; end <= range.to; end += MINUTE) {
    const values = evaluateAt(expression, end, loaded)
      .map(({ value }) => value)
      .filter(Number.isFinite);
    if (values.length > 0)
      counts.set(
        end,
        values.reduce((sum, value) => sum + value),
      );
  }
  return counts;
}
