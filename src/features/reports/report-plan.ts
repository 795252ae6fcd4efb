import type { Grouping, TypedName } from '#platform/lake/groups.ts';
import type { OrderBy } from '#platform/lake/question.ts';
import type { Detail } from './report-request.ts';
import type { Locale } from './words.ts';

/** All that the process which makes a workbook needs to know. */
export interface ReportPlan {
  dataset: string;
  locale: Locale;
  /** A SELECT over segments with position columns, and the filters on it. */
  relation: string;
  /** Rows come out of it in the dataset's order without being sorted. */
  ordered: boolean;
  where: string;
  parameters: string[];
  columns: TypedName[];
  order: OrderBy[];
  grouping: Grouping;
  detail: Detail;
  /** Rows of the dataset, in its order, that the report is about. */
  limit: number;
  facts: Facts;
  engine: { temp_directory: string };
  /** A named pipe from the engine to who writes the workbook. */
  pipe: string;
}

/** A plan before a process was chosen for it. */
export type ReportQuestion = Omit<ReportPlan, 'engine' | 'pipe'>;

/** What the provenance sheet says besides what the rows themselves tell. */
export interface Facts {
  version: number;
  committed_at: string;
  query: string;
  filters: string[];
  made_at: string;
  made_by: string;
  trace_id: string | null;
  task_id: string | null;
  program: string;
}

export type ToReportChild = { type: 'make'; plan: ReportPlan };

export type FromReportChild =
  | { type: 'progress'; rows: number; all: number }
  | { type: 'done'; rows: number; groups: number; truncated: boolean }
  | { type: 'failed'; code: 'invalid_input' | 'sql_too_greedy' | 'internal'; field?: string; message: string };
