import type { StoredError } from '#kernel/errors.ts';
import type { Accounting } from './accounting.ts';
import type { ReaderOptions, Sniffed } from './reader-options.ts';

/**
 * What travels between the load handler (trusted) and the reader child (which sees hostile bytes).
 * The child gets one file and one directory; it knows no database and no network.
 */
export interface ReadRequest {
  /** Absolute path of the object on local disk; read only. */
  path: string;
  /** As the user named it; a hint for the format, never a path. */
  filename: string;
  options: ReaderOptions;
  /** Empty directory, the child's own: segments are written here, temp files too. */
  out_dir: string;
  source: {
    /** RFC 3339; becomes `_loaded_at`. Each table makes a source id of its own and reports it. */
    loaded_at: string;
  };
  limits: ReadLimits;
  /** Present when the target dataset exists: its columns decide field ids, and types when declared. */
  target?: TargetSchema;
}

export interface ReadLimits {
  memory_bytes: number;
  threads: number;
  max_columns: number;
  max_value_bytes: number;
  /** Unpacked bytes, and unpacked : packed, that an archive may reach. */
  max_unpacked_bytes: number;
  max_ratio: number;
  timeout_ms: number;
}

export interface TargetSchema {
  mode: 'inferred' | 'declared';
  columns: { name: string; type: string; field_id: number; required?: boolean }[];
}

/**
 * Batches of events for the child that writes them one request after another: what was acknowledged was
 * checked before, so every line is one JSON object.
 */
export interface StreamRequest {
  /** NDJSON, batch after batch. */
  path: string;
  /** Empty directory, as in `ReadRequest`. */
  out_dir: string;
  /** RFC 3339 */
  loaded_at: string;
  /** A record's `_line` is its offset in the stream. */
  batches: { source_id: string; first_offset: number; count: number }[];
  limits: Pick<ReadLimits, 'memory_bytes' | 'threads' | 'max_columns' | 'max_value_bytes' | 'timeout_ms'>;
  target: TargetSchema;
}

export type StreamMessage = { type: 'written'; table: ReadTable } | { type: 'failed'; error: StoredError };

/** Line-delimited JSON on the child's stdout / IPC channel. */
export type ReadMessage =
  | { type: 'progress'; bytes: number; total_bytes: number; rows: number }
  | { type: 'sniffed'; sniffed: Sniffed }
  | { type: 'table'; table: ReadTable }
  /** `reusable`: what it read was small and plain, and left it as it was. */
  | { type: 'done'; reusable: boolean }
  | { type: 'failed'; error: StoredError };

/** One table found in the file (a workbook's sheet, an archive's entry; usually just one). */
export interface ReadTable {
  /** Suggested dataset name part: sheet or entry name; undefined for a plain file. */
  name?: string;
  /** What `_source` holds in every row of this table. */
  source_id: string;
  sniffed: Sniffed;
  /** `empty`: no value was seen, so the type is a guess that gives way to the dataset's. */
  columns: { name: string; type: string; nullable: boolean; empty?: boolean }[];
  segments: ReadSegment[];
  accounting: Accounting;
  /** NDJSON file of QuarantinedRow, in line order; absent when there is none. */
  quarantine_path?: string;
  /** When the child did what (epoch ms): they become spans of the loader's trace. */
  timings?: { name: 'sniff' | 'read' | 'write'; start_ms: number; end_ms: number }[];
}

export interface ReadSegment {
  /** Parquet file within out_dir. Physical columns are named as the table's columns are. */
  path: string;
  rows: number;
  bytes: number;
  /** Line of the file of the segment's first record, when line = first_line + row position; null when `_line` is a physical column. */
  first_line: number | null;
  /** Per-column mergeable sketches (see profile.ts), as JSON. */
  profile: unknown;
}

export interface QuarantinedRow {
  line: number;
  column: string | null;
  reason: string;
  value: string | null;
  /** The record's raw text, at most 64 KiB of it. */
  raw: string;
}
