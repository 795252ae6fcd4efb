import type { Clock } from '#kernel/clock.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { addressPolicy } from '#platform/http/address-policy.ts';
import { type Resolve, systemResolve } from '#platform/http/guarded-connector.ts';
import type { Logger } from '#platform/observe/log.ts';
import { counter, histogram } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { CheckRow } from './checks.ts';
import { type Probed, probe } from './probe.ts';

export interface RunDeps {
  db: Db;
  clock: Clock;
  log: Logger;
  /** Private networks that the checks of workspaces may reach. */
  allowPrivate: readonly string[];
  resolve?: Resolve;
}

/** The operator's own checks reach what the installation reaches. */
const EVERYWHERE = ['0.0.0.0/0', '::/0'];
const AT_ONCE = 20;
const KEPT = '30 days';
const SWEEP_EVERY_MS = 3_600_000;

/**
 * Starts the checks that are due, without waiting for them: one that hangs delays no other. To be called every second,
 * by one process of the installation.
 */
export function uptimeRunner(deps: RunDeps): { run(): Promise<void>; idle(): Promise<void> } {
  const { db, clock, log } = deps;
  const running = new Map<string, Promise<void>>();
  let swept = Number.NEGATIVE_INFINITY;
  return {
    async run() {
      const due = await untraced(() => claimDue(db, clock.now(), [...running.keys()], AT_ONCE - running.size));
      for (const check of due) {
        const work = untraced(() => runOne(deps, check))
          .catch((error: unknown) => log.warn({ err: error, check: check.id }, 'uptime: the result was not kept'))
          .finally(() => running.delete(check.id));
        running.set(check.id, work);
      }
      if (clock.monotonic() - swept < SWEEP_EVERY_MS) return;
      swept = clock.monotonic();
      await sql`DELETE FROM uptime_results WHERE at < ${clock.now()}::timestamptz - ${KEPT}::interval`.execute(db);
    },
    async idle() {
      await Promise.all(running.values());
    },
  };
}

function claimDue(db: Db, now: Date, running: string[], most: number): Promise<CheckRow[]> {
  if (most <= 0) return Promise.resolve([]);
  return rows(
    db,
    sql<CheckRow>`
      UPDATE uptime_checks SET started_at = ${now} WHERE id IN (
        SELECT id FROM uptime_checks WHERE enabled AND NOT id = ANY(${running}::uuid[])
          AND (started_at IS NULL OR started_at <= ${now}::timestamptz - make_interval(secs => interval_ms / 1000.0)
               OR started_at > ${now}::timestamptz + interval '1 minute')
        ORDER BY started_at NULLS FIRST LIMIT ${most}) RETURNING *`,
  );
}

async function runOne(deps: RunDeps, check: CheckRow): Promise<void> {
  const { db, clock, log, resolve = systemResolve } = deps;
  const policy = addressPolicy(check.workspace_id === null ? EVERYWHERE : deps.allowPrivate);
  const result = await probe(check, { policy, resolve, monotonic: clock.monotonic, now: clock.now });
  const attributes = {
    'caudal.check': check.name,
    ...(check.workspace_id ? { 'caudal.workspace': check.workspace_id } : {}),
  };
  counter('caudal.uptime.checks').add(1, { ...attributes, 'caudal.outcome': result.up ? 'up' : 'down' });
  histogram('caudal.uptime.duration').record(result.latency_ms / 1000, attributes);
  if (!result.up)
    log.warn(
      { check: check.id, name: check.name, target: check.target, reason: result.error },
      'uptime: a check failed',
    );
  await keep(db, check, result, clock.now());
}

async function keep(
  db: Db,
  check: CheckRow,
  { up, latency_ms, status, certificate_days, error }: Probed,
  at: Date,
): Promise<void> {
  await sql`
    INSERT INTO uptime_results (check_id, at, up, latency_ms, status, certificate_days, error)
    SELECT id, ${at}, ${up}, ${latency_ms}, ${status}, ${certificate_days}, ${error} FROM uptime_checks WHERE id = ${check.id}
    ON CONFLICT DO NOTHING`.execute(db);
}
