import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { spanIdOf } from '#contract/carrier.ts';
import type { ReadLimits, ReadTable, StreamRequest } from '#contract/load.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import type { Db } from '#platform/db/db.ts';
import type { BatchSource } from '#platform/lake/batch-sources.ts';
import { busyAgain } from '#platform/lake/busy-again.ts';
import type { DatasetTarget } from '#platform/lake/dataset-rows.ts';
import type { QuarantineRow } from '#platform/lake/quarantine.ts';
import { segmentKey } from '#platform/lake/rewrite.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { sourceId } from '#platform/stream/batch.ts';
import { batchesAfter, type StoredBatch } from '#platform/stream/read.ts';
import { type DatasetSubscription, readSubscription, writeRecords } from './batches.ts';
import { commitDrain } from './commit-drain.ts';
import { deliverSpans } from './delivery-spans.ts';
import type { Drained } from './drained.ts';
import { isUnreadable, refuseBatch } from './poison.ts';
import { type Settled, settle } from './settle.ts';
import { targetOf, targetSchema } from './target.ts';

export interface DrainDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  enqueue: Enqueue;
  /** Existing directory for temporary files, best on the object store's file system. */
  temp_dir: string;
  /** Writes batches in a child process (the loading room's). */
  write(request: StreamRequest, options: { signal: AbortSignal }): Promise<ReadTable>;
  /** A declared dataset's rules over what was written (the loading room's). */
  conform(table: ReadTable, dataset: DatasetTarget, out_dir: string, signal: AbortSignal): Promise<ReadTable>;
  /** The records that writer and rules refused (the loading room's). */
  readQuarantine(table: ReadTable): AsyncIterable<QuarantineRow>;
  limits: Pick<ReadLimits, 'memory_bytes' | 'threads' | 'max_columns' | 'max_value_bytes' | 'timeout_ms'>;
}

const BOUNDS = { most_batches: 2_000, most_bytes: 16 * 2 ** 20 };

/**
 * Takes the next batches of a subscription, in order, into its dataset: one segment, one transaction that also
 * moves the position. Run twice, by two processes, from any point again: the position is part of the commit, so
 * each batch is there once.
 *
 * @returns how many events were taken; 0 when there was nothing
 * @throws Fenced when another drain moved the position meanwhile
 */
