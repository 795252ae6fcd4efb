import { latest, UPTIME_SERIES } from '#contract/metrics/catalogue.ts';
import { LOOKBACK_MS } from '#contract/metrics/evaluate.ts';
import type { Clock } from '#kernel/clock.ts';
import type { Db } from '#platform/db/db.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { uptimeSeries } from './uptime-series.ts';

/** What the installation's own checks saw last, for Prometheus; only whoever makes them reports them. */
export function observeUptime(db: Db, clock: Clock, holds: () => boolean): () => void {
  return observe(['caudal.uptime.up', 'caudal.uptime.latency', 'caudal.uptime.certificate.days'], async () => {
    if (!holds()) return {};
    const to = clock.now().getTime();
    const seen = latest(await untraced(() => uptimeSeries(db, null, { matchers: [], from: to - LOOKBACK_MS, to })));
    return {
      'caudal.uptime.up': seen.filter(({ name }) => name === UPTIME_SERIES.up),
      'caudal.uptime.latency': seen.filter(({ name }) => name === UPTIME_SERIES.latency),
      'caudal.uptime.certificate.days': seen.filter(({ name }) => name === UPTIME_SERIES.days),
    };
  });
}
