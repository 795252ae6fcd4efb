import { SLO_SERIES } from '#contract/metrics/catalogue.ts';
import { type Labels, matches, NAME, type Series, type SeriesRequest } from '#contract/metrics/series.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { type Owner, ownedBy } from '#platform/db/owner.ts';
import { BURN_WINDOWS, budgetLeft, burnRate, type Counts, type Running, summable } from './burn.ts';
import { runningTotals } from './running.ts';
import type { SloRow } from './slos.ts';

const MINUTE = 60_000;
const MOST_SAMPLES = 3_000;

/** Burn rates and budgets as series: a sample each minute, from what was counted. */
export async function sloSeries(db: Db, owner: Owner, request: SeriesRequest): Promise<Series[]> {
  const slos = await rows(
    db,
    sql<SloRow>`SELECT * FROM slos WHERE enabled AND ${ownedBy(owner)} ORDER BY id LIMIT 1000`,
  );
  const windows = [0, ...BURN_WINDOWS.map(([, ms]) => ms), ...slos.map(({ window_ms }) => window_ms)];
  const totals = await runningTotals(
    db,
    slos.map(({ id }) => id),
    [...new Set(windows)].map((ms) => ({ from: request.from - ms, to: request.to - ms })),
  );
  const all = slos.flatMap((slo) => seriesOf(slo, totals.get(slo.id) ?? [], request));
  return all.filter(({ labels }) => matches(labels, request.matchers));
}

function seriesOf(slo: SloRow, totals: readonly Running[], { from, to }: SeriesRequest): Series[] {
  if (!slo.counted_to) return [];
  const sum = summable(totals);
  const until = Math.min(to, slo.counted_to.getTime());
  const first = Math.max(Math.ceil(from / MINUTE) * MINUTE, until - MOST_SAMPLES * MINUTE);
  const times: number[] = [];
  for (let at = Math.ceil(first / MINUTE) * MINUTE; at <= until; at += MINUTE) times.push(at);
  const line = (labels: Labels, ms: number, value: (counts: Counts) => number | null): Series => {
    const known = times.map((at) => [at, value(sum(at - ms, at))] as const).filter(([, found]) => found !== null);
    return { labels, times: known.map(([at]) => at), values: known.map(([, found]) => found as number) };
  };
  const { name, target, least_events } = slo;
  return [
    ...BURN_WINDOWS.map(([window, ms]) =>
      line({ [NAME]: SLO_SERIES.burn, slo: name, window }, ms, (counts) => burnRate(counts, target, least_events)),
    ),
    line({ [NAME]: SLO_SERIES.budget, slo: name }, slo.window_ms, (counts) => budgetLeft(counts, target)),
  ].filter(({ times: kept }) => kept.length > 0);
}
