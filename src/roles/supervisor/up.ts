import { chmod, mkdir } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config, Environment } from '#config';
import { backoffDelay } from '#kernel/backoff.ts';
import { systemClock } from '#kernel/clock.ts';
import { openDatabase } from '#platform/db/db.ts';
import { hasSetpriv } from '#platform/db/embedded/account.ts';
import { type RunningPostgres, startPostgres } from '#platform/db/embedded/postgres.ts';
import { migrate, readMigrations } from '#platform/db/migrate.ts';
import type { Logger } from '#platform/observe/log.ts';
import { tryPort } from '#platform/process/ports.ts';
import { isAlive } from '#platform/process/processes.ts';
import { removeAbandoned } from '#platform/process/temp-dir.ts';
import type { HowItDied } from '#platform/queue/bury.ts';
import { handBack } from '#platform/queue/hand-back.ts';
import { migrateQueue } from '#platform/queue/queue.ts';
import { type Phase, shutDown } from '../shutdown.ts';
import { slotsOf } from '../tasks.ts';
import type { Ended } from './child.ts';
import { joinPool } from './elastic.ts';
import { type FirstStart, firstStart } from './first-start.ts';
import { type Fleet, startFleet, type Tell } from './fleet.ts';
import { acquireLock, type Lock, refuseSecond } from './lock.ts';
import { rotateHeldOpen } from './log-file.ts';
import { endOrphans } from './orphans.ts';
import { internalSecret } from './secret.ts';

export interface UpOptions {
  config: Config;
  /** Handed on to the processes. */
  env: Environment;
  program: readonly [string, string];
  /** The checkout: migrations are read from it, and it is every process's working directory. */
  root: string;
  log: Logger;
  /** The lines of `log` go to this intake from now on. @returns what ends that */
  sendLog(intake: { endpoint: string; secret: string }): Promise<() => Promise<void>>;
  tell: Tell;
  /** Aborted by who does not want to wait for the start any longer. */
  signal: AbortSignal;
}

export interface Installation extends FirstStart {
  url: string;
  /** `embedded PostgreSQL, port n` or the host of DATABASE_URL. */
  database: string;
  /** Drains and stops everything in named phases. Idempotent. */
  stop(): Promise<void>;
  /** For who cannot wait: processes are killed, PostgreSQL is shut down fast. */
  stopNow(): Promise<void>;
}

/** Far more than a small or busy machine needs; a gateway that keeps dying is given up earlier. */
const READY_TIMEOUT = 180_000;
const ROTATE_EVERY_MS = 60_000;
const NOTICED_BY = `supervisor ${process.pid}`;

/**
 * Starts a whole installation: PostgreSQL (unless DATABASE_URL names one), migrations, the
 * administrator, then the processes; resolves when the gateway is ready. When anything fails,
 * whatever was started is stopped again.
 *
 * @throws DataDirectoryInUse, SchemaTooNew, or what kept a part from starting.
 */
export async function up(options: UpOptions): Promise<Installation> {
  const { config, tell } = options;
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  await chmod(config.dataDir, 0o711);
  const undo: Phase[] = [];
  // Before the port: another Caudal on this directory usually holds that too, and is the better answer.
  await refuseSecond(config.dataDir);
  const port = await gatewayPort(config);
  const url =
    config.publicUrl || `http://${config.host.includes(':') ? `[${config.host}]` : anyToLocal(config.host)}:${port}`;
  const lock: Lock = await acquireLock(config.dataDir, url);
  undo.unshift({ name: 'release the data directory', limit: 1_000, run: () => lock.release() });
  try {
    const orphans = await endOrphans(config.dataDir);
    if (orphans > 0)
      tell({ name: 'supervisor', level: 'warn', message: `ended ${orphans} processes of an earlier run` });
    const database = await openOwnDatabase(options, undo);
    const first = await prepare(options, database.url, url);
    const { fleet, intake } = await launch(options, database.url, port);
    undo.unshift(...fleetPhases(fleet, config));
    // The supervisor has nothing to do while its children start.
    const sending = options.sendLog(intake).catch((error) => {
      options.log.warn({ err: error }, 'supervisor: its log is not sent');
      return async () => undefined;
    });
    undo.unshift({ name: 'send the last lines', limit: 1_500, run: async () => (await sending)() });
    const pool = await joinPool({
      url: database.url,
      log: options.log,
      slots: slotsOf(config),
      rules: {
        min: config.workersMin,
        max: config.workersMax,
        up_after_ms: config.scaleUpAfter,
        down_after_ms: config.scaleDownAfter,
      },
      decided: (message) => tell({ name: 'pool', level: 'info', message }),
    });
    undo.unshift({ name: 'leave the pool', limit: 2_000, run: () => pool.stop() });
    await ready(`http://${localHost(config.host)}:${port}`, fleet, options.signal);
    // After the gateway: on two cores a third process that loads costs its start a second.
    pool.follow((workers) => fleet.resize(workers));
    return { ...first, url, database: database.name, ...stopping(options, undo, fleet) };
  } catch (error) {
    await shutDown(undo, options.log);
    throw error;
  }
}

