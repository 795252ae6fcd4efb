import type { ResultFormat } from '#platform/http/formats.ts';
import type { QueryPlan } from './gate.ts';

/** What travels between the service and a query's child over the IPC channel. Bytes of results take fd 3 or the FIFO. */
export type ToChild =
  /** The user's query, to be parsed and put through the gate; `run` without `sql` then executes it. */
  { type: 'parse'; query: string } | ({ type: 'run' } & RunRequest) | { type: 'interrupt' };

export type FromChild =
  | { type: 'ready' }
  | { type: 'parsed'; plan: QueryPlan }
  | { type: 'failed'; failure: Failure }
  /** Columns are known, nothing was refused so far, bytes follow: as many as `bytes`, or until the stream ends. */
  | { type: 'started'; columns: ResultColumn[]; truncated: boolean; bytes?: number }
  | { type: 'done' };

export interface ResultColumn {
  name: string;
  type: string;
}

export interface Failure {
  code: 'sql_syntax' | 'sql_refused' | 'sql_error' | 'sql_too_greedy' | 'sql_timeout' | 'internal';
  message: string;
  hint?: string;
  /** Byte offset in the user's query. */
  position?: number;
}

export interface View {
  schema: string;
  name: string;
  sql: string;
}

export type Parameter = string | number | boolean | null | (string | number | boolean | null)[];
export type Parameters = Parameter[] | Record<string, Parameter>;

export interface RunRequest {
  /** Caudal's own SQL, trusted; absent: the query that `parse` accepted. */
  sql?: string;
  parameters: Parameters;
  /** Whatever lies in them may be opened. */
  directories: string[];
  /** Files that may be opened, besides the FIFO. */
  paths: string[];
  views: View[];
  format: ResultFormat;
  orient: 'rows' | 'columns';
  /** Rows answered at most; absent: all of them. */
  limit?: number;
  /** Above this many rows a JSON result without `limit` is too greedy. */
  max_json_rows: number;
  /** Members of the JSON document besides columns and rows, as JSON text: `"version":3`. */
  members: string;
  /** CSV: text cells that begin like a formula get an apostrophe. */
  safe: boolean;
  /** XLSX: name of the sheet. */
  title: string;
}
