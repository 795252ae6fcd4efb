import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { trace } from '@opentelemetry/api';
import { spanIdOf, traceIdOf } from '#contract/carrier.ts';
import type { ReadLimits } from '#contract/load.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import { busyAgain } from '#platform/lake/busy-again.ts';
import type { Addition, Change } from '#platform/lake/change.ts';
import { commit } from '#platform/lake/commit.ts';
import { compactWhenNeeded } from '#platform/lake/compaction.ts';
import { type DatasetTarget, findDatasetById } from '#platform/lake/dataset-rows.ts';
import { segmentKey } from '#platform/lake/rewrite.ts';
import { type KeyedTable, settleKeys } from '#platform/lake/settle-keys.ts';
import type { SegmentColumn } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { lockTask } from './file-state.ts';
import type { Misfit } from './replay/protocol.ts';
import type { RawRecord } from './replay/record.ts';
import { runReplay } from './replay/spawn.ts';

export interface ReplayDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  enqueue: Enqueue;
  /** Existing directory for temporary files. */
  temp_dir: string;
  limits: Pick<ReadLimits, 'memory_bytes' | 'threads' | 'timeout_ms'>;
}

type Context = TaskContext<'replay'>;

/** The source whose records are tried again. */
interface Original {
  id: string;
  file_id: string | null;
  filename: string | null;
  table_name: string | null;
  trace_id: string | null;
  span_id: string | null;
  sniffed: Sniffed;
  columns: SegmentColumn[];
}

/** What one source's records became. */
interface Replayed extends KeyedTable {
  original: Original;
  source_id: string;
  /** Ids of the quarantined records that fit now. */
  accepted: string[];
  misfits: (Misfit & { id: string })[];
  columns: { name: string; type: string; nullable: boolean }[];
}

const SHOWN_MISFITS = 20;

/**
 * Quarantined records tried again: taken apart as their file was, fixed, and appended as a source of
 * kind `replay`. What still does not fit stays in quarantine, so the original's account never changes:
 * its records are there or here, each once.
 */
export function replayTask(deps: ReplayDeps): TaskDefinition<'replay'> {
  return { kind: 'replay', handle: (context) => replay(deps, context) };
}