function anyToLocal(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function gatewayPort(config: Config): Promise<number> {
  const free = await tryPort(config.port, config.host);
  if (free !== undefined) return free;
  throw new Error(
    `Port ${config.port} on ${config.host} is taken by another program. Stop it, or set CAUDAL_PORT to another port (0 takes a free one).`,
  );
}

/** PostgreSQL, restarted whenever it dies; its port is kept, so the processes find it again by themselves. */
async function openOwnDatabase(options: UpOptions, undo: Phase[]): Promise<{ url: string; name: string }> {
  const { config, log, tell } = options;
  if (config.databaseUrl) return { url: config.databaseUrl, name: new URL(config.databaseUrl).host };
  const logFile = join(config.dataDir, 'logs', 'postgres.log');
  const rotate = () => {
    try {
      rotateHeldOpen(logFile, { bytes: config.logFileBytes, age: config.logFileAge });
    } catch (error) {
      log.warn({ err: error }, 'supervisor: the log of PostgreSQL could not be rotated');
    }
  };
  rotate();
  const rotating = setInterval(rotate, ROTATE_EVERY_MS).unref();
  const start = () => startPostgres({ dir: join(config.dataDir, 'postgres'), log, logFile });
  let server: RunningPostgres = await start();
  let stopping = false;
  undo.unshift({
    name: 'stop PostgreSQL',
    limit: 30_000,
    async run() {
      stopping = true;
      clearInterval(rotating);
      await server.stop();
    },
  });
  void (async () => {
    for (let deaths = 0; ; deaths += 1) {
      const begun = performance.now();
      const how = await server.exited;
      if (stopping) return;
      if (performance.now() - begun > 30_000) deaths = 0;
      tell({
        name: 'postgres',
        level: 'error',
        message: `ended (${how.signal ?? `status ${how.code}`}); starting again`,
      });
      server = await restart(start, deaths, () => stopping, tell);
    }
  })();
  return { url: server.url, name: `embedded PostgreSQL, port ${server.port}` };
}

async function restart(
  start: () => Promise<RunningPostgres>,
  deaths: number,
  stopping: () => boolean,
  tell: Tell,
): Promise<RunningPostgres> {
  for (let attempt = deaths; ; attempt += 1) {
    if (attempt > 0) await delay(backoffDelay(attempt - 1, { base: 200, cap: 10_000 }));
    try {
      const server = await start();
      if (stopping()) await server.stop();
      tell({ name: 'postgres', level: 'info', message: `started (pid ${server.pid})` });
      return server;
    } catch (error) {
      tell({ name: 'postgres', level: 'error', message: (error as Error).message });
    }
  }
}

/** Migrations and the administrator, before any process starts. */
async function prepare(options: UpOptions, databaseUrl: string, url: string): Promise<FirstStart> {
  const { config, root, log, tell } = options;
  const database = openDatabase({
    url: databaseUrl,
    applicationName: 'caudal-supervisor',
    max: 2,
    onError: (error) => log.warn({ err: error }, 'database: connection lost'),
  });
  try {
    const applied = await migrate(database.pool, await readMigrations(join(root, 'migrations')));
    if (applied.length > 0)
      tell({ name: 'supervisor', level: 'info', message: `migrations applied: ${applied.join(', ')}` });
    await migrateQueue(databaseUrl);
    await giveWorkBack(options, databaseUrl, (pid) => !isAlive(pid), { cause: 'vanished', noticed_by: NOTICED_BY });
    return await firstStart({
      db: database.db,
      clock: systemClock,
      dataDir: config.dataDir,
      url,
      own: !config.databaseUrl,
    });
  } finally {
    await database.close();
  }
}

async function launch(options: UpOptions, databaseUrl: string, port: number) {
  const { config, program, root, env, tell } = options;
  const telemetryPort = await tryPort(config.telemetryPort, '127.0.0.1');
  if (telemetryPort === undefined) throw new Error(`Port ${config.telemetryPort} (CAUDAL_TELEMETRY_PORT) is taken.`);
  const secret = config.internalSecret || (await internalSecret(config.dataDir));
  const settings = {
    CAUDAL_DATA_DIR: config.dataDir,
    CAUDAL_PORT: String(port),
    CAUDAL_TELEMETRY_PORT: String(telemetryPort),
    DATABASE_URL: databaseUrl,
    CAUDAL_INTERNAL_SECRET: secret,
  };
  const died = (how: Ended & { role: string; name: string }): void => {
    void removeAbandoned(join(config.dataDir, 'tmp')).catch((error) =>
      options.log.warn({ err: error }, 'supervisor: the next start removes what the dead left'),
    );
    const cause = how.signal ? 'killed' : 'exited';
    const words = { cause, exit_code: how.code, signal: how.signal, noticed_by: NOTICED_BY } as const;
    void giveWorkBack(options, databaseUrl, (pid) => pid === how.pid, words, how);
  };
  const fleet = startFleet({ config, program, root, env, settings, setpriv: hasSetpriv(), tell, died });
  return { fleet, intake: { endpoint: `http://127.0.0.1:${telemetryPort}`, secret } };
}

async function giveWorkBack(
  { log, tell }: UpOptions,
  databaseUrl: string,
  gone: (pid: number) => boolean,
  how: HowItDied,
  ended?: Ended & { role: string; name: string },
): Promise<void> {
  try {
    const tasks = await handBack(databaseUrl, gone, how, log, ended);
    if (tasks.length === 0) return;
    tell({ name: 'supervisor', level: 'warn', message: `tasks of who is gone go to others: ${tasks.join(', ')}` });
  } catch (error) {
    log.warn({ err: error }, 'supervisor: the queue will notice by itself who is gone');
  }
}

/** Resolves when `/readyz` answers 200. @throws after three minutes, or when the gateway dies again and again. */
async function ready(base: string, fleet: Fleet, signal: AbortSignal): Promise<void> {
  const until = performance.now() + READY_TIMEOUT;
  while (performance.now() < until) {
    if (await answersOk(`${base}/readyz`)) return;
    if (signal.aborted) throw new Error('interrupted while starting');
    const failing = fleet.children.find(({ child }) => child.deaths >= 5);
    if (failing)
      throw new Error(`${failing.child.name} does not start; see its log: caudal logs ${failing.child.name}`);
    await delay(25);
  }
  throw new Error(`The gateway was not ready within ${READY_TIMEOUT / 1000} s; see caudal logs api`);
}

/** By node:http: `fetch` would load an HTTP client of a hundred milliseconds for a handful of requests. */
function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 10_000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** New work first, then running work, then what records both. */
function fleetPhases(fleet: Fleet, config: Config): Phase[] {
  return ['api', 'worker', 'telemetry'].map((role) => ({
    name: `drain ${role}`,
    limit: config.drainTimeout + 15_000,
    run: () => fleet.stop(role, config.drainTimeout + 10_000),
  }));
}

function stopping({ log }: UpOptions, phases: Phase[], fleet: Fleet): Pick<Installation, 'stop' | 'stopNow'> {
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= shutDown(phases, log);
    return stopped;
  };
  return {
    stop,
    stopNow() {
      fleet.kill();
      return stop();
    },
  };
}
