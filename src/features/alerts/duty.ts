import type { PgBoss } from 'pg-boss';
import type { Clock } from '#kernel/clock.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { bury } from '#platform/queue/bury.ts';
import { settleDeaths } from './down/deaths.ts';
import { type Beat, createHeartbeatWatch } from './down/heartbeats.ts';
import { lastWords } from './down/last-words.ts';
import { type EvaluatorDeps, evaluatePolicies } from './engine/evaluate.ts';
import { type Deliver, sweepNotifications, tellDue } from './notify/outbox.ts';
import { seedPolicies } from './policies.ts';

export interface DutyDeps {
  db: Db;
  boss: PgBoss;
  clock: Clock;
  log: Logger;
  instance: string;
  dataDir: string;
  selectFor: EvaluatorDeps['selectFor'];
  deliver: Deliver;
  /** Tells an outside watchdog that we live; absent when none is set. */
  ping?: (() => Promise<void>) | undefined;
  /** Further work that is to be done once in the installation, every second; each keeps its own time. */
  also?: readonly { name: string; run(): Promise<void> }[];
}

export const EVALUATE_EVERY_MS = 15_000;
const PING_EVERY_MS = 60_000;
const SWEEP_EVERY_MS = 600_000;

/**
 * What whoever holds the alerts lock does, second by second: watch heartbeats, turn deaths into incidents, evaluate
 * policies on the quarter minute, tell what is due. All state is in the catalogue, so that another goes on where this
 * one died; only the watch begins anew, which costs a silent process fifteen more seconds.
 */
export function createDuty(deps: DutyDeps): {
  /** @param held whether it is still ours to do: one that was frozen meanwhile stops where it is */
  second(held?: () => boolean): Promise<void>;
} {
  const { db, clock, log } = deps;
  const watch = createHeartbeatWatch();
  const last = { evaluated: 0, pinged: Number.NEGATIVE_INFINITY, swept: Number.NEGATIVE_INFINITY };
  let seeded = false;
  const words = (instance: { id: string; name: string | null; host: string }) => lastWords(deps.dataDir, instance);
  const chores: [name: string, run: () => Promise<unknown>][] = [
    ['heartbeats', () => untraced(() => buryTheSilent(deps, watch))],
    ['deaths', () => untraced(() => settleDeaths({ db, clock, lastWords: words }))],
    ['policies', () => evaluateWhenDue(deps, last)],
    ['notifications', () => tellDue(deps)],
    ['watchdog', () => every(last, 'pinged', PING_EVERY_MS, clock, async () => deps.ping?.())],
    ['sweep', () => every(last, 'swept', SWEEP_EVERY_MS, clock, () => sweepNotifications(db, clock.now()))],
    ...(deps.also ?? []).map(({ name, run }): [string, () => Promise<unknown>] => [name, run]),
  ];
  return {
    async second(held = () => true) {
      if (!seeded) await seedPolicies(db);
      seeded = true;
      for (const [name, run] of chores) {
        if (!held()) return;
        await run().catch((error: unknown) => log.warn({ err: error, chore: name }, 'alerts: failed, tried again'));
      }
    },
  };
}

async function buryTheSilent(deps: DutyDeps, watch: ReturnType<typeof createHeartbeatWatch>): Promise<void> {
  const { db, boss, clock, instance } = deps;
  const beats = await rows(db, sql<Beat>`SELECT id, beat FROM instances WHERE stopped_at IS NULL`);
  const silent = watch.look(beats, clock.monotonic());
  await bury(db, boss, silent, { cause: 'silent', noticed_by: instance });
}

/** On the quarter minute of the wall clock, as Prometheus aligns its groups; a moment that was missed is left out. */
async function evaluateWhenDue(deps: DutyDeps, last: { evaluated: number }): Promise<void> {
  const now = deps.clock.now().getTime();
  const moment = now - (now % EVALUATE_EVERY_MS);
  if (moment === last.evaluated) return;
  last.evaluated = moment;
  await evaluatePolicies(deps, new Date(moment));
}

type Times = Record<'pinged' | 'swept', number>;

async function every(
  last: Times,
  name: keyof Times,
  ms: number,
  clock: Clock,
  run: () => Promise<void>,
): Promise<void> {
  if (clock.monotonic() - last[name] < ms) return;
  last[name] = clock.monotonic();
  await run();
}
