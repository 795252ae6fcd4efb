import { spanIdOf, traceIdOf } from '#contract/carrier.ts';
import type { FileLoad } from '#contract/files.ts';
import type { ReadLimits, ReadTable } from '#contract/load.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import type { Addition, Change, Committed } from '#platform/lake/change.ts';
import { commit } from '#platform/lake/commit.ts';
import { compactWhenNeeded } from '#platform/lake/compaction.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import type { TaskContext } from '#platform/queue/task.ts';
import { quarantineOf } from './conform.ts';
import { type Destination, type Settled, settleDestinations } from './destination.ts';
import { type FileRow, finishLoad, lockFile, lockTask, optionsOf } from './file-state.ts';

export interface CommitDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local' | 'putFile'>;
  enqueue: Enqueue;
  /** Existing directory for temporary files; best on the object store's file system: segments are then moved. */
  temp_dir: string;
  limits: Pick<ReadLimits, 'memory_bytes' | 'threads'>;
}

type Context = TaskContext<'load'>;

/** One table read, checked, and where it goes. */
export interface Placed {
  table: ReadTable;
  destination: Destination;
}

export interface Prepared extends Placed {
  segments: Addition['segments'];
}

/** What else the commit does to a dataset: ends earlier rows, settles keys. */
export type Settlement = Pick<Change, 'drops' | 'rewrites' | 'deletes' | 'ends' | 'keys'>;

/**
 * When this throws the objects stay: whether a broken connection committed is not known, and deleting
 * what was committed cannot be undone. The sweeper takes what no row owns.
 */
export async function commitLoad(
  deps: CommitDeps,
  context: Context,
  file: FileRow,
  prepared: Prepared[],
  settlements: ReadonlyMap<string, Settlement>,
): Promise<void> {
  const { task } = context;
  await transaction(deps.db, async (tx) => {
    await lockTask(tx, task.id);
    const locked = await lockFile(tx, task.workspace_id, file.id);
    const settled = await settleDestinations(
      tx,
      task.workspace_id,
      task.id,
      prepared.map(({ destination }) => destination),
    );
    const loads: FileLoad[] = [];
    for (const group of byDataset(prepared, settled)) {
      const committed = await commit(tx, changeOf(context, file, group, settlements.get(group.dataset_id)));
      await compactWhenNeeded(tx, deps.enqueue, task.workspace_id, committed);
      loads.push(...group.parts.map((part) => loadOf(part, committed)));
    }
    await finishLoad(tx, locked, loads);
    await context.succeed(tx, outputOf(file, loads));
    faultPoint('load.before-commit');
  });
  faultPoint('load.after-commit');
}

interface Group {
  dataset_id: string;
  parts: { prepared: Prepared; settled: Settled }[];
}

/** In the order of dataset ids, so that two loads into the same datasets lock them in the same order. */
function byDataset(prepared: Prepared[], settled: Settled[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [index, one] of prepared.entries()) {
    const target = settled[index];
    if (!target) continue;
    const group = groups.get(target.dataset_id) ?? { dataset_id: target.dataset_id, parts: [] };
    group.parts.push({ prepared: one, settled: target });
    groups.set(target.dataset_id, group);
  }
  return [...groups.values()].sort((a, b) => (a.dataset_id < b.dataset_id ? -1 : 1));
}

function changeOf(context: Context, file: FileRow, group: Group, settlement: Settlement | undefined): Change {
  const carrier = currentCarrier();
  const trace_id = traceIdOf(carrier);
  const replace = optionsOf(context.task.input).mode === 'replace';
  const additions = group.parts.map(({ prepared: { table, segments } }) => ({
    source: {
      id: table.source_id,
      kind: 'file' as const,
      file_id: file.id,
      filename: file.filename,
      table_name: table.name ?? null,
      trace_id,
      span_id: spanIdOf(carrier),
      accounting: table.accounting,
      sniffed: table.sniffed,
      loaded_at: new Date(),
    },
    columns: table.columns,
    segments,
    quarantine: quarantineOf(table),
  }));
  return {
    kind: replace ? 'replace' : 'append',
    dataset_id: group.dataset_id,
    task_id: context.task.id,
    trace_id,
    additions,
    ...settlement,
  };
}

function loadOf({ prepared: { table }, settled }: Group['parts'][number], committed: Committed): FileLoad {
  return {
    table: table.name ?? null,
    dataset: committed.name,
    source_id: table.source_id,
    version: committed.version,
    rows: table.accounting.accepted,
    quarantined: table.accounting.quarantined,
    accounting: table.accounting,
    sniffed: table.sniffed,
    columns: table.columns.length,
    ...(settled.note ? { note: settled.note } : {}),
  };
}

function outputOf(file: FileRow, loads: FileLoad[]): Record<string, unknown> {
  return {
    file_id: file.id,
    rows: total(loads.map((load) => load.rows)),
    quarantined: total(loads.map((load) => load.quarantined)),
    loads: loads.map(({ dataset, version, rows, quarantined, source_id, note }) => ({
      ...{ dataset, version, rows, quarantined, source_id },
      ...(note ? { note } : {}),
    })),
  };
}

function total(numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
