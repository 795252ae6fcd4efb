import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Config } from '#config';
import { intakeAuthorizer, intakeRoutes } from '#features/telemetry/intake.route.ts';
import { internalTelemetryRoutes } from '#features/telemetry/internal.route.ts';
import { localReader } from '#features/telemetry/query/local-reader.ts';
import { openStore } from '#features/telemetry/store/store.ts';
import { observeStore } from '#features/telemetry/store/store-metrics.ts';
import { startUpkeep, type UpkeepTimerOptions } from '#features/telemetry/store/upkeep-timer.ts';
import { systemClock } from '#kernel/clock.ts';
import { registerHealth } from '#platform/http/health.ts';
import { createServer } from '#platform/http/server.ts';
import type { RoleStart } from './role.ts';

const FLUSH_EVERY_MS = 60_000;
const BUFFERED_BYTES = 256 * 2 ** 20;
/** Enough that no limit is ever met: only processes of this installation speak to this port. */
const UNLIMITED = 1_000_000;

/** Intake, buffer and store; the gateways of the installation forward to it. */
export const startTelemetryRole: RoleStart = async (platform) => {
  const { config, database, log, objects } = platform;
  let makeRoom: () => void = () => undefined;
  const store = await openStore({
    directory: join(platform.dataDir, 'telemetry'),
    db: database.db,
    objects,
    log,
    clock: systemClock,
    memoryLimit: '192MB',
    maxBufferedBytes: BUFFERED_BYTES,
    diskFloorBytes: config.diskFloor,
    flushEveryMs: FLUSH_EVERY_MS,
    maxBytes: config.telemetryMaxBytes,
    quotas: { workspace: config.telemetryRateWorkspace, system: config.telemetryRateSystem },
    onPressure: () => makeRoom(),
  });
  const unobserve = observeStore(store);
  const upkeep = startUpkeep({
    store,
    clock: systemClock,
    log,
    keepMs: keepMs(config),
    maxBytes: config.telemetryMaxBytes,
  });
  makeRoom = upkeep.now;
  const app = await createServer({
    log,
    db: database.db,
    version: platform.version,
    limits: { workspace: UNLIMITED, anonymous: UNLIMITED },
    authenticate: async () => null,
  });
  const { internalSecret } = platform;
  await app.register(intakeRoutes({ intake: store, authorizeIntake: intakeAuthorizer(internalSecret) }));
  await app.register(internalTelemetryRoutes({ reader: localReader(store), internalSecret }));
  registerHealth(app, [{ name: 'store', check: async () => store.directory }]);
  await app.listen({ host: '127.0.0.1', port: config.telemetryPort });
  const { port } = app.server.address() as AddressInfo;
  const address = `127.0.0.1:${port}`;
  return {
    name: 'telemetry',
    address,
    // In a process with several roles `instances.address` is another role's, and the gateway would ask itself.
    load: () => ({ telemetry_address: address }),
    async drain() {
      await upkeep.stop();
    },
    async stop() {
      unobserve();
      await app.close();
      await store.close();
    },
  };
};

function keepMs(config: Config): UpkeepTimerOptions['keepMs'] {
  const { spanRetention: spans, logRetention: logs, metricRetention, rollupRetention } = config;
  const metrics = { series: metricRetention, points: metricRetention, hpoints: metricRetention };
  const rollups = {
    red_1m: rollupRetention,
    traces: rollupRetention,
    edges_1h: rollupRetention,
    red_1h: rollupRetention,
  };
  return {
    spans,
    logs,
    log_traces_1h: logs,
    ...metrics,
    ...rollups,
    resources: Math.max(spans, logs, metricRetention),
  };
}
