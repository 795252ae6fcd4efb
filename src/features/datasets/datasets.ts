import type { Column } from '#contract/columns.ts';
import type {
  Dataset,
  DatasetVersion,
  DeclaredColumn,
  QuarantineItem,
  Source,
  VersionKind,
} from '#contract/datasets.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, rows, sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { lockDataset } from '#platform/lake/commit.ts';
import { type FoundSource, type ListTools, listBatchSources, type SourcePage } from '#platform/lake/list-sources.ts';
import { changeSchema, type DatasetPatch } from './change-schema.ts';
import { ruleErrors } from './declare.ts';
import { renameLabels, type StoredForm, setForm, toForm } from './form-settings.ts';

interface DatasetRow extends StoredForm {
  id: string;
  name: string;
  description: string | null;
  mode: 'inferred' | 'declared';
  columns: Column[];
  declared: DeclaredColumn[] | null;
  key: string[] | null;
  on_conflict: Dataset['on_conflict'];
  rows: number;
  bytes: number;
  version: number;
  segments: number;
  quarantined: number;
  created_at: Date;
  updated_at: Date;
}

const SELECT = sql`
  SELECT d.id, d.name, d.description, d.mode, d.columns, d.declared, d.key_columns AS key, d.on_conflict,
         d.form, d.form_slug, d.rows, d.bytes, d.version, d.created_at, d.updated_at,
         (SELECT count(*) FROM segments s WHERE s.dataset_id = d.id AND s.removed_version IS NULL) AS segments,
         (SELECT count(*) FROM quarantine q WHERE q.dataset_id = d.id AND q.state = 'open') AS quarantined
  FROM datasets d`;

/** @throws dataset_not_found, also for another workspace's dataset */
export async function getDataset(db: Db, workspaceId: string, name: string): Promise<DatasetRow> {
  const row = await first(
    db,
    sql<DatasetRow>`${SELECT} WHERE d.workspace_id = ${workspaceId} AND d.name = ${name} AND d.deleted_at IS NULL`,
  );
  if (row) return row;
  throw fail('dataset_not_found', `There is no dataset "${name.slice(0, 200)}".`, {
    hint: 'GET /datasets lists those you may see.',
  });
}

export interface ListFilter {
  /** Ids below this one. */
  after: string | null;
  /** Only these names; null: all. */
  names: string[] | null;
  limit: number;
}

/** Newest first. */
export function listDatasets(db: Db, workspaceId: string, { after, names, limit }: ListFilter): Promise<DatasetRow[]> {
  return rows(
    db,
    sql<DatasetRow>`
      ${SELECT}
      WHERE d.workspace_id = ${workspaceId} AND d.deleted_at IS NULL
        AND (${after}::uuid IS NULL OR d.id < ${after}::uuid) AND (${names}::text[] IS NULL OR d.name = ANY(${names}::text[]))
      ORDER BY d.id DESC LIMIT ${limit}`,
  );
}

