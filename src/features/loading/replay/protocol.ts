import type { DeclaredColumn } from '#contract/datasets.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import type { StoredError } from '#kernel/errors.ts';
import type { SegmentProfile } from '#platform/lake/profile.ts';

/** What the replay child gets: one source's records, and what they shall become. No database, no network. */
export interface ReplayRequest {
  /** NDJSON of RawRecord. */
  records_path: string;
  /** The child's own directory: `segment.parquet` and what it spills are written here. */
  out_dir: string;
  source_id: string;
  /** RFC 3339; becomes `_loaded_at`. */
  loaded_at: string;
  sniffed: Sniffed;
  /** The source's columns in the file's order: as the file names them, and as the dataset does now. */
  columns: { physical: string; name: string }[];
  /** The dataset's columns, in the types the records shall have. */
  target: { name: string; type: string }[];
  declared: DeclaredColumn[] | null;
  /** Column → SQL expression. Hostile. */
  fix: Record<string, string>;
  memory_bytes: number;
  threads: number;
}

/** A record that still does not fit. */
export interface Misfit {
  n: number;
  column: string | null;
  reason: string;
  value: string | null;
}

export interface ReplaySegment {
  path: string;
  bytes: number;
  profile: SegmentProfile;
}

export type ReplayMessage =
  /** `accepted`: positions of the records now in the segment, which is absent when there are none. */
  | { type: 'done'; accepted: number[]; misfits: Misfit[]; segment: ReplaySegment | null }
  | { type: 'failed'; error: StoredError };
