import type { Column } from '#contract/columns.ts';
import type { DeclaredColumn, OnConflict } from '#contract/datasets.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';

/** What tells a dataset's rows apart, and what becomes of a row whose key is there already. */
export interface DatasetKey {
  columns: readonly string[];
  on_conflict: OnConflict;
}

export interface NewDataset {
  id?: string;
  workspace_id: string;
  name: string;
  description?: string | null;
  /** Absent: the schema is inferred. */
  declared?: readonly DeclaredColumn[];
  /** Needs declared columns. */
  key?: DatasetKey;
  task_id?: string | null;
  trace_id?: string | null;
}

/** A new, empty dataset at version 0. @throws dataset_exists, also for a name that differs in case only */
export async function createDataset(tx: Tx, dataset: NewDataset): Promise<{ id: string }> {
  const id = dataset.id ?? newId();
  const declared = dataset.declared;
  const columns: Column[] = (declared ?? []).map(({ name, type, required, description }, index) => ({
    name,
    type,
    nullable: required !== true,
    field_id: index + 1,
    ...(description ? { description } : {}),
  }));
  try {
    await sql`
      INSERT INTO datasets (id, workspace_id, name, description, mode, columns, declared, next_field_id, key_columns,
                            on_conflict)
      VALUES (${id}, ${dataset.workspace_id}, ${dataset.name}, ${dataset.description ?? null},
              ${declared ? 'declared' : 'inferred'}, ${jsonText(columns)}::jsonb,
              ${declared ? jsonText(declared) : null}::jsonb, ${columns.length + 1},
              ${dataset.key?.columns ?? null}::text[], ${dataset.key?.on_conflict ?? null})`.execute(tx);
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    throw fail(
      'dataset_exists',
      `There is a dataset "${dataset.name}" already (names that differ in case only are the same).`,
    );
  }
  await sql`
    INSERT INTO dataset_versions (dataset_id, version, kind, columns, rows, bytes, task_id, trace_id)
    VALUES (${id}, 0, 'create', ${jsonText(columns)}::jsonb, 0, 0, ${dataset.task_id ?? null},
            ${dataset.trace_id ?? null})`.execute(tx);
  return { id };
}

export interface DatasetTarget {
  id: string;
  name: string;
  mode: 'inferred' | 'declared';
  columns: Column[];
  declared: DeclaredColumn[] | null;
  key: DatasetKey | null;
}

const TARGET = sql`
  id, name, mode, columns, declared,
  CASE WHEN key_columns IS NOT NULL
    THEN json_build_object('columns', key_columns, 'on_conflict', on_conflict) END AS key`;

/** By name, whatever the case of its letters. */
export function findDataset(db: Db, workspaceId: string, name: string): Promise<DatasetTarget | undefined> {
  return first(
    db,
    sql<DatasetTarget>`
      SELECT ${TARGET} FROM datasets
      WHERE workspace_id = ${workspaceId} AND lower(name) = lower(${name}) AND deleted_at IS NULL`,
  );
}

/** Holds the right to create datasets in the workspace until the transaction ends, so that a free name stays free. */
export async function lockDatasetNames(tx: Tx, workspaceId: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('dataset-names:' || ${workspaceId}, 0))`.execute(tx);
}

export function findDatasetById(db: Db, id: string): Promise<DatasetTarget | undefined> {
  return first(
    db,
    sql<DatasetTarget>`
      SELECT ${TARGET} FROM datasets WHERE id = ${id} AND deleted_at IS NULL`,
  );
}

/** By its exact name. @throws dataset_not_found, also for another workspace's dataset */
export async function findDatasetNamed(db: Db, workspaceId: string, name: string): Promise<DatasetTarget> {
  const found = await first(
    db,
    sql<DatasetTarget>`
      SELECT ${TARGET} FROM datasets
      WHERE workspace_id = ${workspaceId} AND name = ${name} AND deleted_at IS NULL`,
  );
  if (found) return found;
  throw fail('dataset_not_found', `There is no dataset "${name.slice(0, 200)}".`, {
    hint: 'GET /datasets lists those you may see.',
  });
}