/** Columns as stored, with the rules that were declared for them. */
export function toDataset(row: DatasetRow): Dataset {
  const rules = new Map(row.declared?.map(({ name, type: _type, ...rest }) => [name, rest]));
  const { declared: _declared, form: _form, form_slug: _slug, created_at, updated_at, ...shown } = row;
  const form = toForm(row);
  return {
    ...shown,
    ...(form ? { form } : {}),
    columns: row.columns.map((column) => ({ ...rules.get(column.name), ...column })),
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}

/** Applies a patch as a version of its own (kind `schema`) when columns change. @throws column_not_found, invalid_input */
export async function patchDataset(
  tx: Tx,
  datasetId: string,
  patch: DatasetPatch,
  trace_id: string | null,
): Promise<void> {
  const head = await lockDataset(tx, datasetId);
  const { declared } = (await first(
    tx,
    sql<{ declared: DeclaredColumn[] | null }>`SELECT declared FROM datasets WHERE id = ${head.id}`,
  )) ?? { declared: null };
  const { columns, next_field_id, key_columns: key } = head;
  const changed = changeSchema({ columns, next_field_id, declared, key, has_rows: head.rows > 0 }, patch);
  await checkRules(changed.declared ?? [], patch);
  const { description, form, ...ofColumns } = patch;
  const version = Object.keys(ofColumns).length > 0 ? head.version + 1 : head.version;
  await sql`
    UPDATE datasets SET columns = ${jsonText(changed.columns)}::jsonb, next_field_id = ${changed.next_field_id},
           declared = ${changed.declared ? jsonText(changed.declared) : null}::jsonb, version = ${version},
           key_columns = ${changed.key}::text[],
           description = CASE WHEN ${description !== undefined} THEN ${description ?? null}::text ELSE description END,
           updated_at = now()
    WHERE id = ${head.id}`.execute(tx);
  if (patch.rename_columns) await renameLabels(tx, head.id, patch.rename_columns);
  if (form !== undefined) await setForm(tx, head.id, form);
  if (version === head.version) return;
  await sql`
    INSERT INTO dataset_versions (dataset_id, version, kind, columns, rows, bytes, trace_id)
    VALUES (${head.id}, ${version}, 'schema', ${jsonText(changed.columns)}::jsonb, ${head.rows}, ${head.bytes}, ${trace_id})
  `.execute(tx);
}

/** Rules that were given, and those of columns that have another type now. @throws invalid_input naming each */
async function checkRules(declared: readonly DeclaredColumn[], patch: DatasetPatch): Promise<void> {
  const judged = ['column_rules', 'column_types'] as const;
  const columns = judged.flatMap((part) =>
    Object.keys(patch[part] ?? {}).flatMap((name) => {
      const now = patch.rename_columns?.[name] ?? name;
      const column = declared.find((candidate) => candidate.name === now);
      return column ? [{ column, field: `${part}.${name}` }] : [];
    }),
  );
  const errors = await ruleErrors(columns);
  if (errors.length > 0) throw fail('invalid_input', errors.map(({ message }) => message).join(' '), { errors });
}

/** Nobody sees it from now on; its segments are collected after the longest query's lease. */
export async function removeDataset(tx: Tx, datasetId: string): Promise<void> {
  const { id, version } = await lockDataset(tx, datasetId);
  await sql`UPDATE datasets SET deleted_at = now(), updated_at = now() WHERE id = ${id}`.execute(tx);
  await sql`UPDATE dataset_versions SET gone = true WHERE dataset_id = ${id}`.execute(tx);
  await sql`UPDATE sources SET deleted_at = now() WHERE dataset_id = ${id} AND deleted_at IS NULL`.execute(tx);
  await sql`DELETE FROM quarantine WHERE dataset_id = ${id}`.execute(tx);
  await sql`
    UPDATE segments SET removed_version = ${version + 1}, removed_at = now()
    WHERE dataset_id = ${id} AND removed_version IS NULL`.execute(tx);
}

interface SourceRow {
  id: string;
  kind: Source['kind'];
  file_id: string | null;
  filename: string | null;
  table_name: string | null;
  replay_of: string | null;
  task_id: string | null;
  trace_id: string | null;
  span_id: string | null;
  version: number;
  ended_version: number | null;
  read: number;
  accepted: number;
  quarantined: number;
  duplicates: number;
  skipped: { line: number; why: string }[];
  sniffed: Sniffed;
  loaded_at: Date;
}

export interface SourceFilter extends SourcePage {
  file_id: string | null;
}

/**
 * Newest first; those of deleted files are gone. Batches of events stand in lists of their own, apart from those
 * with quarantined records.
 */
export async function listSources(tools: ListTools, datasetId: string, filter: SourceFilter): Promise<SourceRow[]> {
  const own = await ownSources(tools.db, datasetId, filter);
  if (filter.file_id !== null) return own;
  const batches = await listBatchSources(tools, datasetId, filter);
  return [...own, ...batches.map(ofBatch)].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, filter.limit);
}

