import { createGate } from '#kernel/gate.ts';
import { rows, sql } from '#platform/db/db.ts';
import type { Listener } from '#platform/db/listen.ts';
import type { NamedLocks } from '#platform/db/named-locks.ts';
import type { Logger } from '#platform/observe/log.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { startLooks } from '#platform/stream/looks.ts';
import { type DeliverDeps, deliverDue } from './deliver.ts';
import { takeBatches } from './take.ts';

export interface WebhooksDeps extends DeliverDeps {
  listener: Listener;
  locks: NamedLocks;
  log: Logger;
  /** Subscriptions that this process serves at once: one slow receiver must not hold up the others. */
  lanes: number;
}

export interface Webhooks {
  /** Tries nothing more and waits for the attempts under way. */
  stop(): Promise<void>;
}

/** What is retried becomes due by the clock: nobody announces it. */
const LOOK_EVERY_MS = 1_000;

/** The deliveries of one process. Any number of processes may run them: who holds a subscription's lock serves it. */
export function startWebhooks(deps: WebhooksDeps): Webhooks {
  const { db, log } = deps;
  const active = new Map<string, Promise<void>>();
  const gate = createGate(deps.lanes, Number.POSITIVE_INFINITY);
  let stopped = false;

  const serve = (id: string): void => {
    if (stopped || active.has(id)) return;
    const work = gate
      .run(() => serveSubscription(deps, id, () => stopped))
      .catch((error: unknown) => log.warn({ err: error, subscription_id: id }, 'webhooks: failed, trying again'))
      .finally(() => active.delete(id));
    active.set(id, work);
  };
  const looks = startLooks({
    listener: deps.listener,
    every_ms: LOOK_EVERY_MS,
    look: async () => (await untraced(() => findWaiting(db))).forEach(serve),
    failed: (error) => log.debug({ err: error }, 'webhooks: could not look for deliveries'),
  });
  return {
    async stop() {
      stopped = true;
      await looks.stop();
      await Promise.allSettled(active.values());
    },
  };
}

async function serveSubscription(deps: WebhooksDeps, id: string, stopped: () => boolean): Promise<void> {
  const lock = await deps.locks.tryHold(`webhook:${id}`);
  if (!lock) return;
  try {
    while (!stopped()) {
      const taken = await untraced(() => takeBatches(deps.db, id));
      const tried = await deliverDue(deps, id);
      if (taken === 0 && tried === 0) return;
    }
  } finally {
    await lock.release();
  }
}

/** Webhooks that have events before them or a delivery that is due. */
async function findWaiting(db: WebhooksDeps['db']): Promise<string[]> {
  const found = await rows(
    db,
    sql<{ id: string }>`
      SELECT s.id FROM subscriptions s JOIN topics t ON t.id = s.topic_id
      WHERE s.kind = 'webhook' AND (s.position < t.head OR EXISTS (
        SELECT FROM webhook_deliveries d
        WHERE d.subscription_id = s.id AND d.state = 'waiting' AND d.next_at <= now()))`,
  );
  return found.map(({ id }) => id);
}
