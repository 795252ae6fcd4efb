import { setTimeout as delay } from 'node:timers/promises';
import type { SendMail } from '#contract/mail.ts';
import { isSloSeries, isUptimeSeries } from '#contract/metrics/catalogue.ts';
import { NAME, type SelectSeries, type Series, type SeriesRequest } from '#contract/metrics/series.ts';
import { observeAlerts } from '#features/alerts/alert-metrics.ts';
import { createDuty } from '#features/alerts/duty.ts';
import { knownOf } from '#features/alerts/known.ts';
import { createDeliver } from '#features/alerts/notify/deliver.ts';
import { type Deliver, queueMail } from '#features/alerts/notify/outbox.ts';
import { seedDashboards } from '#features/dashboards/dashboards.ts';
import { sloCounter } from '#features/slos/count.ts';
import { observeSlos } from '#features/slos/slo-metrics.ts';
import { sloSeries } from '#features/slos/slo-series.ts';
import { telemetryGateway } from '#features/telemetry/gateway.ts';
import { uptimeRunner } from '#features/uptime/run.ts';
import { observeUptime } from '#features/uptime/uptime-metrics.ts';
import { uptimeSeries } from '#features/uptime/uptime-series.ts';
import { systemClock } from '#kernel/clock.ts';
import { type Hold, tryHold } from '#platform/db/advisory-lock.ts';
import type { Owner } from '#platform/db/owner.ts';
import { createPoster } from '#platform/http/post.ts';
import { openMailer } from '#platform/mail/smtp.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { Platform } from './role.ts';

const SECOND_MS = 1_000;
/** The telemetry role has the series at hand, so it comes first; whoever else is there takes over within three seconds. */
const TRY_EVERY_MS = { telemetry: 500, other: 3_000 };
const NOBODY = '00000000-0000-0000-0000-000000000000';
const PING_TIMEOUT_MS = 10_000;

/** How this process tells people things, whoever evaluates. */
export function openDelivery(platform: Platform): { deliver: Deliver; close(): void } {
  const { config, database } = platform;
  const mailer = config.smtpUrl ? openMailer({ url: config.smtpUrl, from: config.mailFrom }) : null;
  const deliver = createDeliver({
    db: database.db,
    clock: systemClock,
    mailer,
    post: createPoster({ allowPrivate: config.fetchAllowPrivate }),
    publicUrl: publicUrlOf(platform),
    operators: config.operatorMail,
    refresh: (incident) => knownOf(database.db, incident),
  });
  return { deliver, close: () => mailer?.close() };
}

export function publicUrlOf({ config }: Platform): string {
  return config.publicUrl || `http://${config.host}:${config.port}`;
}

/** Mails of other rooms go through the outbox; undefined where no mail server is set. */
export function mailSender({ config, database }: Platform): SendMail | undefined {
  if (!config.smtpUrl) return undefined;
  return (mail) => queueMail(database.db, mail, systemClock.now());
}

/**
 * A workspace's policies see its series; the installation's see all of them. Service levels and uptime checks come from
 * the catalogue, everything else from the telemetry store.
 */
export function seriesFor({ database, internalSecret }: Platform): (owner: Owner) => SelectSeries {
  const { db } = database;
  const reader = telemetryGateway({ db, internalSecret });
  return (owner) => {
    const visible =
      owner === null
        ? { workspace_id: NOBODY, operator: true, everything: true }
        : { workspace_id: owner, operator: false };
    const fromCatalogue = (request: SeriesRequest): Promise<Series[]> | undefined => {
      const name = request.matchers.find(({ label, op }) => label === NAME && op === '=')?.value ?? '';
      if (isSloSeries(name)) return sloSeries(db, owner, request);
      return isUptimeSeries(name) ? uptimeSeries(db, owner, request) : undefined;
    };
    return (requests) =>
      untraced(async () => {
        const own = requests.map(fromCatalogue);
        const others = requests.filter((_, index) => own[index] === undefined);
        const answers = others.length > 0 ? await reader.series(visible, others) : [];
        return Promise.all(own.map((series) => series ?? (answers.shift() as Series[])));
      });
  };
}

/**
 * Stands by for the alerts lock in every process, and does its duty while it holds it. When the holder dies or freezes
 * PostgreSQL frees the lock with its connection.
 */
export function startAlerts(platform: Platform, roles: readonly string[]): { stop(): Promise<void> } {
  const { config, database, log } = platform;
  const { deliver, close } = openDelivery(platform);
  const { watchdogUrl } = config;
  const selectFor = seriesFor(platform);
  const { db } = database;
  const uptime = uptimeRunner({ db, clock: systemClock, log, allowPrivate: config.fetchAllowPrivate });
  const duty = createDuty({
    db,
    boss: platform.queue.boss,
    clock: systemClock,
    log,
    instance: platform.instance,
    dataDir: platform.dataDir,
    selectFor,
    deliver,
    also: [
      { name: 'dashboards', run: once(() => seedDashboards(db)) },
      { name: 'uptime', run: uptime.run },
      { name: 'slos', run: sloCounter({ db, clock: systemClock, log, selectFor }) },
    ],
    ping: watchdogUrl ? () => ping(watchdogUrl) : undefined,
  });
  const standby = roles.includes('telemetry') ? TRY_EVERY_MS.telemetry : TRY_EVERY_MS.other;
  const stopping = new AbortController();
  let hold: Hold | undefined;
  const holds = (): boolean => hold?.held() ?? false;
  const unobserve = [
    observeAlerts(db, holds),
    observeSlos(db, systemClock, holds),
    observeUptime(db, systemClock, holds),
  ];

  const turn = async (): Promise<number> => {
    if (hold && !hold.held()) {
      log.warn('alerts: the lock was lost with its connection, or nothing was heard of it for too long');
      await hold.release();
      hold = undefined;
    }
    if (!hold) {
      hold = await untraced(() => tryHold(database.pool, 'alerts'));
      if (!hold) return standby;
      log.info('alerts: this process evaluates policies and tells of incidents');
    }
    await duty.second(holds);
    return SECOND_MS;
  };
  const done = (async () => {
    if (standby === TRY_EVERY_MS.other) await wait(standby, stopping.signal);
    while (!stopping.signal.aborted) {
      const next = await turn().catch((error: unknown) => {
        log.debug({ err: error }, 'alerts: not at the moment');
        return standby;
      });
      await wait(next, stopping.signal);
    }
    await hold?.release();
  })();
  return {
    async stop() {
      stopping.abort();
      for (const end of unobserve) end();
      await done;
      await uptime.idle();
      close();
    },
  };
}

/** Until it has succeeded. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done = false;
  return async () => {
    if (!done) await work();
    done = true;
  };
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** The operator's own address: it may be a private one. */
async function ping(url: string): Promise<void> {
  const response = await untraced(() => fetch(url, { signal: AbortSignal.timeout(PING_TIMEOUT_MS) }));
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the watchdog answered ${response.status}`);
}