export async function drainOnce(deps: DrainDeps, subscriptionId: string, signal: AbortSignal): Promise<number> {
  const subscription = await readSubscription(deps.db, subscriptionId);
  if (!subscription) return 0;
  const batches = await batchesAfter(deps.db, subscription.topic_id, subscription.position, BOUNDS);
  if (batches.length === 0) return 0;
  const directory = await mkdtemp(join(deps.temp_dir, 'drain-'));
  try {
    return await withSpan('drain', { carrier: {}, attributes: attributesOf(subscription, batches) }, async (span) => {
      linkTo(batches);
      const target = await targetOf(deps.db, subscription);
      const conformed = await prepare(deps, { subscription, batches, target }, directory, signal);
      const { drained, version } = await busyAgain(() => settleAndCommit(deps, conformed, directory));
      span.setAttribute('caudal.rows.accepted', drained.table.accounting.accepted);
      span.setAttribute('caudal.rows.quarantined', drained.table.accounting.quarantined);
      faultPoint('drain.after-commit');
      deliverSpans(drained, version);
      return countOf(drained.batches);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export function countOf(batches: readonly StoredBatch[]): number {
  return batches.reduce((sum, { first_offset, last_offset }) => sum + last_offset - first_offset + 1, 0);
}

function attributesOf(subscription: DatasetSubscription, batches: StoredBatch[]): Record<string, string | number> {
  return {
    'caudal.workspace': subscription.workspace_id,
    'caudal.dataset': subscription.dataset,
    'caudal.subscription.id': subscription.id,
    'messaging.destination.name': subscription.topic ?? subscription.dataset,
    'messaging.batch.message_count': countOf(batches),
    'caudal.batches': batches.length,
  };
}

/** The SDK keeps 128 links of a span; every batch has a span of its own in its own trace that links here. */
const MOST_LINKS = 128;

function linkTo(batches: StoredBatch[]): void {
  const span = trace.getActiveSpan();
  for (const { trace_id, carrier } of batches.slice(0, MOST_LINKS)) {
    const spanId = spanIdOf(carrier);
    if (trace_id && spanId) span?.addLink({ context: { traceId: trace_id, spanId, traceFlags: 1, isRemote: true } });
  }
}

type Taken = Pick<Drained, 'subscription' | 'batches' | 'target'>;

/** Written and held against the rules; which rows stay by their keys is settled with the commit. */
interface Conformed {
  taken: Taken;
  table: ReadTable;
  /** In the order of their offsets. */
  refused: QuarantineRow[];
}

async function prepare(deps: DrainDeps, found: Taken, directory: string, signal: AbortSignal): Promise<Conformed> {
  const { table, taken } = await withSpan('read', {}, () => readBatches(deps, found, directory, signal));
  const conformed =
    taken.target.mode === 'declared' ? await deps.conform(table, taken.target, directory, signal) : table;
  const refused: QuarantineRow[] = [];
  for await (const row of deps.readQuarantine(conformed)) refused.push(row);
  return { taken, table: conformed, refused: refused.sort((a, b) => a.line - b.line) };
}

async function settleAndCommit(
  deps: DrainDeps,
  { taken, table: conformed, refused }: Conformed,
  directory: string,
): Promise<{ drained: Drained; version: number }> {
  const { table, duplicates, settlement } = await settle(deps, taken, conformed, refused, directory);
  const segments = await withSpan('write', {}, () => store(deps, taken, table));
  const drained = { ...taken, table, segments, settlement, sources: sourcesOf(taken, refused, duplicates) };
  faultPoint('drain.after-write');
  return { drained, version: await withSpan('commit', {}, () => commitDrain(deps, drained)) };
}

/**
 * Batches read, held against the rules and stored; fewer of them when some cannot be read together with the others.
 * For a dataset without a key: nothing is settled.
 */
export async function prepareBatches(
  deps: DrainDeps,
  found: Taken,
  directory: string,
  signal: AbortSignal,
): Promise<Drained> {
  const { taken, table, refused } = await prepare(deps, found, directory, signal);
  const segments = await withSpan('write', {}, () => store(deps, taken, table));
  return { ...taken, table, segments, settlement: {}, sources: sourcesOf(taken, refused, new Map()) };
}

/** What cannot be read is halved until the batch that it is stands alone. */
async function readBatches(
  deps: DrainDeps,
  taken: Taken,
  directory: string,
  signal: AbortSignal,
): Promise<{ table: ReadTable; taken: Taken }> {
  const { subscription, batches, target } = taken;
  const out_dir = await mkdtemp(join(directory, 'write-'));
  const path = join(out_dir, 'records.ndjson');
  await writeRecords(batches, path);
  const request: StreamRequest = {
    ...{ path, out_dir, limits: deps.limits, target: targetSchema(target) },
    loaded_at: new Date().toISOString(),
    batches: batches.map(({ id, first_offset, last_offset }) => ({
      source_id: sourceId(subscription.id, id),
      first_offset,
      count: last_offset - first_offset + 1,
    })),
  };
  try {
    return { table: await deps.write(request, { signal }), taken };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    if (batches.length === 1) return { table: await refuseBatch(request, error), taken };
    const half = batches.slice(0, Math.ceil(batches.length / 2));
    return readBatches(deps, { ...taken, batches: half }, directory, signal);
  }
}

async function store(deps: DrainDeps, { subscription, target }: Taken, table: ReadTable): Promise<Drained['segments']> {
  const segments: Drained['segments'] = [];
  for (const { path, rows, bytes, first_line, profile } of table.segments) {
    const id = newId();
    const object_key = segmentKey(subscription.workspace_id, target.id, id);
    await deps.objects.putFile(object_key, path);
    // The subscription stands for its sources: thousands of batches share a segment once it is merged.
    segments.push({ id, object_key, rows, bytes, source_ids: [subscription.id], first_line, profile });
  }
  return segments;
}

/** Every record of a batch was written or refused: each batch has its own account. */
function sourcesOf(
  { subscription, batches }: Taken,
  inOrder: readonly QuarantineRow[],
  duplicatesOf: Settled['duplicates'],
): BatchSource[] {
  let at = 0;
  return batches.map(({ id, first_offset, last_offset, trace_id, carrier }) => {
    const from = at;
    while (at < inOrder.length && (inOrder[at]?.line ?? 0) <= last_offset) at += 1;
    const quarantine = inOrder.slice(from, at);
    const read = last_offset - first_offset + 1;
    const quarantined = quarantine.length;
    const source = sourceId(subscription.id, id);
    const duplicates = duplicatesOf.get(source) ?? 0;
    return {
      ...{ id: source, batch_id: id, first_offset, last_offset, trace_id, quarantine },
      span_id: spanIdOf(carrier),
      accounting: { read, accepted: read - quarantined - duplicates, quarantined, duplicates, skipped: [] },
    };
  });
}
