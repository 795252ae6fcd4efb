import { type Static, Type } from 'typebox';
import { type Column, ColumnType } from '#contract/column-schema.ts';
import { widen } from '#contract/columns.ts';
import { DeclaredColumn } from '#contract/datasets.ts';
import { FormSettings } from '#contract/forms.ts';
import { type ErrorCode, fail } from '#kernel/errors.ts';
import { foldName, type Schema } from '#platform/lake/schema.ts';
import { isPossibleType, nameError } from './declare.ts';

const ColumnName = Type.String({ minLength: 1, maxLength: 255 });

const ColumnRules = Type.Partial(Type.Omit(DeclaredColumn, ['name', 'type', 'description']), {
  additionalProperties: false,
});

/** What PATCH /datasets/{name} may change; no segment is rewritten for any of it. */
export const DatasetPatch = Type.Object(
  {
    description: Type.Optional(Type.Union([Type.String({ maxLength: 10_000 }), Type.Null()])),
    rename_columns: Type.Optional(Type.Record(Type.String(), ColumnName, { description: 'Present name → new name' })),
    column_types: Type.Optional(
      Type.Record(Type.String(), ColumnType, {
        description: 'Column → a type that holds every value of the present one',
      }),
    ),
    column_descriptions: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 2000 }))),
    column_rules: Type.Optional(
      Type.Record(Type.String(), ColumnRules, {
        description: 'Column → its rules anew, for rows that come from now on; {}: none',
      }),
    ),
    add_columns: Type.Optional(Type.Array(DeclaredColumn, { maxItems: 1000 })),
    form: Type.Optional(
      Type.Union([FormSettings, Type.Null()], { description: 'The whole form anew; null: there is none any more' }),
    ),
  },
  { additionalProperties: false },
);
export type DatasetPatch = Static<typeof DatasetPatch>;

export interface ChangedSchema extends Schema {
  declared: DeclaredColumn[] | null;
  /** Columns of the key. */
  key: string[] | null;
}

function refuse(code: ErrorCode, field: string, message: string): Error {
  return fail(code, message, { errors: [{ field, code: 'invalid', message }] });
}

/**
 * The schema after a patch, in the order types, rules, descriptions, renames (all at once, so names may be
 * swapped), additions. Field ids stay, so earlier segments and versions read as before.
 *
 * @throws column_not_found, invalid_input naming the field
 */
export function changeSchema(before: ChangedSchema & { has_rows: boolean }, patch: DatasetPatch): ChangedSchema {
  const columns = before.columns.map((column) => ({ ...column }));
  const declared = before.declared?.map((column) => ({ ...column })) ?? null;
  const find = (name: string, field: string): Column => {
    const column = columns.find((candidate) => candidate.name === name);
    if (!column) throw refuse('column_not_found', `${field}.${name}`, `There is no column "${name}".`);
    return column;
  };
  for (const [name, type] of Object.entries(patch.column_types ?? {})) {
    const column = find(name, 'column_types');
    checkWider(column, type);
    checkKeyStays(before.key, column, type);
    column.type = type;
    for (const rule of declared ?? []) if (rule.name === name) rule.type = type;
  }
  for (const [name, rules] of Object.entries(patch.column_rules ?? {})) {
    setRules(find(name, 'column_rules'), rules, declared, before.has_rows);
  }
  for (const [name, description] of Object.entries(patch.column_descriptions ?? {})) {
    find(name, 'column_descriptions').description = description;
  }
  const renames = Object.entries(patch.rename_columns ?? {}).map(([name, next]) => {
    const wrong = nameError(next);
    if (wrong) throw refuse('invalid_input', `rename_columns.${name}`, wrong);
    return { column: find(name, 'rename_columns'), rule: declared?.find((rule) => rule.name === name), next };
  });
  for (const { column, rule, next } of renames) {
    column.name = next;
    if (rule) rule.name = next;
  }
  const key = before.key?.map((name) => patch.rename_columns?.[name] ?? name) ?? null;
  let nextFieldId = before.next_field_id;
  for (const added of patch.add_columns ?? []) {
    columns.push(newColumn(added, nextFieldId, before));
    nextFieldId += 1;
    declared?.push(added);
  }
  checkNames(columns);
  return { columns, declared, key, next_field_id: nextFieldId };
}

function checkWider(column: Column, type: string): void {
  const field = `column_types.${column.name}`;
  if (!isPossibleType(type)) throw refuse('invalid_input', field, `${type} is not a possible type.`);
  if (column.empty || widen(column.type, type) === type) return;
  throw refuse(
    'invalid_input',
    field,
    `"${column.name}" is ${column.type}: ${type} cannot hold every value of it. A column can only be widened.`,
  );
}

/** Keys are made of the values' texts: as text they stay what they are, in any other wider type they would not. */
function checkKeyStays(key: string[] | null, { name }: Column, type: string): void {
  if (!key?.includes(name) || type === 'text') return;
  const message = `"${name}" is part of the key: it can be widened to text, and to nothing else.`;
  throw refuse('invalid_input', `column_types.${name}`, message);
}

/** Rows that are there are not held against them, so a column in which some are empty stays nullable. */
function setRules(
  column: Column,
  rules: Static<typeof ColumnRules>,
  declared: DeclaredColumn[] | null,
  hasRows: boolean,
): void {
  const at = declared?.findIndex(({ name }) => name === column.name) ?? -1;
  const { description } = declared?.[at] ?? {};
  if (!declared || at < 0) {
    throw refuse('invalid_input', `column_rules.${column.name}`, 'Rules need a dataset with declared columns.');
  }
  declared[at] = { name: column.name, type: column.type, ...(description ? { description } : {}), ...rules };
  column.nullable = rules.required !== true || (hasRows && column.nullable);
}

function newColumn(added: DeclaredColumn, field_id: number, before: { has_rows: boolean; declared: unknown }): Column {
  if (!before.declared && isRuled(added)) {
    throw refuse('invalid_input', `add_columns.${added.name}`, 'Rules need a dataset with declared columns.');
  }
  if (added.required && before.has_rows) {
    throw refuse(
      'invalid_input',
      `add_columns.${added.name}`,
      `The rows that are there have no "${added.name}": it cannot be required.`,
    );
  }
  const { name, type, required, description } = added;
  return { name, type, nullable: required !== true, field_id, ...(description ? { description } : {}) };
}

function isRuled({ name: _name, type: _type, description: _description, ...rules }: DeclaredColumn): boolean {
  return Object.values(rules).some((rule) => rule !== undefined && rule !== false);
}

function checkNames(columns: readonly Column[]): void {
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(foldName(name))) {
      throw refuse('invalid_input', name, `Two columns would be called "${name}" (case does not tell apart).`);
    }
    seen.add(foldName(name));
  }
}