async function replay(deps: ReplayDeps, context: Context): Promise<void> {
  const { task } = context;
  const dataset = await findDatasetById(deps.db, task.input.dataset_id);
  if (!dataset) throw fail('dataset_not_found', 'The dataset was deleted.');
  const originals = await originalsOf(deps.db, context);
  const directory = await mkdtemp(join(deps.temp_dir, 'replay-'));
  try {
    const results: Replayed[] = [];
    for (const [index, original] of originals.entries()) {
      results.push(await replaySource(deps, context, dataset, original, join(directory, String(index))));
      context.progress((90 * (index + 1)) / originals.length);
    }
    const commitAll = (): Promise<void> => commitReplay(deps, context, dataset, results, directory);
    await withSpan('commit', { attributes: attributesOf(context, dataset) }, () =>
      dataset.key ? busyAgain(commitAll) : commitAll(),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function attributesOf({ task }: Context, dataset: DatasetTarget): Record<string, string> {
  return { 'caudal.workspace': task.workspace_id, 'caudal.dataset': dataset.name };
}

function originalsOf(db: Db, { task: { workspace_id, input } }: Context): Promise<Original[]> {
  return rows(
    db,
    sql<Original>`
      SELECT id, file_id, filename, table_name, trace_id, span_id, sniffed, columns FROM sources s
      WHERE s.dataset_id = ${input.dataset_id} AND s.workspace_id = ${workspace_id} AND EXISTS (
        SELECT FROM quarantine q WHERE q.source_id = s.id AND q.state = 'open'
          AND (${input.ids}::uuid[] IS NULL OR q.id = ANY(${input.ids}::uuid[])))
      ORDER BY s.id`,
  );
}

/** One source: a span linked to the trace that brought it first, and one child. */
async function replaySource(
  deps: ReplayDeps,
  context: Context,
  dataset: DatasetTarget,
  original: Original,
  directory: string,
): Promise<Replayed> {
  const attributes = { ...attributesOf(context, dataset), 'caudal.source.id': original.id };
  return withSpan('replay', { attributes }, async (span) => {
    linkTo(original);
    await mkdir(directory);
    const records_path = join(directory, 'records.ndjson');
    const ids = await writeRecords(deps.db, context, original, records_path);
    const source_id = newId();
    const target = targetColumns(dataset, context.task.input.types ?? {});
    const done = await runReplay(
      {
        ...{ records_path, source_id, target, out_dir: directory, sniffed: original.sniffed },
        loaded_at: new Date().toISOString(),
        columns: presentColumns(original, dataset),
        declared: dataset.declared,
        fix: context.task.input.fix ?? {},
        memory_bytes: deps.limits.memory_bytes,
        threads: deps.limits.threads,
      },
      deps.limits.timeout_ms,
      context.signal,
    );
    span.setAttribute('caudal.rows.accepted', done.accepted.length);
    span.setAttribute('caudal.rows.quarantined', done.misfits.length);
    const count = done.accepted.length;
    return {
      ...{ original, source_id },
      accounting: { read: count, accepted: count, quarantined: 0, duplicates: 0, skipped: [] },
      segments: done.segment ? [{ ...done.segment, rows: count, first_line: null }] : [],
      accepted: done.accepted.flatMap((n) => ids[n] ?? []),
      misfits: done.misfits.map((misfit) => ({ ...misfit, id: ids[misfit.n] ?? '' })),
      columns: target.map(({ name, type }) => ({ name, type, nullable: true })),
    };
  });
}

function linkTo({ trace_id, span_id }: Original): void {
  if (!trace_id || !span_id) return;
  const context = { traceId: trace_id, spanId: span_id, traceFlags: 1, isRemote: true };
  trace.getActiveSpan()?.addLink({ context, attributes: { 'caudal.link': 'replay of' } });
}

function targetColumns(dataset: DatasetTarget, types: Record<string, string>): { name: string; type: string }[] {
  const unknown = Object.keys(types).find((name) => !dataset.columns.some((column) => column.name === name));
  if (unknown !== undefined)
    throw fail('column_not_found', `There is no column "${unknown}" to read as ${types[unknown]}.`);
  return dataset.columns.map(({ name, type }) => ({ name, type: types[name] ?? type }));
}

/** The source's columns under the names they have now: a rename since does not matter. */
function presentColumns(original: Original, dataset: DatasetTarget): { physical: string; name: string }[] {
  const byField = new Map(dataset.columns.map((column) => [column.field_id, column.name]));
  return original.columns.map(({ name, field_id }) => ({ physical: name, name: byField.get(field_id) ?? name }));
}

const PAGE = 5_000;

/** Writes the source's open records in line order. @returns their ids, by position */
async function writeRecords(db: Db, { task, signal }: Context, original: Original, path: string): Promise<string[]> {
  const ids: string[] = [];
  const records = async function* (): AsyncGenerator<string> {
    let after: string | null = null;
    for (;;) {
      signal.throwIfAborted();
      const page: QuarantinedRecord[] = await quarantinedRecords(db, original.id, task.input.ids, after);
      for (const { id, line, raw, raw_format } of page) {
        const format = raw_format === 'json' || !isDelimited(original.sniffed) ? 'json' : 'csv';
        yield `${JSON.stringify({ n: ids.length, line, raw, format } satisfies RawRecord)}\n`;
        ids.push(id);
      }
      after = page.at(-1)?.id ?? null;
      if (page.length < PAGE) return;
    }
  };
  await pipeline(Readable.from(records()), createWriteStream(path));
  return ids;
}

interface QuarantinedRecord {
  id: string;
  line: number;
  raw: string;
  raw_format: string;
}

/** Ids are made in line order, so paging by id is paging by line. */
function quarantinedRecords(
  db: Db,
  sourceId: string,
  ids: string[] | null,
  after: string | null,
): Promise<QuarantinedRecord[]> {
  return rows(
    db,
    sql<QuarantinedRecord>`
      SELECT id, line, raw, raw_format FROM quarantine
      WHERE source_id = ${sourceId} AND state = 'open' AND (${ids}::uuid[] IS NULL OR id = ANY(${ids}::uuid[]))
        AND (${after}::uuid IS NULL OR id > ${after}::uuid)
      ORDER BY id LIMIT ${PAGE}`,
  );
}

function isDelimited({ format }: Sniffed): boolean {
  return format === undefined || format === 'csv' || format === 'tsv';
}

type Stored = Addition['segments'][number];

async function store(
  deps: ReplayDeps,
  { task }: Context,
  dataset: DatasetTarget,
  { source_id, segments }: Replayed,
): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (const { path, ...segment } of segments) {
    const id = newId();
    const object_key = segmentKey(task.workspace_id, dataset.id, id);
    await deps.objects.putFile(object_key, path);
    stored.push({ ...segment, id, object_key, source_ids: [source_id] });
  }
  return stored;
}

/** A record whose key is taken counts as a duplicate and leaves the quarantine: its row is there. */
async function settle(
  deps: ReplayDeps,
  { task: { workspace_id } }: Context,
  dataset: DatasetTarget,
  tables: Replayed[],
  out_dir: string,
): Promise<{ results: Replayed[]; settlement: Pick<Change, 'keys' | 'drops' | 'rewrites' | 'deletes'> }> {
  if (!dataset.key) return { results: tables, settlement: {} };
  const tools = { ...deps.limits, objects: deps.objects, temp_dir: deps.temp_dir };
  const request = { workspace_id, dataset_id: dataset.id, key: dataset.key, tables, out_dir };
  const { tables: results, keys, removal } = await settleKeys(deps.db, tools, request);
  return { results, settlement: { keys, ...removal } };
}

async function commitReplay(
  deps: ReplayDeps,
  context: Context,
  dataset: DatasetTarget,
  replayed: Replayed[],
  directory: string,
): Promise<void> {
  const { task } = context;
  const fitting = replayed.filter(({ accepted }) => accepted.length > 0);
  const { results, settlement } = await settle(deps, context, dataset, fitting, directory);
  const carrier = currentCarrier();
  const additions: Addition[] = [];
  for (const result of results) {
    additions.push(additionOf(result, await store(deps, context, dataset, result), spanIdOf(carrier)));
  }
  await transaction(deps.db, async (tx) => {
    await lockTask(tx, task.id);
    if (additions.length > 0) {
      const trace_id = traceIdOf(carrier);
      const change = { kind: 'replay', dataset_id: dataset.id, task_id: task.id, trace_id, additions } as const;
      await compactWhenNeeded(tx, deps.enqueue, task.workspace_id, await commit(tx, { ...change, ...settlement }));
      for (const { source_id, accepted } of results) await markReplayed(tx, accepted, source_id);
    }
    await context.succeed(tx, outputOf(dataset, replayed, results));
    faultPoint('replay.before-commit');
  });
}

function additionOf(
  { original, source_id, accounting, columns }: Replayed,
  segments: Stored[],
  span_id: string | null,
): Addition {
  return {
    source: {
      ...{ id: source_id, kind: 'replay', replay_of: original.id, span_id, accounting },
      ...{ file_id: original.file_id, filename: original.filename, table_name: original.table_name },
      sniffed: original.sniffed,
      loaded_at: new Date(),
    },
    columns,
    segments,
  };
}

/** Each record is replayed once: one that another replay took meanwhile undoes this commit. */
async function markReplayed(tx: Tx, ids: string[], sourceId: string): Promise<void> {
  const result = await sql`
    UPDATE quarantine SET state = 'replayed', replayed_by = ${sourceId}
    WHERE id = ANY(${ids}::uuid[]) AND state = 'open'`.execute(tx);
  if (Number(result.numAffectedRows ?? 0) === ids.length) return;
  throw fail('dataset_busy', 'Some of these records were replayed or deleted meanwhile; nothing was changed.', {
    hint: 'Look at the quarantine again and replay what is left.',
  });
}

function outputOf(dataset: DatasetTarget, replayed: Replayed[], results: Replayed[]): Record<string, unknown> {
  const misfits = replayed.flatMap((result) => result.misfits);
  const duplicates = results.reduce((total, { accounting }) => total + accounting.duplicates, 0);
  return {
    dataset: dataset.name,
    replayed: results.reduce((total, { accounting }) => total + accounting.accepted, 0),
    ...(duplicates > 0 ? { duplicates } : {}),
    remaining: misfits.length,
    sources: results.map(({ source_id }) => source_id),
    problems: misfits.slice(0, SHOWN_MISFITS).map(({ id, column, reason, value }) => ({ id, column, reason, value })),
  };
}
