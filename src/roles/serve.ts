import type { Config } from '#config';
import { newId } from '#kernel/ids.ts';
import { startHeartbeat } from '#platform/heartbeat.ts';
import { startMetricsServer } from '#platform/http/metrics.ts';
import { createLogger } from '#platform/observe/log.ts';
import { observeRuntime } from '#platform/observe/metrics/runtime.ts';
import { startTelemetry } from '#platform/observe/sdk.ts';
import { returnStartupMemory } from '#platform/process/startup-memory.ts';
import { startAlerts } from './alerts.ts';
import { startHost } from './host.ts';
import { openPlatform } from './platform.ts';
import type { Role } from './role.ts';
import { shutDown } from './shutdown.ts';
import { RETIRE } from './supervisor/child.ts';
import { PROCESS_NAME } from './supervisor/orphans.ts';
import { ROLES, type RoleName } from './table.ts';

const CLOSE_MS = 5_000;

/** Runs the given roles in this process until SIGTERM or SIGINT; resolves once everything is closed. */
export async function serve(config: Config, roles: RoleName[], version: string): Promise<void> {
  const instance = newId();
  const service = `caudal-${roles[0]}`;
  const log = createLogger({ level: config.logLevel, service, instance });
  const telemetry = startTelemetry({
    service,
    instance,
    version,
    environment: config.environment,
    endpoint: telemetryEndpoint(config),
    headers: { 'x-caudal-internal': config.internalSecret },
    metrics: true,
    onProblem: (message) => log.debug({ problem: message }, 'telemetry'),
  });
  const platform = await openPlatform({ config, roles, version, instance, log, scrape: telemetry.scrape });
  const unobserve = observeRuntime(platform.dataDir);
  const metrics = await startMetricsServer({ host: config.metricsHost, port: config.metricsPort }, telemetry.scrape);
  const running: Role[] = [];
  for (const name of roles) {
    const start = await ROLES[name].load();
    running.push(await start(platform));
  }
  const heartbeat = await startHeartbeat({
    db: platform.database.db,
    log,
    id: instance,
    name: process.env[PROCESS_NAME],
    roles,
    version,
    address: running.find((role) => role.address)?.address ?? null,
    load: () => Object.assign({ metrics_address: metrics.address }, ...running.map((role) => role.load())),
  });
  const alerts = startAlerts(platform, roles);
  const intake = running.find((role) => role.name === 'telemetry')?.address;
  const host = intake ? startHost(platform, intake) : undefined;
  log.info({ roles, pid: process.pid }, 'started');
  returnStartupMemory();
  const signal = await nextSignal(['SIGTERM', 'SIGINT', RETIRE]);
  log.info({ signal }, signal === RETIRE ? 'retiring: what runs is finished first' : 'stopping');
  if (signal === RETIRE) {
    const finished = Promise.all(running.map((role) => role.retire?.()));
    await Promise.race([finished, nextSignal(['SIGTERM', 'SIGINT'])]);
  }
  await shutDown(
    [
      // While the telemetry store still answers: a policy that cannot be read would say so.
      { name: 'hand over alerts', limit: CLOSE_MS, run: () => alerts.stop() },
      { name: 'stop tailing', limit: CLOSE_MS, run: async () => host?.stop() },
      ...running.map((role) => ({ name: `drain ${role.name}`, limit: config.drainTimeout, run: () => role.drain() })),
      { name: 'leave instances', limit: CLOSE_MS, run: () => heartbeat.stop() },
      ...running.map((role) => ({ name: `stop ${role.name}`, limit: CLOSE_MS, run: () => role.stop() })),
      { name: 'stop measuring', limit: CLOSE_MS, run: async () => unobserve() },
      { name: 'stop metrics server', limit: CLOSE_MS, run: () => metrics.close() },
      { name: 'flush telemetry', limit: CLOSE_MS, run: () => telemetry.shutdown(2_000) },
      { name: 'close platform', limit: CLOSE_MS, run: () => platform.close() },
    ],
    log,
  );
}

/** The telemetry role on this machine when its port is known, otherwise the gateway, which forwards. */
export function telemetryEndpoint(config: Config): string {
  if (config.telemetryPort > 0) return `http://127.0.0.1:${config.telemetryPort}`;
  return config.publicUrl || `http://127.0.0.1:${config.port}`;
}

function nextSignal(names: NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of names) process.once(name, resolve);
  });
}
