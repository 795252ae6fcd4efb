import { backoffDelay } from '#kernel/backoff.ts';
import { CaudalError, toStoredError } from '#kernel/errors.ts';
import { createGate } from '#kernel/gate.ts';
import { isUnavailable, rows, sql } from '#platform/db/db.ts';
import type { Listener } from '#platform/db/listen.ts';
import type { NamedLocks } from '#platform/db/named-locks.ts';
import type { Logger } from '#platform/observe/log.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { startLooks } from '#platform/stream/looks.ts';
import { Fenced } from './commit-drain.ts';
import { type DrainDeps, drainOnce } from './drain.ts';

export interface DrainsDeps extends DrainDeps {
  listener: Listener;
  locks: NamedLocks;
  log: Logger;
  /** Subscriptions that this process drains at once. */
  lanes: number;
}

export interface Drains {
  /** Subscriptions that are being drained here. */
  running(): string[];
  /** Takes no more batches and waits for what is under way. */
  stop(): Promise<void>;
}

/** Between the beginnings of two drains of one subscription: smaller segments would only be merged again. */
const PACE_MS = 200;
const LOOK_EVERY_MS = 2_000;

interface Backlog {
  id: string;
  events: number;
  age: number | null;
}

/**
 * The drains of one process. Any number of processes may run them: who holds a subscription's lock drains it, and
 * the commit itself refuses whoever is late.
 */
export function startDrains(deps: DrainsDeps): Drains {
  const { log } = deps;
  const abort = new AbortController();
  const active = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const failed = new Map<string, { tried: number; until: number }>();
  const gate = createGate(deps.lanes, Number.POSITIVE_INFINITY);
  let backlog: Backlog[] = [];
  const unobserve = observe(['caudal.events.backlog', 'caudal.events.oldest.age'], () => ({
    'caudal.events.backlog': backlog.reduce((sum, { events }) => sum + events, 0),
    'caudal.events.oldest.age': Math.max(0, ...backlog.map(({ age }) => age ?? 0)),
  }));
  let stopped = false;

  const serve = (id: string): void => {
    if (stopped || (failed.get(id)?.until ?? 0) > performance.now()) return;
    if (active.has(id)) {
      // It may have looked for the last time just now.
      again.add(id);
      return;
    }
    const work = gate
      .run(() => (stopped ? Promise.resolve() : serveSubscription(deps, id, abort.signal, () => stopped)))
      .then(() => void failed.delete(id))
      .catch((error: unknown) => postpone(id, error))
      .finally(() => {
        active.delete(id);
        if (again.delete(id)) serve(id);
      });
    active.set(id, work);
  };

  const postpone = async (id: string, error: unknown): Promise<void> => {
    if (error instanceof Fenced || stopped) return;
    const tried = (failed.get(id)?.tried ?? 0) + 1;
    failed.set(id, { tried, until: performance.now() + backoffDelay(tried, { base: 500, cap: 30_000 }) });
    if (isUnavailable(error)) return;
    log.warn({ err: error, subscription_id: id }, 'drain: failed, trying again');
    await noteError(deps, id, error).catch(() => undefined);
  };

  const look = async (streams: readonly string[] | null): Promise<void> => {
    const found = await untraced(() => findBacklog(deps, streams));
    if (streams === null) backlog = found;
    for (const { id } of found) serve(id);
  };
  const looks = startLooks({
    listener: deps.listener,
    every_ms: LOOK_EVERY_MS,
    look,
    failed: (error) => log.debug({ err: error }, 'drain: could not look for batches'),
  });

  return {
    running: () => [...active.keys()],
    async stop() {
      stopped = true;
      await looks.stop();
      unobserve();
      const late = setTimeout(() => abort.abort(new Error('this worker is shutting down')), 10_000);
      await Promise.allSettled(active.values());
      clearTimeout(late);
    },
  };
}

/** Drains while there is something; whoever does not get the lock leaves it to the one who has it. */
async function serveSubscription(
  deps: DrainsDeps,
  id: string,
  signal: AbortSignal,
  stopped: () => boolean,
): Promise<void> {
  const lock = await deps.locks.tryHold(`drain:${id}`);
  if (!lock) return;
  try {
    while (!stopped()) {
      const begun = performance.now();
      const taken = await drainOnce(deps, id, signal);
      if (taken === 0) return;
      const rest = PACE_MS - (performance.now() - begun);
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    }
  } finally {
    await lock.release();
  }
}

async function noteError({ db }: DrainsDeps, id: string, error: unknown): Promise<void> {
  const stored = JSON.stringify(
    error instanceof CaudalError ? toStoredError(error) : { code: 'internal', message: (error as Error).message },
  );
  await sql`UPDATE subscriptions SET error = ${stored}::jsonb WHERE id = ${id}`.execute(db);
}

function findBacklog({ db }: DrainsDeps, streams: readonly string[] | null): Promise<Backlog[]> {
  return rows(
    db,
    sql<Backlog>`
      SELECT s.id, t.head - s.position AS events,
             CASE WHEN ${streams === null} THEN (
               SELECT extract(epoch FROM clock_timestamp() - b.created_at)::float8 FROM event_batches b
               WHERE b.topic_id = s.topic_id AND b.first_offset > s.position ORDER BY b.first_offset LIMIT 1) END AS age
      FROM subscriptions s JOIN topics t ON t.id = s.topic_id
      WHERE s.kind = 'dataset' AND s.position < t.head
        AND (${streams}::uuid[] IS NULL OR s.topic_id = ANY(${streams}::uuid[]))`,
  );
}
