import { traceIdOf } from '#contract/carrier.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { type Db, first, sql, type Tx, transaction } from '#platform/db/db.ts';
import type { BatchAddition } from '#platform/lake/change.ts';
import { commit } from '#platform/lake/commit.ts';
import { compactWhenNeeded } from '#platform/lake/compaction.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { DRAINED_CHANNEL } from '#platform/stream/wait.ts';
import type { Drained } from './drained.ts';

/** Another drain took these batches: this one must leave no trace. */
export class Fenced extends Error {
  constructor(subscriptionId: string) {
    super(`subscription ${subscriptionId} was drained by another process`);
    this.name = 'Fenced';
  }
}

/**
 * Segment, version, sources, quarantine and position, all or nothing. @returns the dataset's new version
 * @throws Fenced; dataset_not_found when the dataset was deleted meanwhile
 */
export async function commitDrain(deps: { db: Db; enqueue: Enqueue }, drained: Drained): Promise<number> {
  const { subscription, batches, target, settlement } = drained;
  const version = await transaction(deps.db, async (tx) => {
    await lockPosition(tx, subscription.id, subscription.position);
    const committed = await commit(tx, {
      ...{ kind: 'append', dataset_id: target.id, task_id: null, trace_id: traceIdOf(currentCarrier()) },
      batches: [additionOf(drained)],
      ...settlement,
    });
    await compactWhenNeeded(tx, deps.enqueue, subscription.workspace_id, committed);
    const last = batches.at(-1)?.last_offset ?? subscription.position;
    await sql`
      UPDATE subscriptions SET position = ${last}, advanced_at = now(), error = NULL
      WHERE id = ${subscription.id}`.execute(tx);
    await sql`SELECT pg_notify(${DRAINED_CHANNEL}, ${subscription.topic_id})`.execute(tx);
    faultPoint('drain.before-commit');
    return committed.version;
  });
  return version;
}

export function additionOf({ subscription, table, segments, sources }: Drained): BatchAddition {
  const kind = subscription.kind === 'topic' ? 'events' : 'rows';
  return {
    stream: { subscription_id: subscription.id, kind, topic: subscription.topic },
    ...{ sources, segments, columns: table.columns, sniffed: table.sniffed, loaded_at: new Date() },
  };
}

/** @throws Fenced when the subscription does not stand there (any more) */
export async function lockPosition(tx: Tx, id: string, position: number): Promise<void> {
  const row = await first(
    tx,
    sql<{ position: number }>`SELECT position FROM subscriptions WHERE id = ${id} FOR UPDATE`,
  );
  if (row?.position !== position) throw new Fenced(id);
}
