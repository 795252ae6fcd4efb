import type { ImpactAnswer } from '#contract/telemetry.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { formatNs } from './otlp/times.ts';
import type { TelemetryReader, Touched, TouchedSearch } from './reader.ts';
import type { Visibility } from './store/segments.ts';

const MOST = 1_000;

export interface ImpactDeps {
  db: Db;
  reader: Pick<TelemetryReader, 'touched' | 'reports'>;
}

interface TaskRow {
  id: string;
  kind: string;
  status: string;
  trace_id: string | null;
}

interface SourceRow {
  id: string;
  file_id: string | null;
  filename: string | null;
  dataset: string;
  accepted: number;
  quarantined: number;
  trace_id: string | null;
  loaded_at: Date;
}

/**
 * The blast radius: from spans to the tasks that they ran in, from tasks and traces to the sources that those brought
 * in, from sources to files and datasets, and from datasets to the reports that were made of them since.
 */
export async function impactOf(deps: ImpactDeps, visible: Visibility, search: TouchedSearch): Promise<ImpactAnswer> {
  const named = [search.trace_id, search.instance, search.release].some((each) => each !== undefined);
  const touched: Touched = await deps.reader.touched(visible, search);
  const tasks = await tasksOf(deps.db, visible, search, touched, named);
  const sources = await sourcesOf(deps.db, visible, search, touched, tasks, named);
  const fileIds = [...new Set([...touched.files, ...sources.flatMap(({ file_id }) => file_id ?? [])])].filter(isUuid);
  const files = await rows(
    deps.db,
    sql<{ id: string; filename: string; state: string }>`
      SELECT id, filename, state FROM files
      WHERE workspace_id = ${visible.workspace_id} AND id = ANY(${fileIds}::uuid[]) AND deleted_at IS NULL
      ORDER BY id DESC LIMIT ${MOST}`,
  );
  const datasets = datasetsOf(sources);
  const { spans, errors, truncated } = touched;
  return {
    spans,
    errors,
    traces: touched.traces.length,
    truncated: truncated || tasks.length >= MOST || sources.length >= MOST || files.length >= MOST,
    tasks,
    files,
    sources: sources.map(({ loaded_at, ...source }) => ({ ...source, loaded_at: loaded_at.toISOString() })),
    datasets,
    rows: {
      accepted: sum(datasets.map((dataset) => dataset.accepted)),
      quarantined: sum(datasets.map((dataset) => dataset.quarantined)),
    },
    reports: await reportsOf(deps, visible, sources),
  };
}

function tasksOf(db: Db, visible: Visibility, search: TouchedSearch, touched: Touched, named: boolean) {
  const ids = touched.tasks.filter(isUuid);
  // Below one span only what it ran counts, not everything of its trace.
  const traces = search.span_id === undefined ? touched.traces : [];
  const instance = search.instance !== undefined && isUuid(search.instance) ? search.instance : null;
  const { from, to } = timesOf(search);
  return rows(
    db,
    sql<TaskRow>`
      SELECT id, kind, status, trace_id FROM tasks
      WHERE workspace_id = ${visible.workspace_id}
        AND (id = ANY(${ids}::uuid[]) OR trace_id = ANY(${traces}::text[]) OR instance_id = ${instance}::uuid
             OR (${!named} AND coalesce(started_at, created_at) <= ${to} AND coalesce(finished_at, now()) >= ${from}))
        AND (instance_id IS DISTINCT FROM ${instance}::uuid OR ${instance}::uuid IS NULL
             OR (coalesce(started_at, created_at) <= ${to} AND coalesce(finished_at, now()) >= ${from}))
      ORDER BY id DESC LIMIT ${MOST}`,
  );
}

function sourcesOf(
  db: Db,
  visible: Visibility,
  search: TouchedSearch,
  touched: Touched,
  tasks: readonly TaskRow[],
  named: boolean,
) {
  const traces = search.span_id === undefined ? touched.traces : [];
  const { from, to } = timesOf(search);
  return rows(
    db,
    sql<SourceRow>`
      SELECT s.id, s.file_id, s.filename, d.name AS dataset, s.accepted, s.quarantined, s.trace_id, s.loaded_at
      FROM sources s JOIN datasets d ON d.id = s.dataset_id
      WHERE s.workspace_id = ${visible.workspace_id} AND s.deleted_at IS NULL AND d.deleted_at IS NULL
        AND (s.task_id = ANY(${tasks.map(({ id }) => id)}::uuid[]) OR s.trace_id = ANY(${traces}::text[])
             OR (${!named} AND s.loaded_at BETWEEN ${from} AND ${to}))
      ORDER BY s.id DESC LIMIT ${MOST}`,
  );
}

function timesOf({ range: { from_ns, to_ns } }: TouchedSearch): { from: string; to: string } {
  return {
    from: from_ns === undefined ? '-infinity' : formatNs(from_ns),
    to: to_ns === undefined ? 'infinity' : formatNs(to_ns),
  };
}

function datasetsOf(sources: readonly SourceRow[]) {
  return [...Map.groupBy(sources, ({ dataset }) => dataset)].map(([name, all]) => ({
    name,
    sources: all.length,
    accepted: sum(all.map(({ accepted }) => accepted)),
    quarantined: sum(all.map(({ quarantined }) => quarantined)),
  }));
}

/** Answered after the first of the rows came in; an endpoint may read any dataset. */
async function reportsOf({ reader }: ImpactDeps, visible: Visibility, sources: readonly SourceRow[]) {
  const [oldest] = sources.map(({ loaded_at }) => loaded_at.getTime()).sort((a, b) => a - b);
  if (oldest === undefined) return [];
  const first = new Map<string, number>();
  for (const { dataset, loaded_at } of sources.toReversed()) {
    first.set(dataset, Math.min(loaded_at.getTime(), first.get(dataset) ?? Number.POSITIVE_INFINITY));
  }
  const made = await reader.reports(visible, BigInt(oldest) * 1_000_000n);
  return made
    .filter(({ path, at_ns }) => {
      const dataset = /^\/datasets\/([^/]+)\//.exec(path)?.[1];
      if (dataset === undefined) return true;
      const since = first.get(decodeURIComponent(dataset));
      return since !== undefined && BigInt(at_ns) >= BigInt(since) * 1_000_000n;
    })
    .slice(0, 200)
    .map(({ path, trace_id, at_ns }) => ({ path, trace_id, time: formatNs(BigInt(at_ns)) }));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
