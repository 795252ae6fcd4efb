import { hostname } from 'node:os';
import { join } from 'node:path';
import { startTail, type Tail } from '#features/tailing/tail.ts';
import { systemClock } from '#kernel/clock.ts';
import { observeHost } from '#platform/observe/metrics/host.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { openRecordSender } from '#platform/observe/records.ts';
import type { Platform } from './role.ts';

export interface Host {
  stop(): Promise<void>;
}

/**
 * What is there once for each machine, in the process that has the telemetry role: the machine's own figures, and the
 * logs of other programs, the embedded PostgreSQL's among them.
 * @param address of this process's intake: through a proxy, each export would be a line of a log that is followed
 */
export function startHost(platform: Platform, address: string): Host {
  const { config, dataDir, log } = platform;
  const own = { format: 'postgresql' as const, path: join(dataDir, 'logs', 'postgres.log') };
  const targets = config.tail.some(({ path }) => path === own.path) ? config.tail : [own, ...config.tail];
  const host = hostname();
  const send = (service: string) =>
    openRecordSender(
      {
        service,
        instance: host,
        environment: config.environment,
        endpoint: `http://${address}`,
        headers: { 'x-caudal-internal': platform.internalSecret },
      },
      host,
    );
  const tails = new Map<string, Tail>();
  for (const { format, path } of targets) {
    const directory = join(dataDir, 'tail');
    const tail = startTail({
      format,
      path,
      directory,
      open: send,
      clock: systemClock,
      bytesPerMinute: config.telemetryRateSystem,
      warn: log.warn.bind(log),
    });
    if (tail) tails.set(path, tail);
  }
  const ends = [observeHost(), observeTails(tails)];
  return {
    async stop() {
      for (const end of ends) end();
      await Promise.all([...tails.values()].map((tail) => tail.stop()));
    },
  };
}

function observeTails(tails: ReadonlyMap<string, Tail>): () => void {
  return observe(['caudal.tail.behind'], async () => ({
    'caudal.tail.behind': await Promise.all(
      [...tails].map(async ([path, tail]) => ({
        value: await tail.behind().catch(() => 0),
        attributes: { 'log.file.path': path },
      })),
    ),
  }));
}
