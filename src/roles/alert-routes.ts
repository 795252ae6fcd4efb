import { WATCHERS } from '#features/alerts/builtin.ts';
import { incidentRoutes } from '#features/alerts/incidents.route.ts';
import { channelRoutes } from '#features/alerts/notify/channels.route.ts';
import { policyRoutes } from '#features/alerts/policies.route.ts';
import { copyPolicies } from '#features/alerts/policies.ts';
import { sloRoutes } from '#features/slos/slos.route.ts';
import { uptimeRoutes } from '#features/uptime/uptime.route.ts';
import { systemClock } from '#kernel/clock.ts';
import type { App } from '#platform/http/app.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { openDelivery, seriesFor } from './alerts.ts';
import type { Platform } from './role.ts';

/** Requests a second since the last look. */
function observeThroughput(app: App): () => void {
  let [count, since] = [0, systemClock.monotonic()];
  app.addHook('onResponse', async () => {
    count += 1;
  });
  return observe(['caudal.http.throughput'], () => {
    const now = systemClock.monotonic();
    const perSecond = (count * 1000) / Math.max(1, now - since);
    [count, since] = [0, now];
    return { 'caudal.http.throughput': perSecond };
  });
}

/** Policies, incidents, channels, silences on a gateway; who evaluates and tells is decided by a lock. */
export function alertRoutes(platform: Platform) {
  return (app: App): void => {
    const { db } = platform.database;
    const { deliver, close } = openDelivery(platform);
    const unobserve = observeThroughput(app);
    app.addHook('onClose', async () => {
      unobserve();
      close();
    });
    policyRoutes({ db, clock: systemClock, selectFor: seriesFor(platform) })(app);
    incidentRoutes({ db, clock: systemClock })(app);
    sloRoutes({ db, clock: systemClock, watch: (tx, owner) => copyPolicies(tx, owner, WATCHERS.slos) })(app);
    uptimeRoutes({ db, watch: (tx, owner) => copyPolicies(tx, owner, WATCHERS.uptime) })(app);
    channelRoutes({ db, clock: systemClock, deliver })(app);
  };
}
