import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { traceIdOf } from '#contract/carrier.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { transaction } from '#platform/db/db.ts';
import type { NamedLocks } from '#platform/db/named-locks.ts';
import { forgetBatchSources } from '#platform/lake/batch-sources.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { commit } from '#platform/lake/commit.ts';
import { compactWhenNeeded } from '#platform/lake/compaction.ts';
import { type RewriteTools, rewriteSegments, type WithoutSources } from '#platform/lake/rewrite.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { allBatchesAfter } from '#platform/stream/archive.ts';
import { sourceId } from '#platform/stream/batch.ts';
import type { StoredBatch } from '#platform/stream/read.ts';
import { readSubscription } from '../drain/batches.ts';
import { additionOf, lockPosition } from '../drain/commit-drain.ts';
import { type DrainDeps, prepareBatches } from '../drain/drain.ts';
import type { Drained } from '../drain/drained.ts';
import { targetOf } from '../drain/target.ts';

export interface ReplayEventsDeps extends DrainDeps, Pick<RewriteTools, 'memory_bytes' | 'threads'> {
  objects: Pick<ObjectStore, 'read' | 'delete' | 'local' | 'putFile'>;
  locks: NamedLocks;
}

type Context = TaskContext<'replay_events'>;

const BOUNDS = { most_batches: 2_000, most_bytes: 16 * 2 ** 20 };
const TRIES = 6;

/**
 * Brings a subscription's events from an offset on into its dataset again, as the dataset is now. What these batches
 * brought before goes in the same commit, so nothing is there twice and nothing is missing in between. Drains of the
 * subscription wait meanwhile.
 */
export function replayEventsTask(deps: ReplayEventsDeps): TaskDefinition<'replay_events'> {
  return { kind: 'replay_events', handle: (context) => replay(deps, context) };
}

async function replay(deps: ReplayEventsDeps, context: Context): Promise<void> {
  const { subscription_id, first_offset } = context.task.input;
  const lock = await holdDrain(deps.locks, subscription_id, context.signal);
  const directory = await mkdtemp(join(deps.temp_dir, 'replay-'));
  try {
    const subscription = await readSubscription(deps.db, subscription_id);
    if (!subscription) throw fail('subscription_not_found', 'The subscription was deleted.');
    const target = await targetOf(deps.db, subscription);
    // Its keys would be judged against the very rows that the replay replaces.
    if (target.key) throw fail('invalid_input', `"${target.name}" has a key; its events cannot be replayed.`);
    const taken = { subscription: { ...subscription, dataset_id: target.id }, target };
    const parts = await withSpan('read', {}, () => readAll(deps, context, taken, first_offset, directory));
    await withSpan('commit', {}, () => commitReplay(deps, context, parts, first_offset));
  } finally {
    await rm(directory, { recursive: true, force: true });
    await lock.release();
  }
}

async function holdDrain(locks: NamedLocks, id: string, signal: AbortSignal) {
  for (;;) {
    const lock = await locks.tryHold(`drain:${id}`);
    if (lock) return lock;
    await delay(100, undefined, { signal });
  }
}

async function readAll(
  deps: ReplayEventsDeps,
  { signal, progress }: Context,
  taken: Pick<Drained, 'subscription' | 'target'>,
  first: number,
  directory: string,
): Promise<Drained[]> {
  const { topic_id, position } = taken.subscription;
  const parts: Drained[] = [];
  for await (const group of allBatchesAfter(deps, topic_id, first - 1, BOUNDS)) {
    let rest: StoredBatch[] = group.filter(({ last_offset }) => last_offset <= position);
    while (rest.length > 0) {
      signal.throwIfAborted();
      const part = await prepareBatches(deps, { ...taken, batches: rest }, directory, signal);
      parts.push(part);
      rest = rest.slice(part.batches.length);
      progress((80 * ((part.batches.at(-1)?.last_offset ?? first) - first + 1)) / (position - first + 1));
    }
  }
  return parts;
}

async function commitReplay(
  deps: ReplayEventsDeps,
  context: Context,
  parts: Drained[],
  firstOffset: number,
): Promise<void> {
  const [one] = parts;
  if (!one) throw fail('events_gone', 'There is no event that could be replayed.');
  const { subscription, target } = one;
  const ids = parts.flatMap(({ batches }) => batches.map(({ id }) => sourceId(subscription.id, id)));
  for (let tried = 1; ; tried += 1) {
    const dataset = await snapshot(deps.db, { workspace_id: subscription.workspace_id, id: target.id });
    const removal = await withoutBatches(deps, dataset, subscription.id, ids);
    try {
      await transaction(deps.db, async (tx) => {
        await lockPosition(tx, subscription.id, subscription.position);
        const place = { dataset_id: target.id, subscription_id: subscription.id };
        await forgetBatchSources(tx, place, ids, firstOffset);
        const trace_id = traceIdOf(currentCarrier());
        const change = { kind: 'replay', dataset_id: target.id, task_id: context.task.id, trace_id } as const;
        const committed = await commit(tx, { ...change, ...removal, batches: parts.map(additionOf) });
        await compactWhenNeeded(tx, deps.enqueue, subscription.workspace_id, committed);
        await context.succeed(tx, outputOf(parts, committed.version));
        faultPoint('replay.before-commit');
      });
      return;
    } catch (error) {
      const changed = error instanceof CaudalError && error.code === 'dataset_busy';
      if (!changed || tried >= TRIES) throw error;
    }
  }
}

/** Segments of the subscription without the rows of these batches; those that have none of them come out as they were. */
async function withoutBatches(
  deps: ReplayEventsDeps,
  dataset: DatasetSnapshot,
  subscriptionId: string,
  ids: readonly string[],
): Promise<WithoutSources> {
  const removal: WithoutSources = { drops: [], rewrites: [] };
  for (const segment of dataset.segments.filter(({ source_ids }) => source_ids.includes(subscriptionId))) {
    const rewritten = await rewriteSegments(deps, dataset, [segment], ids);
    if (!rewritten) removal.drops.push(segment.id);
    else if (rewritten.rows < segment.rows) removal.rewrites.push({ segment: rewritten, replaces: [segment.id] });
    else await deps.objects.delete(rewritten.object_key);
  }
  return removal;
}

function outputOf(parts: Drained[], version: number): Record<string, unknown> {
  const total = (of: (part: Drained) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  return {
    dataset: parts[0]?.target.name,
    version,
    batches: total(({ batches }) => batches.length),
    rows: total(({ table }) => table.accounting.accepted),
    quarantined: total(({ table }) => table.accounting.quarantined),
  };
}
