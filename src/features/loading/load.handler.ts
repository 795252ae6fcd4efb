import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadLimits, ReadRequest, ReadTable } from '#contract/load.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { transaction } from '#platform/db/db.ts';
import { busyAgain } from '#platform/lake/busy-again.ts';
import type { Addition } from '#platform/lake/change.ts';
import type { SegmentProfile } from '#platform/lake/profile.ts';
import { segmentKey } from '#platform/lake/rewrite.ts';
import { counter, histogram } from '#platform/observe/metrics/instruments.ts';
import { recordSpan, withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { conform } from './conform.ts';
import { chooseDestinations, type Destination } from './destination.ts';
import { download, type FetchToFile } from './download.ts';
import { beginLoad, endLoad, type FileRow, optionsOf } from './file-state.ts';
import { type CommitDeps, commitLoad, type Placed, type Prepared } from './load-commit.ts';
import { settleLoad } from './settle-load.ts';

/** `createReaderPool(…).read`: reads one file in a child. */
export type ReadTables = (
  request: ReadRequest,
  callbacks: {
    signal: AbortSignal;
    workspace_id: string;
    onProgress(progress: { bytes: number; total_bytes: number; rows: number }): void;
  },
) => Promise<ReadTable[]>;

export interface LoadDeps extends CommitDeps {
  read: ReadTables;
  fetchToFile: FetchToFile;
  limits: ReadLimits;
}

type Context = TaskContext<'load'>;

/** Bytes read make the first part of the progress; writing and committing the rest. */
const READ_SHARE = 90;

/**
 * A file becomes rows: read in a child, segments durable in the object store, then one transaction with
 * the datasets, the file's state and the task. Run twice (a worker died, a message came late) it commits
 * once: `succeed` is in that transaction and refuses a run that lost its fence.
 */
export function loadTask(deps: LoadDeps): TaskDefinition<'load'> {
  return {
    kind: 'load',
    handle: (context) => load(deps, context),
    ended: (tx, task, how, error) => endLoad(tx, task, how, error),
  };
}

async function load(deps: LoadDeps, context: Context): Promise<void> {
  const began = performance.now();
  const file = await transaction(deps.db, (tx) => beginLoad(tx, context.task));
  const directory = await mkdtemp(join(deps.temp_dir, 'load-'));
  try {
    await download(deps, context, file, directory);
    const tables = await readFile(deps, context, file, directory);
    faultPoint('load.after-read');
    const chosen = await destinations(deps, context, file, tables);
    const conformed = await conformAll(deps, context, tables, chosen, directory);
    const stored: StoredSegments = new Map();
    const prepared = await busyAgain(() => settleAndCommit(deps, context, file, conformed, directory, stored));
    measure(context, file, prepared, performance.now() - began);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function measure(context: Context, file: FileRow, prepared: Prepared[], ms: number): void {
  const workspace = { 'caudal.workspace': file.workspace_id };
  histogram('caudal.upload.queryable').record(context.age_ms() / 1000, workspace);
  for (const { table, destination } of prepared) {
    const { accepted, quarantined, duplicates } = table.accounting;
    for (const [outcome, rows] of Object.entries({ accepted, quarantined, duplicate: duplicates })) {
      const attributes = { ...workspace, 'caudal.dataset': destination.name, 'caudal.outcome': outcome };
      counter('caudal.load.rows').add(rows, attributes);
    }
  }
  const rows = total(prepared.map(({ table }) => table.accounting.read));
  if (rows > 0) histogram('caudal.load.throughput').record(rows / (ms / 1000), workspace);
}

async function readFile(deps: LoadDeps, context: Context, file: FileRow, directory: string): Promise<ReadTable[]> {
  const { options } = optionsOf(context.task.input);
  const request: ReadRequest = {
    path: '',
    filename: file.filename,
    options,
    out_dir: directory,
    source: { loaded_at: new Date().toISOString() },
    limits: deps.limits,
    ...(await targetOf(deps, context, file)),
  };
  const attributes = { 'caudal.file.id': file.id, 'caudal.workspace': file.workspace_id };
  return withSpan('read', { attributes }, async (span) => {
    const object = await deps.objects.local(file.object_key);
    try {
      const tables = await deps.read(
        { ...request, path: object.path },
        {
          signal: context.signal,
          workspace_id: file.workspace_id,
          onProgress: ({ bytes, total_bytes, rows }) =>
            context.progress(share(bytes, total_bytes), { bytes, total_bytes, rows }),
        },
      );
      for (const table of tables) recordTimings(table);
      span.setAttribute('caudal.file.bytes', object.size);
      span.setAttribute('caudal.rows.read', total(tables.map((table) => table.accounting.read)));
      return tables;
    } finally {
      await object.release();
    }
  });
}

function share(bytes: number, total: number): number {
  return total > 0 ? Math.min(READ_SHARE, (READ_SHARE * bytes) / total) : 0;
}

function recordTimings(table: ReadTable): void {
  for (const { name, start_ms, end_ms } of table.timings ?? []) {
    recordSpan(name, { start: start_ms, end: end_ms, attributes: { 'caudal.table': table.name ?? '' } });
  }
}

/** The dataset the file will join, if it is known before reading: its columns steer the reader's types. */
async function targetOf(deps: LoadDeps, context: Context, file: FileRow): Promise<Pick<ReadRequest, 'target'>> {
  const { mode } = optionsOf(context.task.input);
  const [destination] = await destinations(deps, context, file, [{}]);
  const existing = destination?.existing;
  if (!existing || (mode === 'replace' && existing.mode === 'inferred')) return {};
  const required = new Set(existing.declared?.filter((column) => column.required).map((column) => column.name));
  const columns = existing.columns.map(({ name, type, field_id }) => ({
    ...{ name, type, field_id },
    ...(required.has(name) ? { required: true } : {}),
  }));
  return { target: { mode: existing.mode, columns } };
}

function destinations(
  deps: LoadDeps,
  context: Context,
  file: FileRow,
  tables: readonly Pick<ReadTable, 'name'>[],
): Promise<Destination[]> {
  const { workspace_id, id: file_id, filename } = file;
  return chooseDestinations(deps.db, { workspace_id, file_id, filename, dataset: context.task.input.dataset }, tables);
}

async function conformAll(
  deps: LoadDeps,
  context: Context,
  tables: ReadTable[],
  chosen: Destination[],
  directory: string,
): Promise<Placed[]> {
  const placed: Placed[] = [];
  for (const [index, read] of tables.entries()) {
    const destination = chosen[index];
    if (!destination) throw new Error('every table has a destination');
    placed.push({ table: await conformed(deps, context, markEmpty(read), destination, directory), destination });
  }
  return placed;
}

/** Segments are stored once; where keys had to be settled again, those that it changed are stored as well. */
async function settleAndCommit(
  deps: LoadDeps,
  context: Context,
  file: FileRow,
  conformed: Placed[],
  directory: string,
  stored: StoredSegments,
): Promise<Prepared[]> {
  const { placed, settled } = await settleLoad(deps, context, conformed, directory);
  const prepared: Prepared[] = [];
  for (const one of placed) prepared.push({ ...one, segments: await store(deps, context, file, one, stored) });
  context.progress(READ_SHARE + 5);
  await withSpan('commit', { attributes: attributesOf(file, prepared) }, () =>
    commitLoad(deps, context, file, prepared, settled),
  );
  return prepared;
}

/** Columns in which the profiles saw no value: their type is a guess. */
function markEmpty(table: ReadTable): ReadTable {
  const profiles = table.segments.map((segment) => segment.profile as SegmentProfile | null);
  const isEmpty = (index: number): boolean =>
    profiles.every((profile) => profile !== null && profile.columns[index]?.nulls === profile.rows);
  return {
    ...table,
    columns: table.columns.map((column, index) => (isEmpty(index) ? { ...column, empty: true } : column)),
  };
}

async function conformed(
  deps: LoadDeps,
  { signal }: Context,
  table: ReadTable,
  { existing }: Destination,
  out_dir: string,
): Promise<ReadTable> {
  if (existing?.mode !== 'declared' || !existing.declared) return table;
  const { memory_bytes, threads } = deps.limits;
  return conform(
    table,
    { name: existing.name, declared: existing.declared },
    { out_dir, memory_bytes, threads, signal },
  );
}

/** By the path of the file that was stored. */
type StoredSegments = Map<string, Addition['segments'][number]>;

function store(
  deps: LoadDeps,
  { signal }: Context,
  file: FileRow,
  { table, destination }: Placed,
  stored: StoredSegments,
): Promise<Addition['segments']> {
  const attributes = {
    'caudal.dataset': destination.name,
    'caudal.segments': table.segments.length,
    'caudal.source.id': table.source_id,
    'caudal.workspace': file.workspace_id,
  };
  return withSpan('write', { attributes }, async () => {
    const segments: Addition['segments'][number][] = [];
    for (const { path, rows, bytes, first_line, profile } of table.segments) {
      signal.throwIfAborted();
      const id = newId();
      const object_key = segmentKey(file.workspace_id, destination.dataset_id, id);
      const segment = { id, object_key, rows, bytes, source_ids: [table.source_id], first_line, profile };
      const before = stored.get(path);
      if (!before) await deps.objects.putFile(object_key, path);
      stored.set(path, before ?? segment);
      segments.push(before ?? segment);
    }
    return segments;
  });
}

function attributesOf(file: FileRow, prepared: Prepared[]): Record<string, string | number> {
  return {
    'caudal.file.id': file.id,
    'caudal.workspace': file.workspace_id,
    'caudal.dataset': prepared.map(({ destination }) => destination.name).join(','),
    'caudal.rows.accepted': total(prepared.map(({ table }) => table.accounting.accepted)),
    'caudal.rows.quarantined': total(prepared.map(({ table }) => table.accounting.quarantined)),
  };
}

function total(numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
