import type { DuckDBConnection } from '@duckdb/node-api';
import type { ReadRequest, ReadTable } from '#contract/load.ts';

/** A file as the opener hands it to a reader: unpacked, on local disk. */
export interface OpenedFile {
  /** Uncompressed bytes on local disk. */
  path: string;
  /** Entry name in an archive. */
  name?: string;
  size: number;
  filename: string;
  /** What it was unpacked from. */
  compression?: 'gzip' | 'zstd' | 'bzip2' | 'zip';
}

export interface ReadContext {
  request: ReadRequest;
  /** The child's own in-memory DuckDB, limits set. */
  connection: DuckDBConnection;
  /** Inside request.out_dir. */
  temp_dir: string;
  progress(bytes: number, rows: number): void;
  /** The file is understood; what comes now is reading. Becomes the `sniff` span of the loader's trace. */
  sniffed(): void;
}

/** Reads every table of one file. @throws CaudalError of the loading family */
export type Reader = (file: OpenedFile, context: ReadContext) => Promise<ReadTable[]>;