function ofBatch(found: FoundSource): SourceRow {
  const { id, kind, topic, trace_id, span_id, version, ended_version, read, accepted, duplicates, loaded_at } = found;
  const nothing = { file_id: null, filename: null, replay_of: null, task_id: null, quarantined: 0, skipped: [] };
  return {
    ...nothing,
    ...{ id: String(id), kind, table_name: topic, ended_version, sniffed: { format: 'ndjson' } },
    trace_id: trace_id === null ? null : String(trace_id),
    span_id: span_id === null ? null : String(span_id),
    ...{ version: Number(version), read: Number(read), accepted: Number(accepted), duplicates: Number(duplicates) },
    loaded_at: new Date(String(loaded_at)),
  };
}

function ownSources(db: Db, datasetId: string, { after, id, file_id, limit }: SourceFilter): Promise<SourceRow[]> {
  return rows(
    db,
    sql<SourceRow>`
      SELECT id, kind, file_id, filename, table_name, replay_of, task_id, trace_id, span_id, version, ended_version,
             read, accepted, quarantined, duplicates, skipped, sniffed, loaded_at
      FROM sources
      WHERE dataset_id = ${datasetId} AND deleted_at IS NULL AND (${after}::uuid IS NULL OR id < ${after}::uuid)
        AND (${file_id}::uuid IS NULL OR file_id = ${file_id}::uuid) AND (${id}::uuid IS NULL OR id = ${id}::uuid)
      ORDER BY id DESC LIMIT ${limit}`,
  );
}

export function toSource(row: SourceRow): Source {
  const { read, accepted, quarantined, duplicates, skipped, table_name, loaded_at, ...rest } = row;
  return {
    ...rest,
    table: table_name,
    accounting: { read, accepted, quarantined, duplicates, skipped },
    loaded_at: loaded_at.toISOString(),
  };
}

interface VersionRow {
  version: number;
  kind: VersionKind;
  columns: Column[];
  rows: number;
  bytes: number;
  task_id: string | null;
  trace_id: string | null;
  committed_at: Date;
  gone: boolean;
}

/** Newest first, below `before`. */
export function listVersions(db: Db, datasetId: string, before: number | null, limit: number): Promise<VersionRow[]> {
  return rows(
    db,
    sql<VersionRow>`
      SELECT version, kind, columns, rows, bytes, task_id, trace_id, committed_at, gone FROM dataset_versions
      WHERE dataset_id = ${datasetId} AND (${before}::bigint IS NULL OR version < ${before}::bigint)
      ORDER BY version DESC LIMIT ${limit}`,
  );
}

export function toVersion({ gone, committed_at, ...rest }: VersionRow): DatasetVersion {
  return { ...rest, committed_at: committed_at.toISOString(), readable: !gone };
}

interface QuarantineRow extends Omit<QuarantineItem, 'column' | 'created_at'> {
  column_name: string | null;
  created_at: Date;
}

export interface QuarantineFilter {
  after: string | null;
  source_id: string | null;
  state: 'open' | 'replayed' | null;
  limit: number;
}

/** Newest first. */
export function listQuarantine(db: Db, datasetId: string, filter: QuarantineFilter): Promise<QuarantineRow[]> {
  const { after, source_id, state, limit } = filter;
  return rows(
    db,
    sql<QuarantineRow>`
      SELECT id, source_id, file_id, line, column_name, reason, value, raw, trace_id, state, replayed_by, created_at
      FROM quarantine
      WHERE dataset_id = ${datasetId} AND (${after}::uuid IS NULL OR id < ${after}::uuid)
        AND (${source_id}::uuid IS NULL OR source_id = ${source_id}::uuid)
        AND (${state}::text IS NULL OR state = ${state})
      ORDER BY id DESC LIMIT ${limit}`,
  );
}

export function toQuarantineItem({ column_name, created_at, ...rest }: QuarantineRow): QuarantineItem {
  return { ...rest, column: column_name, created_at: created_at.toISOString() };
}
