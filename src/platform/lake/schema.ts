import { type Column, widen } from '#contract/columns.ts';
import { fail } from '#kernel/errors.ts';
import type { SegmentColumn } from './snapshot.ts';

/** A column as a reader found it. */
export interface IncomingColumn {
  name: string;
  type: string;
  nullable: boolean;
  empty?: boolean;
}

export interface Schema {
  columns: Column[];
  next_field_id: number;
}

export interface ResolvedSchema extends Schema {
  /** The incoming columns, in their order, each with the dataset's field id: what the new segments hold. */
  physical: SegmentColumn[];
  /** Field ids of the earlier schema whose type changed. */
  widened: number[];
}

export interface ResolveOptions {
  /** Rows exist that do not have a column which is new: it is nullable then. */
  has_rows: boolean;
  /** Earlier columns of the dataset whose ids (and descriptions) come back with their names, after a replace. */
  known?: readonly Column[];
}

/** Names differ when DuckDB tells them apart: it folds case. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

/**
 * Inferred schemas widen: a column of the same name (exactly, else but for case) takes the narrowest
 * type that holds both, a new one gets the next field id, a missing one becomes nullable. No row is
 * refused for its type. Laws (tested): field ids are never reused for another name, types only widen,
 * resolving the same columns twice changes nothing.
 */
export function inferSchema(
  current: Schema,
  incoming: readonly IncomingColumn[],
  options: ResolveOptions,
): ResolvedSchema {
  const columns = current.columns.map((column) => ({ ...column }));
  const byName = new Map(columns.map((column, index) => [column.name, index]));
  const byFolded = new Map(columns.map((column, index) => [foldName(column.name), index]));
  const seen = new Set<number>();
  const widened: number[] = [];
  const physical: SegmentColumn[] = [];
  let nextFieldId = current.next_field_id;

  for (const column of incoming) {
    const found = byName.get(column.name) ?? byFolded.get(foldName(column.name));
    const existing = found === undefined ? undefined : columns[found];
    if (found !== undefined && existing && !seen.has(found)) {
      seen.add(found);
      const merged = mergeColumn(existing, column);
      if (merged.type !== existing.type) widened.push(existing.field_id);
      columns[found] = merged;
      physical.push({ name: column.name, field_id: existing.field_id, type: column.type });
      continue;
    }
    const name = freeName(column.name, byFolded);
    const known = options.known?.find((candidate) => candidate.name === name);
    const fieldId = known?.field_id ?? nextFieldId++;
    byName.set(name, columns.length);
    byFolded.set(foldName(name), columns.length);
    seen.add(columns.length);
    columns.push({
      name,
      type: column.type,
      nullable: column.nullable || options.has_rows,
      field_id: fieldId,
      ...(known?.description ? { description: known.description } : {}),
      ...(column.empty ? { empty: true } : {}),
    });
    physical.push({ name: column.name, field_id: fieldId, type: column.type });
  }
  const complete = columns.map((column, index) => (seen.has(index) ? column : { ...column, nullable: true }));
  return { columns: complete, next_field_id: nextFieldId, physical, widened };
}

function mergeColumn(existing: Column, incoming: IncomingColumn): Column {
  const { empty: wasEmpty, ...kept } = existing;
  const isEmpty = incoming.empty === true;
  const type = isEmpty ? existing.type : wasEmpty ? incoming.type : widen(existing.type, incoming.type);
  return {
    ...kept,
    type,
    nullable: existing.nullable || incoming.nullable,
    ...(wasEmpty && isEmpty ? { empty: true } : {}),
  };
}

function freeName(name: string, taken: ReadonlyMap<string, number>): string {
  if (!taken.has(foldName(name))) return name;
  let suffix = 1;
  while (taken.has(foldName(`${name}_${suffix}`))) suffix += 1;
  return `${name}_${suffix}`;
}

/**
 * A declared schema does not change by loading: every incoming column must be one of it, of its type.
 *
 * @throws schema_mismatch naming every column that does not fit
 */
export function checkDeclared(current: Schema, incoming: readonly IncomingColumn[], dataset: string): ResolvedSchema {
  const byName = new Map(current.columns.map((column) => [column.name, column]));
  const byFolded = new Map(current.columns.map((column) => [foldName(column.name), column]));
  const physical: SegmentColumn[] = [];
  const errors: { field: string; code: string; message: string }[] = [];
  for (const column of incoming) {
    const declared = byName.get(column.name) ?? byFolded.get(foldName(column.name));
    if (!declared) {
      errors.push({ field: column.name, code: 'unknown_column', message: `"${column.name}" is not declared.` });
    } else if (declared.type !== column.type && !column.empty) {
      const message = `"${column.name}" is ${column.type}, declared is ${declared.type}.`;
      errors.push({ field: column.name, code: 'wrong_type', message });
    } else {
      physical.push({ name: column.name, field_id: declared.field_id, type: column.type });
    }
  }
  if (errors.length > 0) {
    throw fail('schema_mismatch', `The columns do not fit the declared dataset "${dataset}".`, {
      errors: errors.slice(0, 100),
      hint: 'Add the column to the dataset (PATCH /datasets/{name}), or load into a dataset without declared columns.',
    });
  }
  return { ...current, physical, widened: [] };
}
