import { type Static, Type } from 'typebox';
import { Accounting } from './accounting-schema.ts';
import { Sniffed } from './reader-options.ts';

export const FILE_STATES = ['pending', 'stored', 'loading', 'loaded', 'failed'] as const;
export type FileState = (typeof FILE_STATES)[number];
export const FILE_EVENTS = ['store', 'load', 'loaded', 'fail', 'cancel'] as const;
export type FileEvent = (typeof FILE_EVENTS)[number];

/** pending → stored → loading → loaded | failed; a cancelled load is stored again; a retry loads again. */
export const FILE_TRANSITIONS: Record<FileState, Partial<Record<FileEvent, FileState>>> = {
  pending: { store: 'stored' },
  stored: { load: 'loading' },
  loading: { load: 'loading', loaded: 'loaded', fail: 'failed', cancel: 'stored' },
  loaded: { load: 'loading' },
  failed: { load: 'loading' },
};

export function nextFileState(from: FileState, event: FileEvent): FileState | undefined {
  return FILE_TRANSITIONS[from][event];
}

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** One table of the file that went into one dataset. */
export const FileLoad = Type.Object({
  table: Nullable(Type.String({ description: 'Sheet or archive entry; null for a plain file' })),
  dataset: Type.String(),
  source_id: Type.String(),
  version: Type.Integer(),
  rows: Type.Integer(),
  quarantined: Type.Integer(),
  accounting: Accounting,
  sniffed: Sniffed,
  columns: Type.Optional(Type.Integer()),
  note: Type.Optional(Type.String({ description: 'E.g. why the dataset has another name than the file' })),
});
export type FileLoad = Static<typeof FileLoad>;

export const File = Type.Object({
  id: Type.String(),
  filename: Type.String(),
  size: Type.Integer(),
  content_type: Nullable(Type.String()),
  sha256: Nullable(Type.String()),
  state: Type.Enum(FILE_STATES),
  error: Type.Optional(
    Type.Object({ code: Type.String(), message: Type.String(), hint: Type.Optional(Type.String()) }),
  ),
  dataset: Type.Optional(Type.String()),
  photo_column: Type.Optional(Type.String({ description: 'The column of a row that it came as' })),
  rows: Type.Optional(Type.Integer()),
  quarantined: Type.Optional(Type.Integer()),
  accounting: Type.Optional(Accounting),
  sniffed: Type.Optional(Sniffed),
  loads: Type.Optional(Type.Array(FileLoad)),
  task_id: Type.Optional(Type.String()),
  progress: Type.Optional(Type.Number()),
  trace_id: Nullable(Type.String()),
  created_at: Type.String(),
  updated_at: Type.String(),
});
export type File = Static<typeof File>;
