import type { Column } from '#contract/columns.ts';

/** A dataset at one version: everything a reader needs, and all that it may open. */
export interface DatasetSnapshot {
  id: string;
  workspace_id: string;
  name: string;
  mode: 'inferred' | 'declared';
  version: number;
  columns: Column[];
  rows: number;
  bytes: number;
  /** Reports that were begun so far: what is kept beside a version is made anew after each. */
  reports: number;
  created_at: Date;
  updated_at: Date;
  /** In commit order. */
  segments: SegmentRef[];
}

export interface SegmentRef {
  id: string;
  object_key: string;
  rows: number;
  bytes: number;
  source_ids: string[];
  /** line = first_line + row position; null when `_line` is a physical column. */
  first_line: number | null;
  /** Positions of rows that have ended since, in ascending order. */
  deleted: readonly number[];
  /** Physical Parquet columns, matched to the dataset's by field id. */
  columns: SegmentColumn[];
  profile: unknown;
}

export interface SegmentColumn {
  name: string;
  field_id: number;
  type: string;
}
