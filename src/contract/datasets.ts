import { type Static, Type } from 'typebox';
import { Accounting } from './accounting-schema.ts';
import { Column, ColumnType } from './column-schema.ts';
import { DatasetForm } from './forms.ts';
import { Sniffed } from './reader-options.ts';

export { DATASET_NAME, isDatasetName } from './dataset-name.ts';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

/** A column as its owner declares it; a row that breaks a rule goes to quarantine, naming the column and the rule. */
export const DeclaredColumn = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 255 }),
    type: ColumnType,
    required: Type.Optional(Type.Boolean()),
    pattern: Type.Optional(Type.String({ maxLength: 500, description: 'RE2; the whole text must match' })),
    enum: Type.Optional(Type.Array(Scalar, { minItems: 1, maxItems: 1000 })),
    min: Type.Optional(Scalar),
    max: Type.Optional(Scalar),
    default: Type.Optional(Scalar),
    format: Type.Optional(Type.String({ maxLength: 40 })),
    accept: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20 })),
    max_bytes: Type.Optional(Type.Integer({ minimum: 1 })),
    description: Type.Optional(Type.String({ maxLength: 2000 })),
  },
  { additionalProperties: false },
);
export type DeclaredColumn = Static<typeof DeclaredColumn>;

export const KeyColumns = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
  minItems: 1,
  maxItems: 16,
  description: 'Columns that together tell rows apart; a row in which one of them is empty has no key',
});

export const OnConflict = Type.Enum(['reject', 'replace'], {
  description: 'A row whose key is there already: refused as a duplicate (default), or it takes the place of the older',
});
export type OnConflict = Static<typeof OnConflict>;

/** A column as it is, with the rules that were declared for it. */
export const DatasetColumn = Type.Intersect([
  Column,
  Type.Partial(Type.Omit(DeclaredColumn, ['name', 'type', 'description'])),
]);

export const Dataset = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Nullable(Type.String()),
  mode: Type.Enum(['inferred', 'declared']),
  columns: Type.Array(DatasetColumn),
  key: Nullable(KeyColumns),
  on_conflict: Nullable(OnConflict),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  segments: Type.Integer(),
  quarantined: Type.Integer({ description: 'Rows that wait in quarantine' }),
  form: Type.Optional(DatasetForm),
  version: Type.Integer(),
  created_at: Type.String(),
  updated_at: Type.String(),
});
export type Dataset = Static<typeof Dataset>;

export const Source = Type.Object({
  id: Type.String(),
  kind: Type.Enum(['file', 'events', 'rows', 'replay']),
  file_id: Nullable(Type.String()),
  filename: Nullable(Type.String()),
  table: Nullable(Type.String()),
  replay_of: Nullable(Type.String()),
  task_id: Nullable(Type.String()),
  trace_id: Nullable(Type.String()),
  span_id: Nullable(Type.String()),
  version: Type.Integer(),
  ended_version: Nullable(Type.Integer({ description: 'The version that replaced its rows' })),
  accounting: Accounting,
  sniffed: Sniffed,
  loaded_at: Type.String(),
});
export type Source = Static<typeof Source>;

export const VERSION_KINDS = ['create', 'append', 'replace', 'delete', 'compact', 'replay', 'schema'] as const;
export type VersionKind = (typeof VERSION_KINDS)[number];

export const DatasetVersion = Type.Object({
  version: Type.Integer(),
  kind: Type.Enum(VERSION_KINDS),
  columns: Type.Array(Column),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  task_id: Nullable(Type.String()),
  trace_id: Nullable(Type.String()),
  committed_at: Type.String(),
  readable: Type.Boolean({ description: 'False: collected, or it held what was deleted since (410)' }),
});
export type DatasetVersion = Static<typeof DatasetVersion>;

export const QuarantineItem = Type.Object({
  id: Type.String(),
  source_id: Type.String(),
  file_id: Nullable(Type.String()),
  line: Type.Integer(),
  column: Nullable(Type.String()),
  reason: Type.String(),
  value: Nullable(Type.String()),
  raw: Type.String(),
  trace_id: Nullable(Type.String()),
  state: Type.Enum(['open', 'replayed']),
  replayed_by: Nullable(Type.String()),
  created_at: Type.String(),
});
export type QuarantineItem = Static<typeof QuarantineItem>;
