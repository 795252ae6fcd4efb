import type { Series, SeriesRequest } from '#contract/metrics/series.ts';
import type {
  Exemplar,
  FleetAnswer,
  LogFacets,
  LogHistogram,
  LogPage,
  LogPatterns,
  MetricInfo,
  OperationsAnswer,
  ServicesAnswer,
  Severity,
  Trace,
  TracePage,
} from '#contract/telemetry.ts';
import type { TimeRange, Visibility } from './store/segments.ts';

export interface TraceSearch {
  system?: string;
  service?: string;
  /** The span's name, whole. */
  operation?: string;
  status?: 'unset' | 'ok' | 'error';
  min_duration_ns?: number;
  max_duration_ns?: number;
  /** All must hold of one span: attribute → text of its value. */
  attributes?: Record<string, string>;
  range: TimeRange;
  limit: number;
  cursor?: Position;
}

/** Which lines. */
export interface LogFilter {
  /** A substring of the body, whatever its case. */
  query?: string;
  system?: string;
  service?: string;
  instance?: string;
  severities?: Severity[];
  trace_id?: string;
  attributes?: Record<string, string>;
  range: TimeRange;
}

export interface LogSearch extends LogFilter {
  limit: number;
  cursor?: Position;
}

export interface ServiceSearch {
  range: Required<TimeRange>;
  system?: string;
}

export interface OperationSearch extends ServiceSearch {
  service: string;
  step_ms: number;
}

/** From where a blast radius is measured: all that is given must hold. */
export interface TouchedSearch {
  trace_id?: string;
  span_id?: string;
  instance?: string;
  release?: string;
  range: TimeRange;
}

export interface Touched {
  spans: number;
  errors: number;
  traces: string[];
  tasks: string[];
  files: string[];
  truncated: boolean;
}

/** An answer that was made of a dataset's rows. */
export interface ReportMade {
  path: string;
  trace_id: string;
  at_ns: string;
}

/** Where a page ended: newest first, ties by a text. */
export interface Position {
  ns: bigint;
  key: string;
}

/** Who asks; the same words in every process. */
export type { Visibility };

/**
 * What can be asked of the telemetry store, in its own process or from another one. Everything acknowledged
 * before the question is in the answer.
 */
export interface TelemetryReader {
  /** Null when nothing of it is visible to the asker. */
  trace(visible: Visibility, traceId: string, range?: TimeRange): Promise<Trace | null>;
  traces(visible: Visibility, search: TraceSearch): Promise<TracePage>;
  logs(visible: Visibility, search: LogSearch): Promise<LogPage>;
  logFacets(visible: Visibility, filter: LogFilter): Promise<LogFacets>;
  logHistogram(visible: Visibility, filter: LogFilter, stepMs: number): Promise<LogHistogram>;
  logPatterns(visible: Visibility, filter: LogFilter): Promise<LogPatterns>;
  services(visible: Visibility, search: ServiceSearch): Promise<ServicesAnswer>;
  operations(visible: Visibility, search: OperationSearch): Promise<OperationsAnswer>;
  fleet(visible: Visibility, range: Required<TimeRange>): Promise<FleetAnswer>;
  touched(visible: Visibility, search: TouchedSearch): Promise<Touched>;
  reports(visible: Visibility, sinceNs: bigint): Promise<ReportMade[]>;
  /** Series with their samples, one answer per request: what the metric evaluator reads. @throws metrics_too_many */
  series(visible: Visibility, requests: readonly SeriesRequest[]): Promise<Series[][]>;
  metrics(visible: Visibility, range: TimeRange): Promise<MetricInfo[]>;
  exemplars(visible: Visibility, request: SeriesRequest): Promise<Exemplar[]>;
  /** Everything acknowledged before is in segments that `telemetry_segments` lists. */
  flush(): Promise<void>;
}
