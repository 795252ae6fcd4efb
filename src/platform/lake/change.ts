import type { Accounting } from '#contract/accounting.ts';
import type { Column } from '#contract/columns.ts';
import type { VersionKind } from '#contract/datasets.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import type { BatchSource, Stream } from './batch-sources.ts';
import type { Deletes } from './deletes.ts';
import type { KeyChange } from './keys.ts';
import type { QuarantineRow } from './quarantine.ts';
import type { IncomingColumn } from './schema.ts';
import type { SegmentColumn } from './snapshot.ts';

/** A Parquet object that is already durable in the store and that no version lists yet. */
export interface PreparedSegment {
  id: string;
  object_key: string;
  rows: number;
  bytes: number;
  source_ids: string[];
  first_line: number | null;
}

export interface NewSource {
  id: string;
  kind: 'file' | 'events' | 'rows' | 'replay';
  file_id?: string | null;
  filename?: string | null;
  table_name?: string | null;
  replay_of?: string | null;
  trace_id?: string | null;
  span_id?: string | null;
  accounting: Accounting;
  sniffed: Sniffed;
  loaded_at: Date;
}

/** One source and what it brings. */
export interface Addition {
  source: NewSource;
  /** Physical columns, the same in every segment of the addition. */
  columns: readonly IncomingColumn[];
  /** `profile`: sketches, one per column in the order of `columns`. */
  segments: readonly (PreparedSegment & { profile: unknown })[];
  quarantine?: AsyncIterable<QuarantineRow> | Iterable<QuarantineRow>;
}

/** Batches of one subscription: many sources, which share segments and have no row of their own each. */
export interface BatchAddition {
  stream: Stream;
  /** In the order of their offsets. */
  sources: readonly BatchSource[];
  columns: readonly IncomingColumn[];
  segments: readonly (PreparedSegment & { profile: unknown })[];
  sniffed: Sniffed;
  loaded_at: Date;
}

/** Rows that a version already has, written anew (merged, or without some sources) at their old place in the order. */
export interface Rewrite {
  segment: PreparedSegment & { profile: unknown; columns: SegmentColumn[] };
  /** Live segments, neighbours in commit order, that it stands for. */
  replaces: readonly string[];
  /** How many of their rows had ended one by one when they were read (default: none); others since make it void. */
  deleted?: number;
}

export interface Change {
  kind: Exclude<VersionKind, 'create' | 'schema'>;
  dataset_id: string;
  task_id: string | null;
  trace_id: string | null;
  additions?: readonly Addition[];
  batches?: readonly BatchAddition[];
  rewrites?: readonly Rewrite[];
  /** For a dataset with a key, whatever is added: as `settleKeys` made it. */
  keys?: KeyChange;
  /** Rows that end one by one. */
  deletes?: Deletes;
  /** Segments whose rows end with this version: these, or all there are. */
  drops?: readonly string[] | 'all';
  /** Sources whose rows end (replaced by a repeated load); their quarantine goes. */
  ends?: readonly string[];
  /** Sources that are deleted: as `ends`, and every version that holds them is gone at once. */
  forgets?: readonly string[];
}

export interface Committed {
  dataset_id: string;
  name: string;
  version: number;
  columns: Column[];
  rows: number;
  bytes: number;
  /** Live segments below `SMALL_SEGMENT_BYTES`. */
  small_segments: number;
  /** Rows of live segments that have ended one by one. */
  deleted_rows: number;
}

/** The dataset as a commit finds and locks it. */
export interface Head {
  id: string;
  workspace_id: string;
  name: string;
  mode: 'inferred' | 'declared';
  columns: Column[];
  next_field_id: number;
  version: number;
  rows: number;
  bytes: number;
  key_columns: string[] | null;
}
