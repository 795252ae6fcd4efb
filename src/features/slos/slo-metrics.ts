import { latest, SLO_SERIES } from '#contract/metrics/catalogue.ts';
import { LOOKBACK_MS } from '#contract/metrics/evaluate.ts';
import type { Clock } from '#kernel/clock.ts';
import type { Db } from '#platform/db/db.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { sloSeries } from './slo-series.ts';

/** Burn rates and budgets of the installation's service levels, for Prometheus; only whoever counts them reports them. */
export function observeSlos(db: Db, clock: Clock, holds: () => boolean): () => void {
  return observe(['caudal.slo.burn_rate', 'caudal.slo.budget.left'], async () => {
    if (!holds()) return {};
    const to = clock.now().getTime();
    const seen = latest(await untraced(() => sloSeries(db, null, { matchers: [], from: to - LOOKBACK_MS, to })));
    return {
      'caudal.slo.burn_rate': seen.filter(({ name }) => name === SLO_SERIES.burn),
      'caudal.slo.budget.left': seen.filter(({ name }) => name === SLO_SERIES.budget),
    };
  });
}
