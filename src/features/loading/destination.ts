import type { ReadTable } from '#contract/load.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, type Tx } from '#platform/db/db.ts';
import {
  createDataset,
  type DatasetTarget,
  findDataset,
  findDatasetById,
  lockDatasetNames,
} from '#platform/lake/dataset-rows.ts';
import { freeName, tableName } from './table-name.ts';

/** Which dataset a table of a file goes into. */
export interface Destination {
  /** The dataset's id; for one that does not exist yet, the id it will have. */
  dataset_id: string;
  /** The name to find or create it by; the final one is decided in the commit's transaction. */
  name: string;
  existing: DatasetTarget | undefined;
  /** The user named it, so a dataset of that name is meant, not avoided. */
  explicit: boolean;
  /** Live sources that this file brought to the dataset before: a repeated load stands for them. */
  earlier: string[];
}

interface EarlierSource {
  id: string;
  dataset_id: string;
  table_name: string | null;
  kind: 'file' | 'replay';
}

/** What the file (and replays of its rows) brought that still counts. */
export function earlierSources(db: Db, fileId: string): Promise<EarlierSource[]> {
  return rows(
    db,
    sql<EarlierSource>`
      SELECT s.id, s.dataset_id, s.table_name, s.kind FROM sources s JOIN datasets d ON d.id = s.dataset_id
      WHERE s.file_id = ${fileId} AND s.kind IN ('file', 'replay') AND s.ended_version IS NULL
        AND s.deleted_at IS NULL AND d.deleted_at IS NULL
      ORDER BY s.id`,
  );
}

export interface DestinationQuery {
  workspace_id: string;
  file_id: string;
  filename: string;
  /** As the user named it. */
  dataset: string | undefined;
}

/**
 * Where each table goes: into the dataset the user named; else where this file's table went before;
 * else into one of its own, named after the file (and the table, when there are several).
 */
export async function chooseDestinations(
  db: Db,
  query: DestinationQuery,
  tables: readonly Pick<ReadTable, 'name'>[],
): Promise<Destination[]> {
  const earlier = await earlierSources(db, query.file_id);
  if (query.dataset !== undefined) {
    const named = await namedDestination(db, query.workspace_id, query.dataset, earlier);
    return tables.map(() => named);
  }
  const chosen: Destination[] = [];
  for (const table of tables) {
    const before = earlier.find((source) => source.table_name === (table.name ?? null));
    const existing = before && (await findDatasetById(db, before.dataset_id));
    const ofFile = tableName(query.filename);
    const name = tables.length > 1 && table.name ? `${ofFile}_${tableName(table.name)}`.slice(0, 100) : ofFile;
    chosen.push({
      dataset_id: existing?.id ?? newId(),
      name: existing?.name ?? name,
      existing,
      explicit: false,
      earlier: existing ? sourcesIn(existing.id, earlier) : [],
    });
  }
  return chosen;
}

async function namedDestination(
  db: Db,
  workspaceId: string,
  name: string,
  earlier: EarlierSource[],
): Promise<Destination> {
  const existing = await findDataset(db, workspaceId, name);
  return {
    dataset_id: existing?.id ?? newId(),
    name: existing?.name ?? name,
    existing,
    explicit: true,
    earlier: existing ? sourcesIn(existing.id, earlier) : [],
  };
}

function sourcesIn(datasetId: string, earlier: EarlierSource[]): string[] {
  return earlier.filter((source) => source.dataset_id === datasetId).map((source) => source.id);
}

export interface Settled {
  dataset_id: string;
  note?: string;
}

/**
 * In the commit's transaction: makes the datasets that do not exist yet. Someone may have taken the
 * name since; a dataset the user named is then used, any other gets the next free name and a note.
 */
export async function settleDestinations(
  tx: Tx,
  workspaceId: string,
  taskId: string,
  destinations: readonly Destination[],
): Promise<Settled[]> {
  if (destinations.every((destination) => destination.existing)) {
    return destinations.map(({ dataset_id }) => ({ dataset_id }));
  }
  await lockDatasetNames(tx, workspaceId);
  const made = new Map<Destination, Settled>();
  const settled: Settled[] = [];
  for (const destination of destinations) {
    const result = destination.existing
      ? { dataset_id: destination.dataset_id }
      : (made.get(destination) ?? (await settle(tx, workspaceId, taskId, destination)));
    made.set(destination, result);
    settled.push(result);
  }
  return settled;
}

async function settle(tx: Tx, workspaceId: string, taskId: string, destination: Destination): Promise<Settled> {
  const { name, dataset_id, explicit } = destination;
  const same = await findDataset(tx, workspaceId, name);
  if (same && explicit) return { dataset_id: same.id };
  const free = same ? await nextFreeName(tx, workspaceId, name) : name;
  await createDataset(tx, { id: dataset_id, workspace_id: workspaceId, name: free, task_id: taskId });
  if (free === name) return { dataset_id };
  const note = `A dataset "${name}" existed already and none was named, so this file went into a new one, "${free}".`;
  return { dataset_id, note };
}

async function nextFreeName(tx: Tx, workspaceId: string, name: string): Promise<string> {
  const found = await rows(
    tx,
    sql<{ name: string }>`
      SELECT lower(name) AS name FROM datasets
      WHERE workspace_id = ${workspaceId} AND deleted_at IS NULL AND starts_with(lower(name), lower(${name}))`,
  );
  const taken = new Set(found.map((row) => row.name));
  return freeName(name, (candidate) => taken.has(candidate.toLowerCase()));
}
