import { type Static, Type } from 'typebox';

/** The types a person sees; `decimal(p,s)` carries its precision. */
export const COLUMN_TYPES = [
  'text',
  'integer',
  'number',
  'boolean',
  'date',
  'time',
  'timestamp',
  'uuid',
  'json',
  'file',
] as const;

export const ColumnType = Type.String({
  pattern: '^(text|integer|number|boolean|date|time|timestamp|uuid|json|file|decimal\\(\\d{1,2},\\d{1,2}\\))$',
  description: `${COLUMN_TYPES.join(', ')}, decimal(p,s)`,
});

export const Column = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 1000 }),
  type: ColumnType,
  nullable: Type.Boolean(),
  /** Stable for the dataset's life: a segment's columns are matched by it, so a rename touches no file. */
  field_id: Type.Integer(),
  description: Type.Optional(Type.String()),
  /** No value was seen yet, so its type gives way to the first that brings one. */
  empty: Type.Optional(Type.Boolean()),
});
export type Column = Static<typeof Column>;
